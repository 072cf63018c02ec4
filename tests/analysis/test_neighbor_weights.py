"""The graph that Leiden clusters against its definition, cell by cell, and against UMAP."""

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


def test_equal_those_of_umap(rng):
    umap = pytest.importorskip("umap.umap_", reason="umap is scanpy's")
    vectors = rng.normal(size=(80, 5))
    vectors[:8] = vectors[0] + 50  # six equal cells and two nearly so, which nobody else is near to
    vectors[6:8] += 1e-3 * rng.normal(size=(2, 5))
    distance = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    near = np.array([[i, *[j for j in np.argsort(row, kind="stable") if j != i][:9]] for i, row in enumerate(distance)])
    state = np.random.RandomState(0)
    told = {"knn_indices": near, "knn_dists": np.take_along_axis(distance, near, axis=1).astype(np.float32)}
    wanted = umap.fuzzy_simplicial_set(vectors, 10, state, "euclidean", **told)[0].toarray()
    np.testing.assert_allclose(fuzzy_neighbors(vectors, 10).toarray(), wanted, atol=1e-4)


def test_equal_cells_weigh_all_alike():
    found = fuzzy_neighbors(np.ones((12, 3), np.float32), 5)
    assert set(found.data.tolist()) == {1.0}
