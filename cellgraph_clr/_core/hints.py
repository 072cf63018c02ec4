"""What is called otherwise here: names that users of scanpy, squidpy and scikit-image type, and the calls that do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["OPTIONS", "OTHERS", "named", "option_hint"]

GRAPHS = "`cgc.gr.contact_graph`, `cgc.gr.delaunay_graph`, `cgc.gr.knn_graph` or `cgc.gr.radius_graph`"
SAME = "the AnnData is squidpy's too: call `squidpy.{}`"
OTHERS: dict[str, dict[str, str]] = {  # by part: name elsewhere, and what to call
    "cgc": {
        "read_h5ad": "call `cgc.read`",
        "read_zarr": "call `cgc.read`",
        "imread": "call `cgc.read_labels`",
        "regionprops": "call `cgc.from_labels`",
        "regionprops_table": "call `cgc.from_labels`",
        "ImageContainer": "call `cgc.read_labels`",
    },
    "cgc.gr": {
        "spatial_neighbors": f"call {GRAPHS}",
        "nhood_enrichment": "call `cgc.tl.interactions`",
        "interaction_matrix": "call `cgc.tl.interactions`",
        "calculate_niche": "call `cgc.tl.context`, then `cgc.tl.cluster`",
        "co_occurrence": SAME.format("gr.co_occurrence"),
        "centrality_scores": SAME.format("gr.centrality_scores"),
        "spatial_autocorr": SAME.format("gr.spatial_autocorr"),
        "ripley": SAME.format("gr.ripley"),
        "ligrec": SAME.format("gr.ligrec"),
    },
    "cgc.im": {
        "segment": "segment by Cellpose, StarDist or another tool, then call `cgc.read_labels`",
        "calculate_image_features": "call `cgc.from_labels`",
        "regionprops": "call `cgc.from_labels`",
        "regionprops_table": "call `cgc.from_labels`",
        "ImageContainer": "call `cgc.read_labels`",
        "imread": "call `cgc.read_labels`",
    },
    "cgc.io": {
        "read_h5ad": "call `cgc.read`",
        "read_zarr": "call `cgc.read`",
        "imread": "call `cgc.read_labels`",
    },
    "cgc.pp": {
        "neighbors": f"call {GRAPHS} for neighbors in space, `scanpy.pp.neighbors` for neighbors in features",
        "scale": "call `cgc.pp.scale_features`",
        "pca": "call `scanpy.pp.pca`",
        "normalize_total": "call `scanpy.pp.normalize_total`",
        "log1p": "call `scanpy.pp.log1p`",
        "filter_cells": "index the AnnData: `adata[keep].copy()`",
    },
    "cgc.tl": {
        "leiden": "call `cgc.tl.cluster`",
        "louvain": "call `cgc.tl.cluster`",
        "ingest": "call `cgc.tl.transfer_labels`",
        "umap": "call `scanpy.pp.neighbors` with `use_rep='X_cellgraph'`, then `scanpy.tl.umap`",
        "tsne": "call `scanpy.tl.tsne` with `use_rep='X_cellgraph'`",
        "pca": "call `scanpy.pp.pca`",
        "rank_genes_groups": "call `scanpy.tl.rank_genes_groups`",
        "paga": "call `scanpy.tl.paga`",
        "dendrogram": "call `scanpy.tl.dendrogram`",
        "var_by_distance": SAME.format("tl.var_by_distance"),
    },
    "cgc.pl": {
        "spatial_scatter": "call `cgc.pl.spatial`",
        "spatial_segment": "call `cgc.pl.spatial` with `labels=`",
        "nhood_enrichment": "call `cgc.pl.interactions`",
        "interaction_matrix": "call `cgc.pl.interactions`",
        "umap": "call `scanpy.pl.umap`",
        "embedding": "call `scanpy.pl.embedding`",
        "scatter": "call `scanpy.pl.scatter`",
        "violin": "call `scanpy.pl.violin`",
        "dotplot": "call `scanpy.pl.dotplot`",
        "heatmap": "call `scanpy.pl.heatmap`",
    },
    "cgc.metrics": {
        "silhouette_score": "call `cgc.metrics.silhouette`",
        "adjusted_rand_score": "call `cgc.metrics.clustering_scores`",
        "confusion_matrix": "call `cgc.metrics.confusion`",
        "calibration_curve": "call `cgc.metrics.reliability`",
    },
}
OPTIONS = {  # name elsewhere, or earlier: name here
    "n_neighs": "n_neighbors",
    "k_neighbors": "n_neighbors",
    "cluster_key": "label_key",
    "groups": "groupby",
    "seed": "random_state",
    "rng": "random_state",
    "obsp_key": "neighbors_key",
    "connectivity_key": "neighbors_key",
    "basis": "use_rep",
    "inplace": "copy",
    "size": "window_px",
    "confidence": "confidence_level",
    "truth": "truth_key",
    "n_cells": "n_examples",
    "n_windows": "n_examples",
    "max_dist": "max_distance",
    "pixel_size": "spacing",
}


def named(part: str, public: Collection[str], get: Callable[[str], Any] | None = None) -> Callable[[str], Any]:
    """Return the `__getattr__` of a part of the package, whose `AttributeError` says what a missing name is called here.

    `get` is that of `lazy_loader`, which is asked for public names.
    """

    def missing(name: str) -> Any:
        if get is not None and name in public:
            return get(name)
        if name.startswith("_"):
            raise AttributeError(f"module {part!r} has no attribute {name!r}")
        raise AttributeError(f"`{part}` has no {name!r}. {_hint(part, name, public)}")

    return missing


def _hint(part: str, name: str, public: Collection[str]) -> str:
    from difflib import get_close_matches

    for others in (OTHERS.get(part, {}), *OTHERS.values()):  # its own first
        if name in others:
            return f"{others[name][0].upper()}{others[name][1:]}."
    close = get_close_matches(name, sorted(public), n=3)
    if close:
        return f"Did you mean {' or '.join(f'`{part}.{c}`' for c in close)}?"
    return f"There are {', '.join(sorted(public))}."


def option_hint(name: str, known: Collection[str]) -> str:
    """Return what to say of an option that a function does not have."""
    from difflib import get_close_matches

    other = OPTIONS.get(name)
    close = [other] if other in known else get_close_matches(name, sorted(known), n=3)
    return f"Did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else f"There are {', '.join(known)}."
