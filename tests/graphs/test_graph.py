"""`CellGraph`: canonical edges, isolates, matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix

from cellgraph_clr._core.errors import MissingKeyError, ShapeError
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.graph import CellGraph, canonical_edges, stored_values


def cells(n, d=2):
    return CellTable.build(np.arange(1, n + 1), np.random.default_rng(0).random((n, d)), unit="pixel")


pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40)


@given(pairs)
def test_canonical_edges_are_the_set_of_pairs(drawn):
    edges, _ = canonical_edges(np.array(drawn).reshape(-1, 2))
    assert [tuple(e) for e in edges.tolist()] == sorted({(min(a, b), max(a, b)) for a, b in drawn if a != b})


@given(pairs)
def test_adjacency_is_symmetric_and_keeps_isolates(drawn):
    graph = CellGraph.from_pairs(cells(12), np.array(drawn).reshape(-1, 2))
    matrix = graph.adjacency()
    assert matrix.shape == (12, 12)
    assert (matrix != matrix.T).nnz == 0
    assert matrix.nnz == 2 * len(graph.edges)
    assert matrix.has_sorted_indices
    length = graph.adjacency("length").tocoo()
    position = graph.cells.position
    np.testing.assert_allclose(
        length.data, np.linalg.norm(position[length.row] - position[length.col], axis=1), rtol=1e-6
    )


def test_features_follow_their_edges():
    graph = CellGraph.from_pairs(cells(4), np.array([[3, 1], [0, 2], [1, 3]]), {"contact_area": [5.0, 7.0, 9.0]})
    assert graph.edges.tolist() == [[0, 2], [1, 3]]
    assert graph.edge_features["contact_area"].tolist() == [7, 5]
    assert "4 cells and 2 edges" in repr(graph)


def test_bad_graphs_are_refused():
    with pytest.raises(ShapeError, match="canonical edges"):
        CellGraph(cells(3), np.array([[1, 0]]))
    with pytest.raises(ShapeError, match="edges within 3 cells, found 5"):
        CellGraph(cells(3), np.array([[0, 5]]))
    with pytest.raises(ShapeError, match="1 values of edge feature 'length', found 2"):
        CellGraph(cells(3), np.array([[0, 1]]), {"length": np.zeros(2)})
    with pytest.raises(MissingKeyError, match="'area' in `edge_features`, found 'length'"):
        CellGraph.from_pairs(cells(3), np.array([[0, 1]])).adjacency("area")


def test_stored_values_are_those_above_the_diagonal_else_below():
    """Stored zeros are values, and entries given twice are summed."""
    row, column = [0, 1, 2, 1, 3, 0, 0], [1, 0, 0, 3, 1, 3, 3]
    matrix = coo_matrix(([5.0, 9, 7, 0, 4, 1, 2], (row, column)), shape=(4, 4))
    edges = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3]])
    assert stored_values(matrix, edges, np.full(5, -1.0)).tolist() == [5, 7, 3, -1, 0]
    assert stored_values(matrix, edges[:0], np.zeros(0)).shape == (0,)


def test_features_follow_their_pairs_in_any_order(rng):
    pairs = rng.permutation([(i, j) for i in range(9) for j in range(9) if i != j])  # each in both directions
    value = rng.random(len(pairs))
    first = {}
    for (i, j), v in zip(pairs.tolist(), value, strict=True):
        first.setdefault((min(i, j), max(i, j)), v)
    edges, features = canonical_edges(pairs, {"v": value})
    assert features["v"].tolist() == [first[tuple(e)] for e in edges.tolist()]


@pytest.mark.parametrize("shift", [0, 2**31, 2**40])
def test_edges_between_rows_of_any_number_are_sorted(shift, rng):
    pairs = rng.integers(0, 9, (40, 2))
    expected = sorted({(min(a, b) + shift, max(a, b) + shift) for a, b in pairs.tolist() if a != b})
    edges, features = canonical_edges(pairs + shift, {"low": pairs.min(axis=1)})
    assert list(map(tuple, edges.tolist())) == expected
    assert features["low"].tolist() == [low - shift for low, _ in expected]
    again, _ = canonical_edges(edges)
    assert again.tolist() == edges.tolist()
