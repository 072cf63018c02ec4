"""Walks against powers of dense matrices; threads change nothing."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from cellgraph_clr.graphs.walks import lazy_walk, local_order, plain_walk, walked


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((30, 30)) * (rng.random((30, 30)) < 0.15), 1)
    upper[:, 7] = upper[7] = 0  # alone
    return csr_matrix((upper + upper.T).astype(np.float32))


def test_steps_are_those_of_dense_matrices(weights):
    ones = weights.toarray() > 0
    lazy = ones + np.eye(30)
    np.testing.assert_allclose(
        lazy_walk(weights.astype(bool).astype(np.float32)).toarray(), lazy / lazy.sum(1, keepdims=True), rtol=1e-6
    )
    plain = plain_walk(weights).toarray()
    np.testing.assert_allclose(plain.sum(1), 1, rtol=1e-6)
    assert plain[7, 7] == 1
    rest = np.arange(30) != 7
    dense = weights.toarray()
    np.testing.assert_allclose(plain[rest], (dense / np.maximum(dense.sum(1, keepdims=True), 1e-9))[rest], rtol=1e-5)


def test_walks_are_powers_whatever_the_number_of_threads(weights):
    step, values = plain_walk(weights), np.random.default_rng(1).normal(size=(30, 4))
    wanted = np.linalg.matrix_power(step.toarray().astype(float), 5) @ values
    found = [walked(step, values, 5, n_jobs=n) for n in (1, 3)]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(walked(step, values, 0), values.astype(np.float32))


def test_neighbours_come_close_in_the_local_order():
    at = np.random.default_rng(0).permutation(400)
    line = csr_matrix((np.ones(399, np.float32), (at[:-1], at[1:])), shape=(400, 400))
    line = line + line.T
    order = local_order(line)
    assert sorted(order.tolist()) == list(range(400))
    i, j = line[order][:, order].nonzero()
    assert np.abs(i - j).max() == 1
