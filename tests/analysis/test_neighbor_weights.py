"""The graph that Leiden clusters against its definition, cell by cell; `make interop` compares it with that of UMAP."""

import numpy as np
import pytest
from scipy.optimize import brentq

from cellgraph_clr.analysis.neighbor_weights import fuzzy_neighbors


def one_way(vectors, k):
    """Weights of the k - 1 nearest others of every cell, by the equations, one cell after the other."""
    distance = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    out = np.zeros_like(distance)
    for i, row in enumerate(distance):
        near = [j for j in np.argsort(row, kind="stable") if j != i][: k - 1]
        beyond = np.maximum(row[near] - row[near][row[near] > 0].min(), 0)
        scale = brentq(lambda s, d=beyond: np.exp(-d / s).sum() - np.log2(k), 1e-9, 1e9, xtol=1e-12)
        out[i, near] = np.exp(-beyond / scale)
    return out


@pytest.mark.parametrize(("n", "d", "k", "dtype"), [(60, 3, 8, np.float32), (40, 20, 15, np.float64), (9, 2, 8, float)])
def test_equal_the_definition(n, d, k, dtype, rng):
    vectors = rng.normal(size=(n, d)).astype(dtype)
    found = fuzzy_neighbors(vectors, k)
    own = one_way(vectors.astype(float), k)
    np.testing.assert_allclose(found.toarray(), own + own.T - own * own.T, atol=2e-4)
    assert (found != found.T).nnz == 0
    assert found.dtype == np.float32
    assert found.diagonal().max() == 0


def test_equal_cells_weigh_all_alike():
    found = fuzzy_neighbors(np.ones((12, 3), np.float32), 5)
    assert set(found.data.tolist()) == {1.0}
