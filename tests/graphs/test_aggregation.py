"""Sums over neighbours against loops."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr.graphs.aggregation import aggregate, row_normalized


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
    step = row_normalized(graph)
    np.testing.assert_allclose(out[:, 6:], step @ (step @ x), atol=1e-6)


def test_weights_count(rng):
    weights = csr_matrix(np.array([[0, 3.0, 1.0], [3.0, 0, 0], [1.0, 0, 0]]))
    x = np.array([[0.0], [4.0], [8.0]])
    assert aggregate(x, weights)[0, 1] == pytest.approx(5.0)


def test_bad_options_are_named(graph):
    with pytest.raises(OptionError, match="'mean', 'std', 'max', 'min', 'sum', found 'median'"):
        aggregate(np.zeros((30, 1)), graph, aggregations=("median",))
    for wrong in (0, 101, 10**9):
        with pytest.raises(OptionError, match=f"whole number between 1 and 100, found {wrong}"):
            aggregate(np.zeros((30, 1)), graph, n_hops=wrong)
    with pytest.raises(ShapeError, match="30 rows of values, found 29"):
        aggregate(np.zeros((29, 1)), graph)


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
    np.testing.assert_allclose(row_normalized(csr_matrix(dense)).toarray(), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(aggregate(x, csr_matrix(dense))[:, 2:], expected @ x, rtol=1e-4, atol=1e-6)
