"""`CellGraph` to networkx, nodes named by cell id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import CellGraphError

if TYPE_CHECKING:
    import networkx as nx

    from cellgraph_clr.graphs.graph import CellGraph

__all__ = ["graph_to_networkx"]


def graph_to_networkx(graph: CellGraph) -> nx.Graph:
    """Return an undirected networkx graph.

    Nodes are the cell ids (of one sample), or (sample, frame, id) tuples when the table holds several samples or frames;
    node attributes: position (z, y, x), sample, frame and the features by name; edge attributes: the edge features.

    Raises `CellGraphError` when a feature is named like one of these attributes. O(n f + edges).
    """
    import networkx as nx

    cells = graph.cells
    taken = {"position", "sample", "frame"} & set(cells.names)
    if taken:
        raise CellGraphError(expected("no feature named position, sample or frame", sorted(taken), "Rename it."))
    single = len(set(zip(cells.sample.tolist(), cells.frame.tolist(), strict=True))) <= 1
    ids = [int(i) for i in cells.cell_id]
    nodes: list[object] = list(ids)
    if not single:
        nodes = list(zip(cells.sample.tolist(), cells.frame.tolist(), ids, strict=True))
    out = nx.Graph(unit=cells.unit)
    for i, node in enumerate(nodes):
        out.add_node(
            node,
            position=tuple(float(p) for p in cells.position[i]),
            sample=str(cells.sample[i]),
            frame=int(cells.frame[i]),
            **{name: float(v) for name, v in zip(cells.names, cells.features[i], strict=True)},
        )
    for k, (i, j) in enumerate(graph.edges):
        out.add_edge(nodes[i], nodes[j], **{name: float(v[k]) for name, v in graph.edge_features.items()})
    return out
