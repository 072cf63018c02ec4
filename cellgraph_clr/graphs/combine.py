"""Graphs from graphs: edges that two graphs share, and edges for cells without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, overload

import numpy as np

from cellgraph_clr._core.checks import check_option, expected, listing
from cellgraph_clr._core.errors import GeometryError, ShapeError
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.samples import groups

if TYPE_CHECKING:
    from cellgraph_clr.graphs.lists import NeighborLists

__all__ = ["Isolates", "intersection", "with_isolates"]

Isolates: TypeAlias = Literal["keep", "nearest", "raise"]


def intersection(a: CellGraph, b: CellGraph) -> CellGraph:
    """Return the graph of the edges in both; edge features of `a`, and those that only `b` has.

    Raises `ShapeError` if the graphs are not of the same cells. O(m log m).
    """
    same = len(a.cells) == len(b.cells) and np.array_equal(a.cells.cell_id, b.cells.cell_id)
    if not same or not np.array_equal(a.cells.sample, b.cells.sample):
        raise ShapeError(expected("two graphs of the same cells", "others", "Build both from one table."))
    n = max(len(a.cells), 1)
    key_a, key_b = (g.edges[:, 0] * n + g.edges[:, 1] for g in (a, b))
    _, rows_a, rows_b = np.intersect1d(key_a, key_b, assume_unique=True, return_indices=True)
    features = {k: np.asarray(v)[rows_b] for k, v in b.edge_features.items()}
    features |= {k: np.asarray(v)[rows_a] for k, v in a.edge_features.items()}
    return CellGraph(a.cells, a.edges[rows_a], features)


@overload
def with_isolates(graph: CellGraph, isolates: Isolates) -> CellGraph: ...
@overload
def with_isolates(graph: NeighborLists, isolates: Isolates) -> CellGraph | NeighborLists: ...
def with_isolates(graph: CellGraph | NeighborLists, isolates: Isolates) -> CellGraph | NeighborLists:
    """Return the graph with its isolated cells kept as they are, joined to the nearest cell of their sample, or refused.

    A cell that is alone in its sample stays alone. Edges that were there keep their features; new ones are as long as
    their ends are apart, and their other features are 0.

    Raises
    ------
    GeometryError
        For "raise", if there are isolated cells; the message names them.
    OptionError
        For another value.
    """
    check_option("isolates", isolates, ("keep", "nearest", "raise"))
    alone = graph.isolated()
    if isolates == "keep" or not alone.any():
        return graph
    if isolates == "raise":
        ids = graph.cells.cell_id[alone]
        raise GeometryError(
            expected(
                "a neighbour for every cell",
                f"{len(ids)} cells without (ids {listing(ids)})",
                "Pass `isolates='keep'` to allow them or `isolates='nearest'` to join them to the nearest cell.",
            )
        )
    from scipy.spatial import cKDTree

    if not isinstance(graph, CellGraph):
        graph = graph.graph()
    edges: list[np.ndarray] = []
    for rows in (g.rows for g in groups(graph.cells)):
        lost = rows[alone[rows]]
        if len(lost) == 0 or len(rows) == 1:
            continue
        _, found = cKDTree(graph.cells.position[rows]).query(graph.cells.position[lost], 2)
        other = rows[found]
        edges.append(np.stack([lost, np.where(other[:, 0] == lost, other[:, 1], other[:, 0])], axis=1))
    new = np.concatenate(edges) if edges else np.zeros((0, 2), np.int64)
    length = np.linalg.norm(graph.cells.position[new[:, 0]] - graph.cells.position[new[:, 1]], axis=1)
    features = {
        k: np.concatenate([v, length if k == "length" else np.zeros(len(new))]) for k, v in graph.edge_features.items()
    }
    return CellGraph.from_pairs(graph.cells, np.concatenate([graph.edges, new]), features)
