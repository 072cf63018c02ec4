"""Graphs on AnnData: contact, Delaunay, nearest-neighbour, radius and temporal graphs, matches in time, sums over neighbours.

Follows squidpy: results go to `obsp` and `uns`, `copy=True` returns them instead.
"""

import lazy_loader as _lazy

from cellgraph_clr._core.hints import named as _named

_get, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "common": ["SpatialGraph"],
        "contact": ["contact_graph"],
        "positions": ["delaunay_graph", "knn_graph", "radius_graph"],
        "combine": ["intersect_graphs", "surface_distances"],
        "temporal": ["temporal_graph"],
        "matches": ["TemporalMatches", "temporal_matches"],
        "aggregation": ["aggregate_neighbors"],
    },
)
__getattr__ = _named("cgc.gr", __all__, _get)
