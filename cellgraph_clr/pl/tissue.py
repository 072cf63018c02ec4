"""Cells in their place: categories, numbers and features, and the graph that joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_in_range, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.adata.reading import adjacency_of
from cellgraph_clr.pl.canvas import finish, panel_axes
from cellgraph_clr.pl.cells import category_legend, color_bar, draw_cells, number_scale
from cellgraph_clr.pl.colors import Coloring, coloring
from cellgraph_clr.pl.door import drawn
from cellgraph_clr.pl.field import Field, point_size

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from cellgraph_clr.io.labels import Labels

__all__ = ["graph", "spatial"]

PANEL = (5.0, 5.0)
SMALL_PANEL = (3.2, 3.2)
ONE_COLOR = "#d55e00"


@drawn
def spatial(
    adata: AnnData,
    color: str | Sequence[str] | None = None,
    image: Any = None,
    *,
    labels: Labels | None = None,
    library_id: Any = None,
    library_key: str | None = None,
    layer: str | None = None,
    projection: str = "xy",
    slab: tuple[float, float] | None = None,
    size: float | None = None,
    alpha: float | None = None,
    palette: Any = None,
    cmap: str | Colormap = "viridis",
    vmin: float | None = None,
    vmax: float | None = None,
    title: str | Sequence[str] | None = None,
    n_columns: int = 4,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes | list[Axes]:
    """Draw cells in place, one panel for every sample and colour.

    Parameters
    ----------
    adata : AnnData
        With `obsm["spatial"]`.
    color : str or sequence of str or None, default None
        Key of `obs` or name of a feature or gene, or a list of these. Categories get a legend, numbers a colour bar,
        features the values that were measured, with their unit. None draws all cells alike.
    image : object, default None
        Pixels of the plane shown, on the grid of the labels: (y, x), (y, x, 3) or up to three channels (c, y, x). For
        several samples a mapping from samples to images, a `Movie` or a `Plate`. Paths of .tif, .npy and .zarr are read.
    labels : LabelImage or array-like or path-like or None, default None
        Label image, as in `gr.contact_graph`: cells are filled instead of drawn as dots; in 3D as cut by the plane in
        the middle of `slab` (or of the volume).
    library_id : object, default None
        Sample to draw, or frame of a movie, or a list of these; None draws all, each in a panel of its own.
    library_key : str or None, default None
        `obs` column of samples; None takes `obs["library_id"]`, else the column that the graph "spatial" was made with.
    layer : str or None, default None
        Of features; None takes measured values (`layers["cellgraph_raw"]` after scaling, else `X`), "X" those of `X`.
    projection : str, default "xy"
        "xy", "xz" or "yz".
    slab : tuple of float, float or None, default None
        In 3D, lowest and highest coordinate along the axis left out, in the unit of positions.
    size : float or None, default None
        Of dots, in points squared.
    alpha : float or None, default None
        Opacity of cells; None takes 0.6 for masks on an image, else 1.
    palette : object, default None
        Colours of categories: a list, a mapping from categories, or a colour map of matplotlib. They are written to
        `uns[f"{color}_colors"]`. None takes those of `uns`, else a colour-blind safe one of 48.
    cmap : str or Colormap, default "viridis"
        Colour map and range of numbers; the range is that of all panels of a colour.
    vmin : float or None, default None
        Colour map and range of numbers; the range is that of all panels of a colour.
    vmax : float or None, default None
        Colour map and range of numbers; the range is that of all panels of a colour.
    title : str or sequence of str or None, default None
        Of the panels; None names the colour and the sample.
    n_columns : int, default 4
        Panels in a row.
    figsize : tuple of float, float or None, default None
        Width and height in inches; None takes 5 inches a panel (3.2 of several samples).
    ax : matplotlib.axes.Axes or None, default None
        Draw one panel into these axes.
    show : bool or None, default None
        Call `pyplot.show()`.
    save : str or path-like or None, default None
        Write the figure to this file.

    Returns
    -------
    matplotlib.axes.Axes or list of matplotlib.axes.Axes
        The axes, a list of them where there are several panels.

    Raises
    ------
    MissingKeyError, OptionError, ShapeError
        For a missing key or sample, a wrong option, several panels for one `ax`, an image that is not one plane.

    Notes
    -----
    The figure is pyplot's current one. Every panel has a scale bar in the unit of positions; y points down, as in images.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> axes = cgc.pl.spatial(adata, "dab_mean", tissue.rgb, save="dab.png")
    """
    keys: list[Any] = [color] if color is None or isinstance(color, str) else list(color)
    field = Field(
        adata, image, labels, library_id=library_id, library_key=library_key, projection=projection, slab=slab
    )
    groups = field.groups
    n = len(groups) * len(keys)
    if n == 0:
        raise OptionError(expected("a `color` to draw", "an empty list", "Name a column or a feature, or pass None."))
    if alpha is not None:
        check_in_range("alpha", alpha, low=0, high=1)
    if 1 < len(groups) <= n_columns:  # a row of samples for every colour
        n_columns = len(groups)
    axes = panel_axes(ax, n, size=SMALL_PANEL if len(groups) > 1 else PANEL, n_columns=n_columns, figsize=figsize)
    titles = _titles(title, keys, [g.name for g in groups])
    drawn = np.concatenate([field.rows(g) for g in groups])
    for i, key in enumerate(keys):
        found = _plain(adata) if key is None else coloring(adata, key, layer=layer, palette=palette)
        scale = None if found.is_categorical else number_scale(found.values[drawn], cmap, vmin, vmax)
        mine = axes[i * len(groups) : (i + 1) * len(groups)]
        for panel, group, text in zip(mine, groups, titles[i * len(groups) :], strict=False):
            on_image = field.draw_image(panel, group)
            draw_cells(panel, field, group, found, scale=scale, size=size, alpha=alpha, on_image=on_image)
            field.frame(panel, group, field.titled(text, group) if title is None else text)
        if scale is not None:
            color_bar(mine, scale, found.title)
        elif key is not None:
            category_legend(mine[min(len(mine), n_columns) - 1], found, drawn)
    finish(axes[0], show=show, save=save)
    return axes[0] if len(axes) == 1 else axes


def _plain(adata: AnnData) -> Coloring:
    return Coloring("", np.zeros(adata.n_obs, np.int64), ["cells"], [ONE_COLOR])


def _titles(title: str | Sequence[str] | None, keys: Sequence[str | None], samples: Sequence[str]) -> list[str]:
    """Return one title a panel: those given, else what tells it from the others."""
    n = len(keys) * len(samples)
    if title is not None:
        given = [title] * n if isinstance(title, str) else list(title)
        return given + [""] * (n - len(given))
    if len(samples) == 1:
        return [k or "" for k in keys]
    several = len(keys) > 1
    return [f"{k}, {s}" if several and k else s for k in keys for s in samples]


@drawn
def graph(
    adata: AnnData,
    image: Any = None,
    *,
    color: str | None = None,
    neighbors_key: str = "spatial",
    labels: Labels | None = None,
    library_id: Any = None,
    library_key: str | None = None,
    layer: str | None = None,
    projection: str = "xy",
    slab: tuple[float, float] | None = None,
    size: float | None = None,
    palette: Any = None,
    cmap: str | Colormap = "viridis",
    edge_color: str = "#404040",
    edge_width: float = 0.7,
    title: str | None = None,
    n_columns: int = 4,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes | list[Axes]:
    """Draw the cell graph in place, on the image or the masks where given, one panel a sample.

    Parameters
    ----------
    adata : AnnData
        With a spatial graph.
    image : object, default None
        As in `spatial`.
    color : str or None, default None
        Of the nodes, as in `spatial`; None draws them alike.
    neighbors_key : str, default "spatial"
        The graph.
    labels : LabelImage or array-like or path-like or None, default None
        As in `spatial`.
    library_id : object, default None
        As in `spatial`.
    library_key : str or None, default None
        As in `spatial`.
    layer : str or None, default None
        As in `spatial`.
    projection : str, default "xy"
        As in `spatial`.
    slab : tuple of float, float or None, default None
        As in `spatial`.
    size : float or None, default None
        As in `spatial`.
    palette : object, default None
        As in `spatial`.
    cmap : str or Colormap, default "viridis"
        As in `spatial`.
    edge_color : str, default "#404040"
        Of the edges; they have a light rim on images and masks.
    edge_width : float, default 0.7
        Of the edges; they have a light rim on images and masks.
    title : str or None, default None
        None counts cells and edges.
    n_columns : int, default 4
        As in `spatial`.
    figsize : tuple of float, float or None, default None
        As in `spatial`.
    ax : matplotlib.axes.Axes or None, default None
        As in `spatial`.
    show : bool or None, default None
        As in `spatial`.
    save : str or path-like or None, default None
        As in `spatial`.

    Returns
    -------
    matplotlib.axes.Axes or list of matplotlib.axes.Axes
        The axes, a list of them where there are several samples.

    Raises
    ------
    NoGraphError, MissingKeyError, OptionError, ShapeError
        For a missing graph, and as `spatial`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> cgc.gr.delaunay_graph(adata)
    >>> axes = cgc.pl.graph(adata, tissue.rgb, save="graph.png")
    """
    adjacency = adjacency_of(adata, neighbors_key).tocoo()
    field = Field(
        adata, image, labels, library_id=library_id, library_key=library_key, projection=projection, slab=slab
    )
    groups = field.groups
    panel_size = SMALL_PANEL if len(groups) > 1 else PANEL
    axes = panel_axes(ax, len(groups), size=panel_size, n_columns=n_columns, figsize=figsize)
    found = _plain(adata) if color is None else coloring(adata, color, layer=layer, palette=palette)
    drawn = np.concatenate([field.rows(g) for g in groups])
    scale = None if found.is_categorical else number_scale(found.values[drawn], cmap, None, None)
    for panel, group in zip(axes, groups, strict=True):
        rows = field.rows(group)
        on_image = field.draw_image(panel, group)
        if labels is not None:
            draw_cells(panel, field, group, found, scale=scale, on_image=on_image)
        here = np.zeros(adata.n_obs, bool)
        here[rows] = True
        keep = (adjacency.row < adjacency.col) & here[adjacency.row] & here[adjacency.col]
        lines = np.stack([field.xy[adjacency.row[keep]], field.xy[adjacency.col[keep]]], axis=1)
        _draw_edges(panel, lines, edge_color, edge_width, rim=on_image or labels is not None)
        if labels is None:
            dot = point_size(len(rows)) / 2 if size is None else size
            draw_cells(panel, field, group, found, scale=scale, size=dot)
        name = f"{group.name}\n" if len(groups) > 1 else ""
        text = field.titled(f"{name}{len(rows)} cells, {int(keep.sum())} edges", group)
        field.frame(panel, group, text if title is None else title)
    if scale is not None:
        color_bar(axes, scale, found.title)
    elif color is not None:
        category_legend(axes[min(len(axes), n_columns) - 1], found, drawn)
    finish(axes[0], show=show, save=save)
    return axes[0] if len(axes) == 1 else axes


def _draw_edges(ax: Axes, lines: np.ndarray, color: str, width: float, *, rim: bool) -> None:
    from matplotlib.collections import LineCollection

    if rim:
        ax.add_collection(
            LineCollection(list(lines), colors="white", linewidths=width + 0.8, alpha=0.7, zorder=2.4), autolim=False
        )
    ax.add_collection(LineCollection(list(lines), colors=color, linewidths=width, zorder=2.5), autolim=False)
