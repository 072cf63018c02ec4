"""What cells are coloured by: categories with a colour-blind safe palette, or numbers with their unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr._core.units import unit_sign
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.provenance import recorded_run
from cellgraph_clr.adata.reading import raw_values

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = [
    "GREY",
    "PALETTE",
    "Coloring",
    "checked_cmap",
    "coloring",
    "feature_label",
    "is_color",
    "legend_names",
    "palette_colors",
]

GREY = "#bbbbbb"
# The first seven are those of Okabe and Ito 2008; each further one is the colour that differs most (CIEDE2000), for normal
# sight, protanopia and deuteranopia (Machado et al. 2009), from white, the grey above and all before it.
PALETTE = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#3c3c1e",
    "#5a1e4b", "#a5f0b4", "#0000d2", "#b41e4b", "#4b7878", "#7878ff", "#00f0ff", "#784b00",
    "#b4b478", "#3c4b78", "#d25a5a", "#c39696", "#d200b4", "#8700ff", "#d2b4d2", "#3c5a3c",
    "#009696", "#b4964b", "#96693c", "#c3e178", "#695a78", "#0f3c2d", "#ffd2d2", "#00695a",
    "#4b1e78", "#d2b4a5", "#5a875a", "#5aa5b4", "#870fa5", "#6996d2", "#875a69", "#3cd24b",
    "#009600", "#875ae1", "#0f7896", "#ff87ff", "#780f3c", "#4b3c00", "#b4a587", "#ffb496",
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
    their unit. Colours of categories are those of `palette`, else of `uns[f"{key}_colors"]`, else, for predictions of another
    column (`tl.classify`, `tl.transfer_labels`), those of its categories of the same name, else of `PALETTE`, and are written
    there, as scanpy does.

    Raises `MissingKeyError` for a key that is in neither, `OptionError` for a palette that names too few colours.
    """
    if not isinstance(key, str):
        raise OptionError(expected("`color` as the name of a column or feature", repr(key), "Pass a name."))
    if key in adata.obs:
        column = adata.obs[key]
        if column.dtype.kind in "iuf":
            return Coloring(key, column.to_numpy(np.float64), [], [])
        as_text = _as_text(column)
        listed = _listed(column)
        colors = _colors(adata, key, listed, palette)
        names = [*listed, *([UNASSIGNED] if UNASSIGNED in set(as_text) and UNASSIGNED not in listed else [])]
        code = {n: i for i, n in enumerate(names)}
        return Coloring(key, as_text.map(code).to_numpy(np.int64), names, [*colors, GREY][: len(names)])
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


def _as_text(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), UNASSIGNED).astype(str)


def _listed(column: pd.Series) -> list[str]:
    """Return the categories of a column in their order, else its values, sorted."""
    found = getattr(column.dtype, "categories", None)
    return [str(c) for c in (sorted(set(_as_text(column)) - {UNASSIGNED}) if found is None else found)]


def _colors(
    adata: AnnData, key: str, names: Sequence[str], palette: Any, *, before: frozenset[str] = frozenset()
) -> list[str]:
    """Return one colour per category of the column, and write them to `uns` unless `adata` is a view, as scanpy does.

    Those in `uns` are kept where there are enough of them. Predictions take those of what they predict, by name; columns
    `before` are not asked again.
    """
    stored = adata.uns.get(f"{key}_colors")
    if palette is None and stored is not None and len(stored) >= len(names):
        return [_hex(c, f"uns['{key}_colors']") for c in list(stored)[: len(names)]]
    source = _predicted_column(adata, key, before) if palette is None else None
    if source is not None:
        known = _listed(adata.obs[source])
        of_source = dict(zip(known, _colors(adata, source, known, None, before=before | {key}), strict=True))
        colors = _by_name(names, of_source)
    else:
        colors = palette_colors(palette, names)
    if not adata.is_view:
        adata.uns[f"{key}_colors"] = colors
    return colors


def _predicted_column(adata: AnnData, key: str, before: frozenset[str]) -> str | None:
    """Return the column of categories that a column predicts: as recorded, else its name without "_pred"; None without one."""
    for name in (_recorded_label_key(adata, key), key.removesuffix("_pred")):
        if isinstance(name, str) and name != key and name not in before and name in adata.obs:
            column = adata.obs[name]
            if column.ndim == 1 and column.dtype.kind not in "iuf":
                return name
    return None


def _recorded_label_key(adata: AnnData, key: str) -> object:
    entry = adata.uns.get(key)
    params = entry.get("params") if isinstance(entry, Mapping) else None
    if isinstance(params, Mapping) and "label_key" in params:
        return params["label_key"]
    return recorded_run(adata, key).get("label_key")


def _by_name(names: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """Return the known colour of every name; names without one take the first of `PALETTE` that are not in use."""
    used = set(known.values())
    free = [c for c in PALETTE if c not in used] or list(PALETTE)
    new = [n for n in names if n not in known and n != UNASSIGNED]
    color = {UNASSIGNED: GREY, **{n: free[i % len(free)] for i, n in enumerate(new)}, **known}
    return [color[n] for n in names]


def is_color(color: Any) -> bool:
    """Return whether matplotlib knows something as a colour."""
    from matplotlib.colors import is_color_like

    try:
        return bool(is_color_like(color))
    except Exception:  # noqa: BLE001 - of what is compared or hashed on the way
        return False


def _hex(color: Any, where: str) -> str:
    """Return a colour as hex. Raises `OptionError` for what matplotlib does not know as one."""
    from matplotlib.colors import to_hex

    if not is_color(color):
        raise OptionError(expected(f"colours in {where}", repr(color), "Use names or hex codes, as in matplotlib."))
    return str(to_hex(color))


def checked_cmap(name: Any, *, what: str = "cmap") -> Any:
    """Return a colour map of matplotlib. Raises `OptionError` with close names for another."""
    from matplotlib import colormaps
    from matplotlib.colors import Colormap

    if isinstance(name, Colormap):
        return name
    if not isinstance(name, str) or name not in colormaps:
        check_key(str(name), list(colormaps), where=f"the colour maps of matplotlib, for `{what}`", error=OptionError)
    return colormaps[name]


def palette_colors(palette: Any, names: Sequence[str]) -> list[str]:
    """Return one colour (hex) per name, grey for "unassigned".

    `palette` is None, a list of colours, a mapping from names to colours, or a name of a colour map of matplotlib.
    """
    shown = [n for n in names if n != UNASSIGNED]
    if isinstance(palette, Mapping):
        lost = [n for n in shown if n not in palette]
        if lost:
            raise OptionError(expected("a colour for every category", f"none for {listing(lost)}", "Add them."))
        chosen = [_hex(palette[n], "`palette`") for n in shown]
    else:
        if isinstance(palette, str):
            table = checked_cmap(palette, what="palette")
            at = range(len(shown)) if table.N <= 32 else np.linspace(0, 1, max(len(shown), 2))
            palette = [table(i) for i in at]
        if palette is not None and (
            isinstance(palette, (bytes, set)) or not isinstance(palette, Iterable) or getattr(palette, "ndim", 1) == 0
        ):
            remedy = "Pass a list of colours, a mapping from categories, or the name of a colour map."
            raise OptionError(expected("`palette` as colours", type(palette).__name__, remedy))
        wheel = list(PALETTE if palette is None else palette)
        if palette is not None and len(wheel) < len(shown):
            raise OptionError(expected(f"{len(shown)} colours", len(wheel), "Pass one for every category."))
        chosen = [_hex(wheel[i % len(wheel)], "`palette`") for i in range(len(shown))]
    color = dict(zip(shown, chosen, strict=True))
    return [color.get(n, GREY) for n in names]


def legend_names(found: Coloring, rows: np.ndarray) -> tuple[list[int], int]:
    """Return the codes that a legend of these rows names, in order, and how many it leaves out (the rarest)."""
    count = np.bincount(found.values[rows][found.values[rows] >= 0], minlength=len(found.names))
    present = np.flatnonzero(count)
    if len(present) > MOST_NAMES:
        present = np.sort(present[np.argsort(-count[present], kind="stable")[: MOST_NAMES - 1]])
    return present.tolist(), int((count > 0).sum()) - len(present)
