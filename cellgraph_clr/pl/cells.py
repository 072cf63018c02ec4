"""How cells are drawn in a panel: as dots, or filled where masks are at hand, by category or by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_in_range, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.pl.canvas import legend_beside, plain
from cellgraph_clr.pl.colors import GREY, checked_cmap, legend_names
from cellgraph_clr.pl.field import point_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap

    from cellgraph_clr.graphs.samples import Group
    from cellgraph_clr.pl.colors import Coloring
    from cellgraph_clr.pl.field import Field

__all__ = ["category_legend", "cell_colors", "color_bar", "dot", "draw_cells", "filled", "number_scale", "outlined"]

RIM = 0.55  # brightness of a filled cell's rim
OVER_IMAGE = 0.6  # opacity of filled cells on an image


def number_scale(values: np.ndarray, cmap: str | Colormap, vmin: float | None, vmax: float | None) -> ScalarMappable:
    """Return colour map and range of numbers: those given, else the finite range of the values. Raises `OptionError`."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    for name, value in (("vmin", vmin), ("vmax", vmax)):
        if value is not None:
            check_in_range(name, value)
    low, high = (low if vmin is None else float(vmin)), (high if vmax is None else float(vmax))
    if low > high:
        raise OptionError(expected("`vmin` below `vmax`", f"{low:g} and {high:g}", "Exchange them."))
    return ScalarMappable(Normalize(low, high), checked_cmap(cmap))


def cell_colors(found: Coloring, scale: ScalarMappable | None) -> np.ndarray:
    """Return the colour of every cell (n, 4) in 0 … 1; grey where there is no value."""
    from matplotlib.colors import to_rgba, to_rgba_array

    if scale is None:
        table = np.vstack([to_rgba_array(found.colors), to_rgba(GREY)])
        return table[found.values]
    out = np.array(scale.to_rgba(np.nan_to_num(found.values)))
    out[~np.isfinite(found.values)] = to_rgba(GREY)
    return out


def draw_cells(
    ax: Axes,
    field: Field,
    group: Group,
    found: Coloring,
    *,
    scale: ScalarMappable | None = None,
    size: float | None = None,
    alpha: float | None = None,
    on_image: bool = False,
) -> None:
    """Draw the cells of a sample: filled masks where labels were given, else dots; cells without a value below others."""
    rows, color = field.rows(group), cell_colors(found, scale)
    masks = field.masks(group)
    if masks is not None:
        plane, extent = masks
        ids = cell_ids(field.adata)
        picture = filled(plane, ids[group.rows], color[group.rows])
        picture[..., 3] *= alpha if alpha is not None else OVER_IMAGE if on_image else 1
        ax.imshow(picture, extent=extent, interpolation="nearest", zorder=2)
        return
    missing = found.values < 0 if found.is_categorical else ~np.isfinite(found.values)
    order = rows[np.argsort(~missing[rows], kind="stable")]
    dot = point_size(len(rows)) if size is None else size
    rim = {"edgecolors": "white", "linewidths": 0.4} if on_image and dot >= 10 else {"linewidths": 0}
    x, y = field.xy[order].T
    ax.scatter(x, y, s=dot, c=color[order], alpha=alpha, zorder=3, **rim)


def filled(plane: np.ndarray, ids: np.ndarray, color: np.ndarray) -> np.ndarray:
    """Return a picture (h, w, 4) of a label plane: each cell in its colour with a darker rim, others transparent.

    `color` (n, 4) is that of the cells with these `ids` (n,); labels that are not among them are left out. O(pixels).
    """
    order = np.argsort(ids)
    known, inverse = np.unique(plane, return_inverse=True)
    at = np.searchsorted(ids[order], known)
    at[at == len(ids)] = 0
    here = (ids[order][at] == known) & (known != 0) if len(ids) else np.zeros(len(known), bool)
    table = np.zeros((len(known), 4))
    table[here] = color[order[at[here]]]
    out = table[inverse.reshape(plane.shape)]
    rim = np.zeros(plane.shape, bool)
    rim[:-1] |= plane[:-1] != plane[1:]
    rim[:, :-1] |= plane[:, :-1] != plane[:, 1:]
    if here.any() and rim.mean() < 0.25:  # cells of a few pixels are all rim
        out[rim, :3] *= RIM
    return out


def outlined(plane: np.ndarray, ids: np.ndarray, extent: tuple[float, float, float, float]) -> list[np.ndarray]:
    """Return closed outlines (k, 2) in data coordinates around the cells with these ids in a label plane, gaps closed."""
    from scipy.ndimage import binary_closing
    from skimage.measure import find_contours

    inside = np.isin(plane, ids)
    if not inside.any():
        return []
    pad = 6
    mask = np.pad(inside, pad)
    joined = binary_closing(mask, iterations=3) & (mask | np.pad(plane == 0, pad, constant_values=True))
    left, right, bottom, top = extent
    step = np.array([(right - left) / plane.shape[1], (bottom - top) / plane.shape[0]])
    lines = find_contours(joined.astype(float), 0.5)
    return [np.array([left, top]) + (line[:, ::-1] - pad + 0.5) * step for line in lines]


def category_legend(ax: Axes, found: Coloring, rows: np.ndarray) -> None:
    """Name the categories of these rows beside the axes; of very many the most frequent."""
    from matplotlib.lines import Line2D

    codes, left_out = legend_names(found, rows)
    handles = [dot(found.names[i], found.colors[i]) for i in codes]
    if left_out:
        handles.append(Line2D([], [], linestyle="", label=f"and {left_out} more"))
    legend_beside(ax, handles)


def dot(label: str, color: Any, **style: Any) -> Any:
    """Return an entry of a legend: a dot of fixed size."""
    from matplotlib.lines import Line2D

    look = {"marker": "o", "markersize": 7, "markeredgewidth": 0, **style}
    return Line2D([], [], linestyle="", color=color, label=plain(label), **look)


def color_bar(axes: Sequence[Axes], scale: ScalarMappable, label: str) -> None:
    """Draw a colour bar beside some axes."""
    figure = axes[0].get_figure(root=True)
    figure.colorbar(scale, ax=list(axes), label=label, shrink=0.7)  # type: ignore[union-attr]
