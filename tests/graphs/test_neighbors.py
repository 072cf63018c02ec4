"""Neighbours: rows of a CSR graph against slices, hops against walks, packing by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.neighbors import hop_relation, packing, row_entries, row_slots, typical_length


@pytest.fixture
def graph(rng):
    dense = np.triu(rng.random((30, 30)) < 0.1, 1)
    dense[5] = dense[:, 5] = False  # an isolate
    return csr_matrix((dense | dense.T).astype(np.float32))


@pytest.mark.parametrize("rows", [[], [5], [3, 0, 5, 3], list(range(30))])
def test_entries_of_rows_are_those_of_slices(graph, rows):
    rows = np.array(rows, int)
    index, columns = row_entries(graph, rows)
    assert [columns[index == k].tolist() for k in range(len(rows))] == [graph[r].indices.tolist() for r in rows]
    np.testing.assert_array_equal(graph.indices[row_slots(graph, rows)[1]], columns)
    assert (np.diff(index) >= 0).all()


@pytest.mark.parametrize("n_hops", [1, 2, 3, 10**9])
def test_hops_are_shortest_paths(graph, n_hops):
    steps = shortest_path(graph, unweighted=True)
    expected = (steps > 0) & (steps <= n_hops)
    np.testing.assert_array_equal(hop_relation(graph, n_hops).toarray() > 0, expected)


def test_packing_is_mean_edge_length_and_degree(rng):
    cells = CellTable.build(np.arange(4), np.array([[0.0, 0], [0, 3], [4, 0], [9, 9]]), unit="pixel")
    graph = CellGraph.from_pairs(cells, np.array([[0, 1], [0, 2]]))
    out = packing(graph)
    assert typical_length(graph) == pytest.approx(3.5)
    np.testing.assert_allclose(np.exp(out[:3, 0]), [3.5, 3, 4], rtol=1e-6)
    np.testing.assert_allclose(np.exp(out[:, 1]) - 1, [2, 1, 1, 0], atol=1e-6)
    assert np.isfinite(packing(CellGraph.from_pairs(cells, np.zeros((0, 2), int)))).all()


def test_isolated_cells_do_not_shorten_the_typical_length():
    position = np.concatenate([[[0.0, 0], [0, 2], [0, 7]], np.full((6, 2), 99.0)])
    cells = CellTable.build(np.arange(9), position, unit="pixel")
    graph = CellGraph.from_pairs(cells, np.array([[0, 1], [1, 2], [3, 4]]))  # cells 3 and 4 are at one place
    assert typical_length(graph) == pytest.approx(3.5)  # of 2, 3.5 and 5
    np.testing.assert_allclose(np.exp(packing(graph)[3:, 0]), 3.5, rtol=1e-6)
    np.testing.assert_allclose(np.exp(packing(graph, 8.0)[:, 0]), [2, 3.5, 5, *[8] * 6], rtol=1e-6)


@pytest.mark.parametrize("n_hops", [1, 2])
def test_a_cell_joined_to_itself_is_no_neighbour_of_itself(graph, n_hops):
    with_loop = graph.tolil()
    with_loop[7, 7] = 1
    found = hop_relation(csr_matrix(with_loop), n_hops)
    np.testing.assert_array_equal(found.toarray(), hop_relation(graph, n_hops).toarray())
