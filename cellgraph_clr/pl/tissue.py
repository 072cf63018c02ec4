"""Cells in their place: the graph on the image, categories and values, retrieved cells and regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key
from cellgraph_clr._query import Query, query_rows
from cellgraph_clr.analysis.outlines import cell_reach, outline
from cellgraph_clr.graphs.layout import PACKAGE_KEY, UNASSIGNED, adjacency_of, sample_of
from cellgraph_clr.pl.canvas import new_axes, place, plane, point_size, save_figure, slab_rows

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["graph", "retrieval", "spatial"]


def _background(ax: Axes, adata: AnnData, image: np.ndarray | None) -> None:
    if image is None:
        return
    spacing = list(adata.uns.get(PACKAGE_KEY, {}).get("spacing", [1.0, 1.0]))[-2:]
    height, width = image.shape[:2]
    extent = (-0.5 * spacing[1], (width - 0.5) * spacing[1], (height - 0.5) * spacing[0], -0.5 * spacing[0])
    ax.imshow(image, cmap="gray" if image.ndim == 2 else None, extent=extent, interpolation="nearest")


def graph(
    adata: AnnData,
    image: np.ndarray | None = None,
    *,
    color: str | None = None,
    neighbors_key: str = "spatial",
    projection: str = "xy",
    slab: tuple[float, float] | None = None,
    ax: Axes | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw the cell graph, on the image when there is one.

    Parameters
    ----------
    adata : with a spatial graph.
    image : (y, x) or (y, x, 3) pixels of the plane shown, on the grid of the labels.
    color : categorical `obs` column for the nodes; None draws them in one colour.
    neighbors_key : the graph.
    projection : "xy", "xz" or "yz".
    slab : in 3D, lowest and highest coordinate along the axis left out, in the unit of positions.
    ax, save : draw into these axes; write the figure to this file.

    Returns
    -------
    The axes.

    Raises
    ------
    NoGraphError, MissingKeyError, OptionError
        For a missing graph or column, or a wrong projection.
    """
    from matplotlib.collections import LineCollection

    adjacency = adjacency_of(adata, neighbors_key).tocoo()
    ax = new_axes(ax)
    xy, inside = plane(adata, projection), slab_rows(adata, projection, slab)
    _background(ax, adata, image)
    keep = (adjacency.row < adjacency.col) & inside[adjacency.row] & inside[adjacency.col]
    lines = np.stack([xy[adjacency.row[keep]], xy[adjacency.col[keep]]], axis=1)
    ax.add_collection(LineCollection(list(lines), colors="#ffd23f" if image is not None else "#888888", linewidths=0.6))
    size = point_size(int(inside.sum())) / 2
    if color is None:
        ax.scatter(xy[inside, 0], xy[inside, 1], s=size, c="#d7263d", zorder=3, linewidths=0)
    else:
        _categories(ax, adata, color, xy, inside, size)
    ax.autoscale_view()
    place(ax, adata, projection, f"{int(inside.sum())} cells, {int(keep.sum())} edges")
    save_figure(ax, save)
    return ax


def _categories(ax: Axes, adata: AnnData, color: str, xy: np.ndarray, inside: np.ndarray, size: float) -> None:
    """Scatter the categories of a column, each in its colour, "unassigned" in grey, with a legend."""
    from matplotlib import colormaps

    check_key(color, list(adata.obs.columns), where="adata.obs")
    column = adata.obs[color].astype("category")
    names = list(column.cat.categories)
    palette = adata.uns.get(f"{color}_colors")
    if palette is None or len(palette) < len(names):
        table = colormaps["tab10" if len(names) <= 10 else "tab20"]
        palette = [table(i % table.N) for i in range(len(names))]
    codes = column.cat.codes.to_numpy()
    for i, name in enumerate(names):
        rows = inside & (codes == i)
        shade = "#bbbbbb" if str(name) == UNASSIGNED else palette[i]
        ax.scatter(xy[rows, 0], xy[rows, 1], s=size, color=[shade], label=str(name), zorder=3, linewidths=0)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, markerscale=2, title=color)


def spatial(
    adata: AnnData,
    color: str,
    image: np.ndarray | None = None,
    *,
    projection: str = "xy",
    slab: tuple[float, float] | None = None,
    ax: Axes | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw cells in place, coloured by an `obs` column (categories with a legend, numbers with a colour bar).

    Arguments, result and errors as `graph`; no graph is needed.
    """
    check_key(color, list(adata.obs.columns), where="adata.obs")
    ax = new_axes(ax, (7, 6))
    xy, inside = plane(adata, projection), slab_rows(adata, projection, slab)
    _background(ax, adata, image)
    size = point_size(int(inside.sum()))
    if adata.obs[color].dtype.kind == "f":
        dots = ax.scatter(
            xy[inside, 0], xy[inside, 1], s=size, c=adata.obs[color].to_numpy()[inside], cmap="viridis", linewidths=0
        )
        ax.figure.colorbar(dots, ax=ax, label=color, shrink=0.7)
    else:
        _categories(ax, adata, color, xy, inside, size)
    place(ax, adata, projection, color)
    save_figure(ax, save)
    return ax


def retrieval(
    adata: AnnData,
    query: Query,
    image: np.ndarray | None = None,
    *,
    key: str = "retrieval",
    n_regions: int = 5,
    projection: str = "xy",
    slab: tuple[float, float] | None = None,
    ax: Axes | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw what a query found, in place: the query in black, the best regions (or ranked cells) in colour; in 2D with outlines.

    Parameters
    ----------
    adata : after `tl.retrieve_regions` or `tl.retrieve` with `key_added=key`.
    query : the query that was asked (mask, ids, names or category).
    image : pixels of the plane shown.
    key : `key_added` of the retrieval. Regions are drawn when there are any, else ranked cells.
    n_regions : regions drawn in a colour of their own; further ones share a pale one.
    projection, slab, ax, save : as in `graph`.

    Raises
    ------
    MissingKeyError
        If there is no retrieval under `key`.
    EmptyQueryError, OptionError
        For a query without a match, or a wrong projection.
    """
    from matplotlib import colormaps

    region_key, rank_key = f"{key}_region", f"{key}_rank"
    has_regions = region_key in adata.obs
    if not has_regions:
        remedy = "Call `cgc.tl.retrieve_regions(adata, query)` or `cgc.tl.retrieve(adata, query)` first."
        check_key(rank_key, list(adata.obs.columns), where="adata.obs", remedy=remedy)
    ax = new_axes(ax, (7.5, 6))
    xy, inside = plane(adata, projection), slab_rows(adata, projection, slab)
    rows = query_rows(adata, query)
    asked = np.zeros(adata.n_obs, bool)
    asked[rows] = True
    _background(ax, adata, image)
    number = adata.obs[region_key if has_regions else rank_key].to_numpy()
    size = point_size(int(inside.sum()))
    rest = inside & (number == 0) & ~asked
    ax.scatter(xy[rest, 0], xy[rest, 1], s=size / 2, c="#cccccc", linewidths=0, label="other cells")
    position = np.asarray(adata.obsm["spatial"], float)
    samples = np.unique(sample_of(adata, None), return_inverse=True)[1]
    flat = position.shape[1] == 2 and "spatial_connectivities" in adata.obsp
    reach = cell_reach(position, adata.obsp["spatial_connectivities"]) if flat and has_regions else 1.0
    if has_regions:
        for i in range(1, min(n_regions, int(number.max())) + 1):
            found = inside & (number == i)
            colour = colormaps["tab10"](i - 1)
            ax.scatter(xy[found, 0], xy[found, 1], s=size, color=[colour], label=f"region {i}", linewidths=0)
            if flat:  # in 3D outlines would overlap
                for polygon in outline(position, samples, np.flatnonzero(number == i), reach):
                    ax.plot(*polygon.T, color=colour, linewidth=1.2)
        more = inside & (number > n_regions)
        if more.any():
            ax.scatter(
                xy[more, 0],
                xy[more, 1],
                s=size,
                c="#f4c095",
                linewidths=0,
                label=f"{int(number.max()) - n_regions} more",
            )
    else:
        found = inside & (number > 0)
        dots = ax.scatter(
            xy[found, 0], xy[found, 1], s=size, c=number[found], cmap="plasma_r", linewidths=0, label="found"
        )
        ax.figure.colorbar(dots, ax=ax, label="rank", shrink=0.7)
    shown = inside & asked
    ax.scatter(xy[shown, 0], xy[shown, 1], s=size, c="black", linewidths=0, label="query")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, markerscale=2)
    place(ax, adata, projection, "retrieved regions" if has_regions else "retrieved cells")
    save_figure(ax, save)
    return ax
