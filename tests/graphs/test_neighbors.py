"""Sums over neighbours against loops; hops against walks."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path

from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr.graphs.neighbors import aggregate, hop_relation, row_normalised


@pytest.fixture
def graph(rng):
    dense = np.triu(rng.random((30, 30)) < 0.1, 1)
    dense[5] = dense[:, 5] = False  # an isolate
    return csr_matrix((dense | dense.T).astype(np.float32))


def test_equals_a_loop_over_neighbours(graph, rng):
    x = rng.normal(size=(30, 4)).astype(np.float32)
    out = aggregate(x, graph, aggregations=("mean", "std", "max", "min", "sum"))
    np.testing.assert_array_equal(out[:, :4], x)
    for i in range(30):
        near = x[graph[i].indices]
        if len(near) == 0:
            assert not out[i, 4:].any()
            continue
        expected = [near.mean(0), near.std(0), near.max(0), near.min(0), near.sum(0)]
        np.testing.assert_allclose(out[i, 4:].reshape(5, 4), expected, atol=1e-3)


def test_a_hop_is_the_mean_of_the_hop_before(graph, rng):
    x = rng.normal(size=(30, 3)).astype(np.float32)
    out = aggregate(x, graph, n_hops=2)
    step = row_normalised(graph)
    np.testing.assert_allclose(out[:, 6:], step @ (step @ x), atol=1e-6)


def test_weights_count(rng):
    weights = csr_matrix(np.array([[0, 3.0, 1.0], [3.0, 0, 0], [1.0, 0, 0]]))
    x = np.array([[0.0], [4.0], [8.0]])
    assert aggregate(x, weights)[0, 1] == pytest.approx(5.0)


@pytest.mark.parametrize("n_hops", [1, 2, 3])
def test_hops_are_shortest_paths(graph, n_hops):
    steps = shortest_path(graph, unweighted=True)
    expected = (steps > 0) & (steps <= n_hops)
    np.testing.assert_array_equal(hop_relation(graph, n_hops).toarray() > 0, expected)


def test_bad_options_are_named(graph):
    with pytest.raises(OptionError, match="'mean', 'std', 'max', 'min', 'sum', found 'median'"):
        aggregate(np.zeros((30, 1)), graph, aggregations=("median",))
    with pytest.raises(OptionError, match="whole number >= 1, found 0"):
        aggregate(np.zeros((30, 1)), graph, n_hops=0)
    with pytest.raises(ShapeError, match="30 rows of values, found 29"):
        aggregate(np.zeros((29, 1)), graph)


def test_packing_is_mean_edge_length_and_degree(rng):
    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.graphs.graph import CellGraph
    from cellgraph_clr.graphs.neighbors import packing

    cells = CellTable.build(np.arange(4), np.array([[0.0, 0], [0, 3], [4, 0], [9, 9]]), unit="pixel")
    out = packing(CellGraph.from_pairs(cells, np.array([[0, 1], [0, 2]])))
    np.testing.assert_allclose(np.exp(out[:3, 0]), [3.5, 3, 4], rtol=1e-6)
    np.testing.assert_allclose(np.exp(out[:, 1]) - 1, [2, 1, 1, 0], atol=1e-6)
    assert np.isfinite(packing(CellGraph.from_pairs(cells, np.zeros((0, 2), int)))).all()


def test_the_spread_of_large_values_does_not_cancel(graph, rng):
    x = (1e4 + rng.normal(size=(30, 1))).astype(np.float32)
    out = aggregate(x, graph, aggregations=("std",))[:, 1]
    expected = [x[graph[i].indices].astype(float).std() if graph[i].nnz else 0.0 for i in range(30)]
    np.testing.assert_allclose(out, expected, atol=2e-3)


def test_rows_of_directed_weights_sum_to_one(rng):
    dense = rng.random((12, 12)) * (rng.random((12, 12)) < 0.4)
    dense[3] = 0
    x = rng.normal(size=(12, 2)).astype(np.float32)
    own = dense.sum(1, keepdims=True)
    expected = np.divide(dense, own, out=np.zeros_like(dense), where=own > 0)
    np.testing.assert_allclose(row_normalised(csr_matrix(dense)).toarray(), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(aggregate(x, csr_matrix(dense))[:, 2:], expected @ x, rtol=1e-4, atol=1e-6)


def test_isolated_cells_do_not_shorten_the_typical_length():
    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.graphs.graph import CellGraph
    from cellgraph_clr.graphs.neighbors import packing, typical_length

    position = np.concatenate([[[0.0, 0], [0, 2], [0, 7]], np.full((6, 2), 99.0)])
    cells = CellTable.build(np.arange(9), position, unit="pixel")
    graph = CellGraph.from_pairs(cells, np.array([[0, 1], [1, 2], [3, 4]]))  # cells 3 and 4 are at one place
    assert typical_length(graph) == pytest.approx(3.5)  # of 2, 3.5 and 5
    np.testing.assert_allclose(np.exp(packing(graph)[3:, 0]), 3.5, rtol=1e-6)
    np.testing.assert_allclose(np.exp(packing(graph, 8.0)[:, 0]), [2, 3.5, 5, *[8] * 6], rtol=1e-6)
