"""Graphs from graphs that an AnnData holds: common edges, and distances between surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.log import log_written
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.reading import graph_from_anndata, graph_keys
from cellgraph_clr.gr.common import SpatialGraph, named, write_or_return
from cellgraph_clr.graphs import combine
from cellgraph_clr.graphs.samples import groups
from cellgraph_clr.graphs.surface_distance import surface_distances as array_distances
from cellgraph_clr.io.matched_labels import labels_of_images

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy.sparse import csr_matrix

    from cellgraph_clr.io.labels import Labels

__all__ = ["intersect_graphs", "surface_distances"]


@checked
def intersect_graphs(
    adata: AnnData,
    first_key: str,
    second_key: str,
    *,
    library_key: str | None = None,
    key_added: str = "spatial",
    copy: bool = False,
) -> SpatialGraph | None:
    """Keep the edges that two graphs have in common, for example contacts among the nearest neighbours.

    Parameters
    ----------
    adata : AnnData
        With both graphs.
    first_key, second_key : str
        Their `key_added`. Contact areas are kept from whichever has them.
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
    NoGraphError
        If a graph is missing.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata, key_added="contact")
    >>> cgc.gr.knn_graph(adata, key_added="nearest")
    >>> cgc.gr.intersect_graphs(adata, "contact", "nearest", key_added="both")
    >>> adata.obsp["both_connectivities"].nnz <= adata.obsp["contact_connectivities"].nnz
    True
    """
    check_writable(adata)
    a, b = (
        graph_from_anndata(adata, neighbors_key=key, library_key=library_key, features=False)
        for key in (first_key, second_key)
    )
    params = {"method": "intersection", "of": [first_key, second_key], **named(adata, library_key)}
    graph = combine.intersection(a, b)
    return write_or_return("gr.intersect_graphs", adata, graph, key_added=key_added, params=params, copy=copy)


@checked
def surface_distances(
    adata: AnnData,
    labels: Labels,
    *,
    neighbors_key: str = "spatial",
    library_key: str | None = None,
    n_jobs: int = -1,
    copy: bool = False,
) -> csr_matrix | None:
    """Measure how far apart the surfaces of neighbouring cells are, beside the distance of their centres.

    Parameters
    ----------
    adata : AnnData
        With a spatial graph.
    labels : LabelImage or array-like or path-like
        The label image or images, as in `contact_graph`.
    neighbors_key : str, default "spatial"
        The graph. Distances of its edges go to `obsp[f"{key}_surface_distances"]`, in the unit of positions: 0 for
        cells that share a face, else the distance of their nearest voxel centres.
    library_key : str or None, default None
        As in `contact_graph`.
    n_jobs : int, default -1
        Threads; -1 uses all.
    copy : bool, default False
        Return the (n, n) CSR matrix and leave `adata` alone.

    Returns
    -------
    scipy.sparse.csr_matrix or None
        The csr_matrix with `copy=True`, else None.

    Raises
    ------
    NoGraphError, MissingKeyError
        If there is no graph, or cells or samples are not in the labels.
    LabelImageError, NoCellsError
        For bad labels.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> labels = cgc.datasets.tissue(60, random_state=0).image
    >>> adata = cgc.from_labels(labels)
    >>> cgc.gr.contact_graph(adata)
    >>> distances = cgc.gr.surface_distances(adata, labels, copy=True)
    >>> float(distances.max())
    0.0
    """
    check_writable(adata)
    graph = graph_from_anndata(adata, neighbors_key=neighbors_key, library_key=library_key, features=False)
    parts = groups(graph.cells)
    image_of = labels_of_images(adata, labels, parts)
    distance = np.zeros(len(graph.edges), np.float32)
    part_of = np.empty(len(graph.cells), int)
    for i, group in enumerate(parts):
        part_of[group.rows] = i
    for i, group in enumerate(parts):
        mine = part_of[graph.edges[:, 0]] == i
        pairs = graph.cells.cell_id[graph.edges[mine]]
        distance[mine] = array_distances(image_of(group), pairs, n_jobs=n_jobs)
    measured = type(graph)(graph.cells, graph.edges, {"surface_distance": distance})
    matrix = measured.adjacency("surface_distance")
    if copy:
        return matrix
    key = graph_keys(adata, neighbors_key)["connectivities"].replace("connectivities", "surface_distances")
    adata.obsp[key] = matrix
    log_written("gr.surface_distances", [f"obsp[{key!r}]"])
    return None
