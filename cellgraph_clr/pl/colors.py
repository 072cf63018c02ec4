"""What cells are coloured by: categories with a colour-blind safe palette, or numbers with their unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr._core.units import unit_sign
from cellgraph_clr.graphs.layout import UNASSIGNED, raw_values

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["GREY", "PALETTE", "Coloring", "coloring", "feature_label", "legend_names", "palette_colors"]

GREY = "#bbbbbb"
# The first seven are those of Okabe and Ito 2008; each further one is the colour that is farthest in CIELAB, for normal
# sight, protanopia and deuteranopia (Machado et al. 2009) alike, from white, the grey above and all before it.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#0000fc",
    "#781800", "#c0e490", "#2424a8", "#543048", "#5478fc", "#e40048", "#48306c", "#78e4fc",
    "#4848f0", "#e49c54", "#609cfc", "#b4e4b4", "#486c3c", "#0c54b4", "#a83c00", "#845478",
    "#fc5478", "#d8e46c", "#0c00cc", "#78b4cc", "#600c84", "#6c2430", "#d89c6c", "#3078d8",
    "#3c54d8", "#cc6030", "#a81890", "#90e4e4", "#1890c0", "#48c090", "#784854", "#d80084",
    "#b4cc3c", "#b4cc90", "#a81824", "#b4e4cc", "#3090d8", "#b4609c", "#3c9054", "#3c30cc",
)  # fmt: skip
MOST_NAMES = 60  # of a legend; with more the most frequent are named


class Coloring(NamedTuple):
    """Values of all cells, and how they are shown.

    `values` (n,) are codes of `names` (-1: missing), or numbers where there are no names.
    """

    title: str
    values: np.ndarray
    names: list[str]
    colors: list[str]

    @property
    def is_categorical(self) -> bool:
        """Whether values are codes."""
        return bool(self.names)


def coloring(adata: AnnData, key: str, *, layer: str | None = None, palette: Any = None) -> Coloring:
    """Return what a key of `obs` or a name of `var_names` shows.

    Categories, text and flags are categories, numbers are numbers. Features are shown as measured (see `raw_values`), with
    their unit. Colours of categories are those of `palette`, else of `uns[f"{key}_colors"]`, else of `PALETTE`, and are
    written there, as scanpy does.

    Raises `MissingKeyError` for a key that is in neither, `OptionError` for a palette that names too few colours.
    """
    if key in adata.obs:
        column = adata.obs[key]
        if column.dtype.kind in "iuf":
            return Coloring(key, column.to_numpy(np.float64), [], [])
        as_text = column.astype(object).where(column.notna(), UNASSIGNED).astype(str)
        listed = [str(c) for c in getattr(column.dtype, "categories", [])]
        present = set(as_text)
        names = [n for n in listed if n in present or n != UNASSIGNED] or sorted(present)
        names += [n for n in sorted(present) if n not in names]
        code = {n: i for i, n in enumerate(names)}
        return Coloring(key, as_text.map(code).to_numpy(np.int64), names, _colors(adata, key, names, palette))
    if key in adata.var_names:
        values, _ = raw_values(adata, key, layer)
        return Coloring(feature_label(adata, key, layer), values, [], [])
    _unknown(adata, key)
    raise AssertionError  # _unknown raises


def feature_label(adata: AnnData, name: str, layer: str | None = None) -> str:
    """Return a feature with its unit: "area (µm²)"."""
    unit = raw_values(adata, name, layer)[1]
    return f"{name} ({unit_sign(unit)})" if unit else name


def _unknown(adata: AnnData, key: str) -> None:
    from difflib import get_close_matches

    known = [*map(str, adata.obs.columns), *map(str, adata.var_names)]
    close = get_close_matches(str(key), known, n=3)
    hint = f"Did you mean {', '.join(map(repr, close))}?" if close else "Check the spelling."
    raise MissingKeyError(expected(f"{key!r} in `adata.obs` or `adata.var_names`", listing(known), hint))


def _colors(adata: AnnData, key: str, names: Sequence[str], palette: Any) -> list[str]:
    """Return one colour per category, and write them to `uns` unless `adata` is a view."""
    from matplotlib.colors import to_hex

    stored = adata.uns.get(f"{key}_colors")
    if palette is not None:
        colors = palette_colors(palette, names)
    elif stored is not None and len(stored) >= len(names):
        return [to_hex(c) for c in list(stored)[: len(names)]]
    else:
        colors = palette_colors(None, names)
    if not adata.is_view:
        adata.uns[f"{key}_colors"] = colors
    return colors


def palette_colors(palette: Any, names: Sequence[str]) -> list[str]:
    """Return one colour (hex) per name, grey for "unassigned".

    `palette` is None, a list of colours, a mapping from names to colours, or a name of a colour map of matplotlib.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shown = [n for n in names if n != UNASSIGNED]
    if isinstance(palette, Mapping):
        lost = [n for n in shown if n not in palette]
        if lost:
            raise OptionError(expected("a colour for every category", f"none for {listing(lost)}", "Add them."))
        chosen = [to_hex(palette[n]) for n in shown]
    else:
        if isinstance(palette, str):
            table = colormaps[palette]
            at = range(len(shown)) if table.N <= 32 else np.linspace(0, 1, max(len(shown), 2))
            palette = [table(i) for i in at]
        wheel = list(PALETTE if palette is None else palette)
        if palette is not None and len(wheel) < len(shown):
            raise OptionError(expected(f"{len(shown)} colours", len(wheel), "Pass one for every category."))
        chosen = [to_hex(wheel[i % len(wheel)]) for i in range(len(shown))]
    color = dict(zip(shown, chosen, strict=True))
    return [color.get(n, GREY) for n in names]


def legend_names(found: Coloring, rows: np.ndarray) -> tuple[list[int], int]:
    """Return the codes that a legend of these rows names, in order, and how many it leaves out (the rarest)."""
    count = np.bincount(found.values[rows][found.values[rows] >= 0], minlength=len(found.names))
    present = np.flatnonzero(count)
    if len(present) > MOST_NAMES:
        present = np.sort(present[np.argsort(-count[present], kind="stable")[: MOST_NAMES - 1]])
    return present.tolist(), int((count > 0).sum()) - len(present)
