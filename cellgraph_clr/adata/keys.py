"""Names of what this package keeps in an AnnData."""

from __future__ import annotations

from cellgraph_clr._core.checks import check_text

__all__ = [
    "BUILDERS",
    "EDGE_SLOTS",
    "PACKAGE_KEY",
    "RAW_LAYER",
    "SCHEMA_VERSION",
    "UNASSIGNED",
    "graph_stem",
    "obs_prefix",
]

PACKAGE_KEY = "cellgraph_clr"  # in `uns`
SCHEMA_VERSION = 1
UNASSIGNED = "unassigned"  # the class of cells without one
X_CONTEXT = "X_context"  # in `obsm`, of `tl.context`
RAW_LAYER = "cellgraph_raw"  # features as measured, kept by `pp.scale_features`
EDGE_SLOTS = {
    "length": "distances",
    "contact_area": "contact_area",
    "overlap": "overlap",
}  # edge feature -> `obsp` suffix
BUILDERS = "`cgc.gr.contact_graph(adata)`, `cgc.gr.delaunay_graph(adata)` or `cgc.gr.knn_graph(adata)`"


def graph_stem(neighbors_key: str) -> str:
    """Return what the keys of a graph begin with: "spatial" for itself, "spatial_connectivities", "spatial_neighbors".

    Raises `OptionError` for what is no text.
    """
    check_text("neighbors_key", neighbors_key)
    return neighbors_key.removesuffix("_connectivities").removesuffix("_neighbors")


def obs_prefix(key_added: str) -> str:
    """Return what stands before the `obs` columns of a graph: nothing for "spatial", else its key."""
    return "" if key_added == "spatial" else f"{key_added}_"
