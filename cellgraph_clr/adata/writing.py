"""From a graph into an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.adata.keys import EDGE_SLOTS, obs_prefix
from cellgraph_clr.adata.provenance import package_info

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from cellgraph_clr.graphs.graph import CellGraph

__all__ = ["write_graph"]


def write_graph(adata: AnnData, graph: CellGraph, *, key_added: str, params: Mapping[str, Any]) -> list[str]:
    """Write a graph into `obsp` and `uns` as squidpy reads it, `obs["n_neighbors"]` beside; return the keys written.

    Raises `ShapeError` if the graph is for another number of cells.
    """
    if len(graph.cells) != adata.n_obs:
        raise ShapeError(expected(f"a graph of {adata.n_obs} cells", len(graph.cells), "Rebuild the graph."))
    slots = [feature for feature in EDGE_SLOTS if feature in graph.edge_features]
    adjacency, *others = graph.adjacencies(None, *slots)
    written = {"connectivities_key": f"{key_added}_connectivities"}
    adata.obsp[written["connectivities_key"]] = adjacency
    for feature, slot in EDGE_SLOTS.items():
        name = f"{key_added}_{slot}"
        if feature in graph.edge_features:
            adata.obsp[name] = others[slots.index(feature)]
            written[f"{slot}_key"] = name
        elif name in adata.obsp:  # of an older graph under the same key
            del adata.obsp[name]
    adata.uns[f"{key_added}_neighbors"] = {**written, "params": {**params, "unit": graph.cells.unit}}
    prefix = obs_prefix(key_added)
    adata.obs[f"{prefix}n_neighbors"] = np.diff(adjacency.indptr)
    if f"{prefix}contact_fraction" in adata.obs:  # of an older graph under the same key
        del adata.obs[f"{prefix}contact_fraction"]
    package_info(adata)
    return [*(f"obsp[{v!r}]" for v in written.values()), f"uns['{key_added}_neighbors']", f"obs['{prefix}n_neighbors']"]
