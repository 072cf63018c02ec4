"""What every graph function shares: reading the cells, and writing or returning the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cellgraph_clr._core.checks import check_key_added
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.notices import warn
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.provenance import entries_of
from cellgraph_clr.adata.reading import table_from_anndata
from cellgraph_clr.adata.samples import sample_column
from cellgraph_clr.adata.writing import write_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from scipy.sparse import csr_matrix

    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.graphs.graph import CellGraph
    from cellgraph_clr.graphs.lists import NeighborLists

__all__ = ["SpatialGraph", "cells_of", "named", "write_or_return"]


class SpatialGraph(NamedTuple):
    """What a graph function returns with `copy=True`: symmetric (n, n) CSR matrices; areas for contact graphs only.

    Parameters
    ----------
    connectivities : csr_matrix
        (n, n) binary, symmetric.
    distances : csr_matrix
        (n, n) lengths of the edges, in the unit of positions.
    contact_area : csr_matrix or None, default None
        (n, n) areas of contacts; None where there are none.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> graph = cgc.gr.knn_graph(adata, copy=True)
    >>> graph._fields
    ('connectivities', 'distances', 'contact_area')
    """

    connectivities: csr_matrix
    distances: csr_matrix
    contact_area: csr_matrix | None = None


def write_or_return(
    function: str,
    adata: AnnData,
    graph: CellGraph | NeighborLists,
    *,
    key_added: str,
    params: Mapping[str, Any],
    copy: bool,
) -> SpatialGraph | None:
    """Write the graph into `adata` and log the keys, or return its matrices."""
    check_key_added(key_added, "obsp")
    if copy:
        wanted = [None, "length", *(["contact_area"] if "contact_area" in graph.edge_features else [])]
        return SpatialGraph(*graph.adjacencies(*wanted))
    log_written(function, write_graph(adata, graph, key_added=key_added, params=params))
    return None


def cells_of(adata: AnnData, library_key: str | None) -> CellTable:
    """Return the cells without their features. Raises as `table_from_anndata`, and for a selection of what is on disk."""
    check_writable(adata)
    if library_key is None and sample_column(adata) is None:
        gone = entries_of(adata, "spatial_neighbors", "params").get("library_key")
        if isinstance(gone, str):
            said = f"The graph was made with the samples of obs[{gone!r}], which is gone: all cells count as those of one sample."
            warn(f"{said} Pass `library_key=`.")
    return table_from_anndata(adata, library_key=library_key, features=False)


def named(adata: AnnData, library_key: str | None) -> dict[str, str]:
    """Return the entry of `params` that names the sample column, when there is one: builders take it up where none is named."""
    column = library_key or sample_column(adata)
    return {"library_key": column} if column else {}
