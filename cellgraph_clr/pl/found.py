"""What a query found, in place: the query that was asked, ranked regions or cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.adata.images_of_cells import images_of
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.queries import Query, query_rows
from cellgraph_clr.adata.reading import adjacency_of
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.analysis.outlines import cell_reach, polygons
from cellgraph_clr.pl.canvas import finish, legend_beside, panel_axes
from cellgraph_clr.pl.cells import color_bar, dot, filled, number_scale, outlined
from cellgraph_clr.pl.colors import GREY, PALETTE
from cellgraph_clr.pl.door import drawn
from cellgraph_clr.pl.field import Field, point_size
from cellgraph_clr.pl.numbers import numbered
from cellgraph_clr.pl.tissue import PANEL, SMALL_PANEL

if TYPE_CHECKING:
    import os

    from anndata import AnnData
    from matplotlib.axes import Axes

    from cellgraph_clr.graphs.samples import Group
    from cellgraph_clr.io.labels import Labels

__all__ = ["retrieval"]

MORE = "#9c9c9c"  # regions beyond those drawn in colours
LEAST = 16.0  # points squared of a dot that is to be seen among thousands
NAMED = 10  # ranked cells that are numbered
RANKS = 0.2, 0.95  # part of "plasma": dark for the best, which are to be seen on white, and not as dark as the query


@drawn
def retrieval(
    adata: AnnData,
    query: Query | None = None,
    image: Any = None,
    *,
    key: str = "retrieval",
    n_regions: int = 5,
    labels: Labels | None = None,
    neighbors_key: str = "spatial",
    library_id: Any = None,
    library_key: str | None = None,
    projection: str = "xy",
    slab: tuple[float, float] | None = None,
    size: float | None = None,
    title: str | None = None,
    n_columns: int = 4,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes | list[Axes]:
    """Draw what a query found, in place, one panel a sample: the query in black, the best regions or cells in colour.

    Parameters
    ----------
    adata : AnnData
        After `tl.retrieve_regions` or `tl.retrieve` with `key_added=key`.
    query : Query or None, default None
        None draws the query that was asked, which is stored beside the answer. Another one is refused.
    image : object, default None
        As in `spatial`.
    key : str, default "retrieval"
        `key_added` of the retrieval. Regions are drawn when there are any, else ranked cells, the first ten numbered.
    n_regions : int, default 5
        Regions drawn in a colour of their own; further ones share grey.
    labels : LabelImage or array-like or path-like or None, default None
        As in `spatial`.
    neighbors_key : str, default "spatial"
        Graph whose edges tell how far a cell reaches, for outlines without `labels`.
    library_id : object, default None
        As in `spatial`.
    library_key : str or None, default None
        As in `spatial`.
    projection : str, default "xy"
        As in `spatial`.
    slab : tuple of float, float or None, default None
        As in `spatial`.
    size : float or None, default None
        As in `spatial`.
    title : str or None, default None
        As in `spatial`.
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
    MissingKeyError
        If there is no retrieval under `key`.
    OptionError
        If the retrieval is of another query; for a wrong option.
    EmptyQueryError, ShapeError
        For a query without a match; as `spatial`.

    Notes
    -----
    In 2D regions have outlines: around their masks where `labels` are given, else around what lies nearer to their cells
    than to others (Voronoi cells), no farther than half a long edge from a cell.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> cgc.gr.delaunay_graph(adata)
    >>> cgc.tl.embed(adata, n_steps=5, n_dims=8, progress=False)
    >>> hits = cgc.tl.retrieve(adata, [5, 46], k=10)
    >>> axes = cgc.pl.retrieval(adata, image=tissue.rgb)
    """
    region_key, rank_key, query_key = (f"{key}_{part}" for part in ("region", "rank", "query"))
    has_regions = region_key in adata.obs
    if not has_regions:
        remedy = "Call `cgc.tl.retrieve_regions(adata, query)` or `cgc.tl.retrieve(adata, query)` first."
        check_key(rank_key, list(adata.obs.columns), where="adata.obs", remedy=remedy)
    asked = _asked(adata, query, query_key)
    field = Field(
        adata, image, labels, library_id=library_id, library_key=library_key, projection=projection, slab=slab
    )
    groups, several = field.groups, len(images_of(adata, library_key)) > 1
    if library_id is None and len(groups) > 1:  # samples without anything to show get no panel
        number = adata.obs[region_key if has_regions else rank_key].to_numpy()
        groups = [g for g in groups if (number[g.rows] > 0).any() or asked[g.rows].any()] or groups[:1]
    panel_size = SMALL_PANEL if len(groups) > 1 else PANEL
    axes = panel_axes(ax, len(groups), size=panel_size, n_columns=n_columns, figsize=figsize)
    drawing = _Found(field, asked, neighbors_key, size)
    for panel, group in zip(axes, groups, strict=True):
        field.draw_image(panel, group)
        if has_regions:
            drawing.regions(panel, group, adata.obs[region_key].to_numpy(), n_regions)
        else:
            drawing.ranks(panel, group, adata.obs[rank_key].to_numpy())
        text = group.name if several else "retrieved regions" if has_regions else "retrieved cells"
        field.frame(panel, group, field.titled(text, group) if title is None else title)
    last = axes[min(len(axes), n_columns) - 1]
    rows = np.concatenate([field.rows(g) for g in groups])
    if has_regions:
        legend_beside(last, drawing.region_entries(adata.obs[region_key].to_numpy()[rows], asked[rows], n_regions))
    else:
        ranks = adata.obs[rank_key].to_numpy()
        color_bar(axes, _rank_scale(ranks), "rank")
        legend_beside(last, drawing.entries(asked[rows]))
    finish(axes[0], show=show, save=save)
    return axes[0] if len(axes) == 1 else axes


def _asked(adata: AnnData, query: Query | None, key: str) -> np.ndarray:
    """Return the cells (n,) bool of the query that was asked. Raises `OptionError` for another query."""
    stored = adata.obs[key].to_numpy(bool) if key in adata.obs else None
    if query is not None:
        now = np.zeros(adata.n_obs, bool)
        now[query_rows(adata, query)] = True
        if stored is not None and (now != stored).any():
            remedy = "Leave `query` out, or ask anew: `cgc.tl.retrieve_regions(adata, query)`."
            found = f"another one of {int(now.sum())} cells"
            raise OptionError(expected(f"the query of {int(stored.sum())} cells that was asked", found, remedy))
        return now
    return np.zeros(adata.n_obs, bool) if stored is None else stored


def _rank_scale(rank: np.ndarray) -> Any:
    """Return the colors of the ranks that are above 0."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return number_scale(
        rank[rank > 0].astype(float), ListedColormap(colormaps["plasma"](np.linspace(*RANKS, 256))), None, None
    )


class _Found:
    """Draws regions and ranked cells of a field."""

    def __init__(self, field: Field, asked: np.ndarray, neighbors_key: str, size: float | None) -> None:
        self.field, self.asked = field, asked
        typical = point_size(int(field.inside.sum())) if size is None else size
        self.size, self.rest, self.given = typical, typical / 2, size is not None
        adata = field.adata
        self.adjacency = adjacency_of(adata, neighbors_key) if f"{neighbors_key}_connectivities" in adata.obsp else None

    def _dots(
        self, ax: Axes, rows: np.ndarray, color: Any, *, rim: str = "none", z: int = 3, faint: bool = False
    ) -> None:
        x, y = self.field.xy[rows].T
        ax.scatter(
            x,
            y,
            s=self.rest if faint else self._size(len(rows)),
            c=[color] if isinstance(color, str) else color,
            edgecolors=rim,
            linewidths=0.6 if rim != "none" else 0,
            zorder=z,
        )

    def _size(self, n: int) -> float:
        """Return the size of n dots that are to be seen among thousands, and not to hide one another."""
        return self.size if self.given else max(self.size, min(LEAST, 3000 / max(n, 1)))

    def _query(self, ax: Axes, rows: np.ndarray, *, z: int = 6) -> None:
        """Draw the query: black dots with a white rim, seen on any ground."""
        self._dots(ax, rows[self.asked[rows]], "black", rim="white", z=z)

    def regions(self, ax: Axes, group: Group, number: np.ndarray, n_regions: int) -> None:
        """Draw the regions of a sample with their outlines."""
        rows = self.field.rows(group)
        self._dots(ax, rows[(number[rows] == 0) & ~self.asked[rows]], GREY, faint=True)
        self._dots(ax, rows[number[rows] > n_regions], MORE)
        for i in np.unique(number[rows][(number[rows] > 0) & (number[rows] <= n_regions)]):
            mine = rows[number[rows] == i]
            self._dots(ax, mine, PALETTE[(int(i) - 1) % len(PALETTE)], rim="white", z=4)
            for line in self._outlines(group, mine):
                self._outline(ax, line, PALETTE[(int(i) - 1) % len(PALETTE)])
        self._query(ax, rows)
        for line in self._outlines(group, rows[self.asked[rows]]):
            self._outline(ax, line, "black")

    def _outline(self, ax: Axes, line: np.ndarray, color: str) -> None:
        from matplotlib.patheffects import withStroke

        inside = np.clip(line, *self._limits(ax))
        ax.plot(
            *inside.T, color=color, linewidth=1.6, zorder=5, path_effects=[withStroke(linewidth=3, foreground="white")]
        )

    def _limits(self, ax: Axes) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and the highest corner (x, y) of the image, or of what the cells span."""
        images = ax.get_images()
        if images:
            box = np.sort(np.reshape(images[0].get_extent(), (2, 2)), axis=1)
        else:
            box = np.stack([self.field.xy.min(axis=0), self.field.xy.max(axis=0)], axis=1)
            box = box + 0.02 * float(np.ptp(self.field.xy, axis=0).max()) * np.array([-1, 1])
        return box[:, 0], box[:, 1]

    def _outlines(self, group: Group, rows: np.ndarray) -> list[np.ndarray]:
        """Return the outlines of some cells: of their masks, else (2D) of their Voronoi cells."""
        if len(rows) == 0:
            return []
        masks = self.field.masks(group)
        if masks is not None:
            return outlined(masks[0], cell_ids(self.field.adata)[rows], masks[1])
        if self.field.ndim == 3 or self.adjacency is None:
            return []
        beside = np.sort(group.rows)
        position = position_of(self.field.adata)
        reach = cell_reach(position, self.adjacency, rows)
        return polygons(position[beside], np.searchsorted(beside, rows), reach)

    def ranks(self, ax: Axes, group: Group, rank: np.ndarray) -> None:
        """Draw ranked cells of a sample, filled masks where labels were given, else dots; the first ten with their number."""
        rows = self.field.rows(group)
        self._dots(ax, rows[(rank[rows] == 0) & ~self.asked[rows]], GREY, faint=True)
        hits = rows[rank[rows] > 0]
        hits = hits[np.argsort(-rank[hits], kind="stable")]  # the best are drawn last, over the others
        color = _rank_scale(rank).to_rgba(rank[hits].astype(float))
        masks, dots = self.field.masks(group), np.ones(len(hits), bool)
        if masks is not None:
            ids = cell_ids(self.field.adata)[hits]
            ax.imshow(filled(masks[0], ids, color), extent=masks[1], interpolation="nearest", zorder=4)
            dots = ~np.isin(ids, masks[0])  # of those that the plane of a volume does not cut
        self._dots(ax, hits[dots], color[dots], rim="white", z=7)
        self._query(ax, rows, z=8)
        first, asked = hits[rank[hits] <= NAMED][::-1], rows[self.asked[rows]]
        seen = self.field.xy[np.r_[hits, asked]]
        numbered(ax, self.field.xy[first], [str(int(r)) for r in rank[first]], seen)

    def entries(self, asked: np.ndarray) -> list[Any]:
        """Return the entries of a legend for the query and the other cells."""
        query = [dot("query", "black", markeredgecolor="white", markeredgewidth=0.6)] if asked.any() else []
        return [*query, dot("other cells", GREY)]

    def region_entries(self, number: np.ndarray, asked: np.ndarray, n_regions: int) -> list[Any]:
        """Return the entries of a legend for regions by rank."""
        shown = [int(i) for i in np.unique(number) if 0 < i <= n_regions]
        regions = [dot(f"region {i}", PALETTE[(i - 1) % len(PALETTE)]) for i in shown]
        left = len(np.unique(number[number > n_regions]))
        more = [dot(f"{left} more", MORE)] if left else []
        query, *rest = self.entries(asked) if asked.any() else [None, *self.entries(asked)]
        return [*([query] if query is not None else []), *regions, *more, *rest]
