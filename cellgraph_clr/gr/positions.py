"""Graphs from positions: Delaunay, nearest neighbours, fixed radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_option, expected
from cellgraph_clr._core.errors import MissingKeyError
from cellgraph_clr._core.rng import as_rng
from cellgraph_clr.gr.common import SpatialGraph, cells_of, named, write_or_return
from cellgraph_clr.graphs import proximity, triangulation
from cellgraph_clr.graphs.combine import Isolates, with_isolates
from cellgraph_clr.graphs.contact import Contacts
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.samples import groups
from cellgraph_clr.graphs.surface_distance import near_pairs
from cellgraph_clr.io.matched_labels import labels_of_images

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.graphs.lists import NeighborLists
    from cellgraph_clr.io.labels import Labels

__all__ = ["delaunay_graph", "knn_graph", "radius_graph"]


@checked
def delaunay_graph(
    adata: AnnData,
    *,
    max_distance: float | Literal["auto"] | None = "auto",
    duplicates: Literal["join", "raise"] = "join",
    degenerate: Literal["raise", "jitter"] = "raise",
    isolates: Isolates = "keep",
    random_state: int = 0,
    library_key: str | None = None,
    key_added: str = "spatial",
    copy: bool = False,
) -> SpatialGraph | None:
    """Join cells by the Delaunay triangulation of their positions, long edges pruned.

    Parameters
    ----------
    adata : AnnData
        With `obsm["spatial"]`.
    max_distance : float or {"auto"} or None, default "auto"
        Longest edge kept, in the unit of positions. "auto" is Tukey's upper fence on log lengths (reported in
        `uns[f"{key_added}_neighbors"]["params"]["max_distance"]`); None keeps all.
    duplicates : {"join", "raise"}, default "join"
        Of cells at one position one enters the triangulation and the others are joined to it ("join"), or they are
        refused ("raise").
    degenerate : {"raise", "jitter"}, default "raise"
        Cells that all lie on a line (3D: plane) are refused ("raise") or moved by 1e-6 of their extent at random for
        the triangulation ("jitter"); `obsm["spatial"]` stays.
    isolates : {"keep", "nearest", "raise"}, default "keep"
        What to do with cells that the pruning leaves without neighbours, as in `contact_graph`.
    random_state : int, default 0
        Seed of the jitter.
    library_key : str or None, default None
        As in `contact_graph`.
    key_added : str, default "spatial"
        As in `contact_graph`.
    copy : bool, default False
        As in `contact_graph`.

    Returns
    -------
    SpatialGraph or None
        The SpatialGraph with `copy=True`, else None.

    Raises
    ------
    GeometryError
        What `duplicates`, `degenerate`, `isolates` refuse.
    OptionError, MissingKeyError, NoCellsError, NonFiniteError
        For wrong options, missing or bad positions.

    Warns
    -----
    UserWarning
        If a sample has fewer than d + 2 distinct positions: all of its cells are then joined.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> cgc.gr.delaunay_graph(adata)
    >>> adata.obsp["spatial_connectivities"].nnz // 2
    1759
    """
    graph, longest = triangulation.delaunay(
        cells_of(adata, library_key),
        max_distance=max_distance,
        duplicates=duplicates,
        degenerate=degenerate,
        rng=as_rng(random_state),
    )
    graph = with_isolates(graph, isolates)
    params: dict[str, Any] = {"method": "delaunay", "max_distance": float(longest), **named(adata, library_key)}
    params |= {"duplicates": duplicates, "degenerate": degenerate, "isolates": isolates}
    return write_or_return("gr.delaunay_graph", adata, graph, key_added=key_added, params=params, copy=copy)


@checked
def knn_graph(
    adata: AnnData,
    *,
    n_neighbors: int = 6,
    mutual: bool = False,
    library_key: str | None = None,
    key_added: str = "spatial",
    n_jobs: int = -1,
    copy: bool = False,
) -> SpatialGraph | None:
    """Join every cell to its nearest cells: the union of both directions, or the intersection.

    Parameters
    ----------
    adata : AnnData
        With `obsm["spatial"]`.
    n_neighbors : int, default 6
        Neighbours sought per cell.
    mutual : bool, default False
        Keep pairs only where each is among the nearest of the other.
    library_key : str or None, default None
        As in `contact_graph`.
    key_added : str, default "spatial"
        As in `contact_graph`.
    n_jobs : int, default -1
        Threads of the search; -1 uses all. The result does not depend on it.
    copy : bool, default False
        As in `contact_graph`.

    Returns
    -------
    SpatialGraph or None
        The SpatialGraph with `copy=True`, else None.

    Raises
    ------
    OptionError, MissingKeyError, NoCellsError, NonFiniteError
        For wrong options, missing or bad positions.

    Warns
    -----
    UserWarning
        If a sample has no more than `n_neighbors` cells: each is then joined to all others of the sample.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.knn_graph(adata, n_neighbors=4)
    >>> int(adata.obs["n_neighbors"].min())
    4
    """
    graph = proximity.knn(cells_of(adata, library_key), n_neighbors=n_neighbors, mutual=mutual, n_jobs=n_jobs)
    params = {"method": "knn", "n_neighbors": int(n_neighbors), "mutual": bool(mutual), **named(adata, library_key)}
    return write_or_return("gr.knn_graph", adata, graph, key_added=key_added, params=params, copy=copy)


@checked
def radius_graph(
    adata: AnnData,
    *,
    radius: float,
    distance: Literal["centroid", "surface"] = "centroid",
    labels: Labels | None = None,
    isolates: Isolates = "keep",
    library_key: str | None = None,
    key_added: str = "spatial",
    n_jobs: int = -1,
    copy: bool = False,
) -> SpatialGraph | None:
    """Join all pairs of cells within `radius` of one another.

    Parameters
    ----------
    adata : AnnData
        With `obsm["spatial"]`.
    radius : float
        In the unit of positions. Cells just as far apart as the radius may fall on either side of it by rounding; on a
        lattice of pitch 0.1, pass 0.1001 rather than 0.1.
    distance : {"centroid", "surface"}, default "centroid"
        Between "centroid"s, or between the nearest voxels of the "surface"s (needs `labels`); cells that share a face
        are at 0. The distances stored are those chosen here.
    labels : LabelImage or array-like or path-like or None, default None
        Label image for `distance="surface"`, as in `contact_graph`.
    isolates : {"keep", "nearest", "raise"}, default "keep"
        What to do with cells without neighbours, as in `contact_graph`.
    library_key : str or None, default None
        As in `contact_graph`.
    key_added : str, default "spatial"
        As in `contact_graph`.
    n_jobs : int, default -1
        Threads; -1 uses all. The result does not depend on it.
    copy : bool, default False
        As in `contact_graph`.

    Returns
    -------
    SpatialGraph or None
        The SpatialGraph with `copy=True`, else None.

    Raises
    ------
    OptionError
        If the radius is not above 0, or for another distance.
    MissingKeyError, NoCellsError, NonFiniteError
        For missing labels, missing or bad positions.
    GeometryError
        For `isolates="raise"`, if a cell has no neighbour.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> graph = cgc.gr.radius_graph(adata, radius=15, copy=True)
    >>> bool(graph.distances.max() <= 15)
    True
    """
    check_option("distance", distance, ("centroid", "surface"))
    cells = cells_of(adata, library_key)
    graph: CellGraph | NeighborLists
    if distance == "centroid":
        graph = with_isolates(proximity.radius(cells, radius=radius, n_jobs=n_jobs), isolates)
    else:
        graph = with_isolates(_near_surfaces(adata, cells, labels, radius, n_jobs), isolates)
    params: dict[str, Any] = {"method": "radius", "radius": float(radius), "distance": distance, "isolates": isolates}
    params |= named(adata, library_key)
    return write_or_return("gr.radius_graph", adata, graph, key_added=key_added, params=params, copy=copy)


def _near_surfaces(
    adata: AnnData,
    cells: CellTable,
    labels: Labels | None,
    radius: float,
    n_jobs: int,
) -> CellGraph:
    """Return the graph of cells whose surfaces are within `radius`, with that distance as length."""
    check_in_range("radius", radius, low=0, low_open=True)
    if labels is None:
        raise MissingKeyError(
            expected("`labels` for distance='surface'", "none", "Pass the label image: `labels=labels`.")
        )
    parts = groups(cells)
    image_of = labels_of_images(adata, labels, parts)
    pairs, lengths = [], []
    for group in parts:
        ids, length = near_pairs(image_of(group), radius, n_jobs=n_jobs)
        local, kept = Contacts(ids, length).between(cells.cell_id[group.rows], min_area=-1.0)
        pairs.append(group.rows[local])
        lengths.append(kept)
    return CellGraph.from_pairs(cells, np.concatenate(pairs), {"length": np.concatenate(lengths)})
