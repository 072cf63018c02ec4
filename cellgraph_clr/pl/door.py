"""What plots share at the door: where they save is looked at first, then the kinds and ranges of their options."""

from __future__ import annotations

import inspect
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.pl.canvas import check_axes, check_save
from cellgraph_clr.pl.colors import checked_cmap, is_color

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["drawn"]

P = ParamSpec("P")
R = TypeVar("R")
WIDEST = 1000.0  # inches: a pixel count that fits into memory


def _check_figsize(figsize: Any) -> None:
    sides = figsize if isinstance(figsize, (tuple, list, np.ndarray)) and np.shape(figsize) == (2,) else ()
    numbers = [s for s in sides if isinstance(s, (int, float, np.integer, np.floating)) and 0 < s <= WIDEST]
    if len(numbers) != 2:
        remedy = "Pass two numbers, as (6, 4)."
        raise OptionError(expected("`figsize` as width and height in inches", f"{figsize!r:.60}", remedy))


def _check_edge_color(color: Any) -> None:
    if not is_color(color):
        raise OptionError(
            expected("`edge_color` as a colour", f"{color!r:.60}", "Use names or hex codes, as in matplotlib.")
        )


def _check_library_id(library_id: Any) -> None:
    if isinstance(library_id, np.ndarray) and library_id.ndim != 1:
        raise OptionError(expected("`library_id` as one sample or a list of them", library_id.shape, "Name them."))
    if isinstance(library_id, (list, tuple, set, np.ndarray)) and np.size(list(library_id)) == 0:
        raise OptionError(expected("`library_id` of at least one sample", "none", "Leave it out to draw all."))


def _check_image(given: dict[str, Any], options: Collection[str]) -> None:
    """Raise `OptionError` for a column or a feature where an image is expected."""
    image, adata = given.get("image"), given["adata"]
    if not isinstance(image, str) or Path(image).exists():
        return
    for names, what, meant in (
        (adata.obs, "a column of obs", ("color", "groupby")),
        (adata.var_names, "a feature", ("color",)),
    ):
        if image in names:
            option = next((name for name in meant if name in options), None)
            remedy = f"Did you mean `{option}={image!r}`?" if option else "Pass its pixels, or the path of a file."
            raise OptionError(expected("`image` as pixels or the path of a file", f"{image!r}, {what}", remedy))


SHARED: dict[str, Callable[[Any], object]] = {
    "ax": check_axes,
    "figsize": _check_figsize,
    "cmap": checked_cmap,
    "edge_color": _check_edge_color,
    "edge_width": lambda v: check_in_range("edge_width", v, low=0),
    "size": lambda v: check_in_range("size", v, low=0, low_open=True),
    "vmin": lambda v: check_in_range("vmin", v),
    "vmax": lambda v: check_in_range("vmax", v),
    "smoothing": lambda v: check_in_range("smoothing", v, low=0, high=1),
    "library_id": _check_library_id,
    "n_columns": lambda v: check_whole("n_columns", v),
    "n_regions": lambda v: check_whole("n_regions", v),
}


def drawn(function: Callable[P, R]) -> Callable[P, R]:
    """Check what a plot is given before anything is read or drawn: `save` first, then as `checked`, then what `SHARED` knows.

    Raises `OptionError` for options of another kind or outside their range, `CellGraphError` for what is no AnnData, table, movie
    or plate, and `OutputError` where `save` cannot be written.
    """
    call_checked = checked(_then(function))

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        save: Any = kwargs.get("save")
        check_save(save)
        return call_checked(*args, **kwargs)

    return call


def _then(function: Callable[P, R]) -> Callable[P, R]:
    signature = inspect.signature(function)
    on_image = {"adata", "image"} <= set(signature.parameters)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if on_image:
            _check_image(signature.bind(*args, **kwargs).arguments, signature.parameters)
        for name, check in SHARED.items():  # all of them keyword-only
            if kwargs.get(name) is not None:
                check(kwargs[name])
        return function(*args, **kwargs)

    return call
