"""Tools on AnnData: embed, context, classify, transfer, retrieve, cluster. Follows scanpy; `retrieve*` return their table."""

from cellgraph_clr._core.hints import named
from cellgraph_clr.tl.classification import classify
from cellgraph_clr.tl.clustering import cluster
from cellgraph_clr.tl.contexts import context
from cellgraph_clr.tl.embedding import embed
from cellgraph_clr.tl.events import detect_events, time_arrow
from cellgraph_clr.tl.morpho import morpho_context, morpho_features
from cellgraph_clr.tl.profiles import profile, profile_cells
from cellgraph_clr.tl.regions import retrieve_regions
from cellgraph_clr.tl.relations import interactions
from cellgraph_clr.tl.retrieval import build_index, retrieve
from cellgraph_clr.tl.select import select_region
from cellgraph_clr.tl.transfer import transfer_labels

__all__ = [
    "build_index",
    "classify",
    "cluster",
    "context",
    "detect_events",
    "embed",
    "interactions",
    "morpho_context",
    "morpho_features",
    "profile",
    "profile_cells",
    "retrieve",
    "retrieve_regions",
    "select_region",
    "time_arrow",
    "transfer_labels",
]


def __dir__() -> list[str]:
    """Return what is public."""
    return __all__


__getattr__ = named("cgc.tl", __all__)
