"""Context vectors against dense matrices, and their laws."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis.context import ContextOptions, context_vectors, principal

SMALL = {"n_far": 6, "n_alike": 4, "n_apart": 8, "n_neighbors": 6, "n_vectors": 5, "power": 4}


def scene(n=90, n_images=2, seed=0):
    rng = np.random.default_rng(seed)
    position, image = rng.uniform(0, 10, (n, 2)), np.sort(rng.integers(n_images, size=n))
    adjacency = np.zeros((n, n), np.float32)
    for number in range(n_images):
        rows = np.flatnonzero(image == number)
        for i, near in zip(rows, cKDTree(position[rows]).query(position[rows], 4)[1][:, 1:], strict=True):
            adjacency[i, rows[near]] = adjacency[rows[near], i] = 1
    x = rng.normal(size=(n, 3)).astype(np.float32)
    codes = rng.dirichlet(np.ones(5), size=n).astype(np.float32)
    return x, codes, csr_matrix(adjacency), position, image


def vectors(x, codes, adjacency, position, image, **options):
    o = ContextOptions(**{**SMALL, **options})
    return context_vectors(x, codes, adjacency, position, image, options=o, rng=np.random.default_rng(0))


def unit(v):
    v = v - v.mean(axis=0)
    s = v.std(axis=0)
    v = v / np.where(s > 1e-9, s, 1)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def cosines(v):
    v = v - v.mean(axis=0)
    v = v / np.linalg.norm(v, axis=1, keepdims=True)
    return v @ v.T


def test_without_the_coarse_parts_it_is_the_formula():
    x, codes, adjacency, position, image = scene()
    a, n = adjacency.toarray().astype(float), len(x)
    lazy = (a + np.eye(n)) / (a + np.eye(n)).sum(axis=1, keepdims=True)
    near = np.linalg.matrix_power(lazy, 2) @ codes
    far = np.linalg.matrix_power(lazy, 6) @ codes
    base = np.concatenate([unit(far), 0.3 * unit(near), 0.3 * unit(x)], axis=1)
    cosine = cosines(base)
    weights = np.zeros((n, n))
    for i in range(n):
        mine = np.flatnonzero(image == image[i])
        order = np.argsort(np.linalg.norm(position[mine] - position[i], axis=1))
        excluded = set(mine[order[:9]].tolist())
        for j in [j for j in np.argsort(-cosine[i]) if j not in excluded][:4]:
            if cosine[i, j] > 0:
                weights[i, j] = weights[j, i] = cosine[i, j] ** 3
    walk, alike = a / a.sum(axis=1, keepdims=True), weights / weights.sum(axis=1, keepdims=True)
    shared = np.linalg.matrix_power(0.5 * walk + 0.5 * alike, 4) @ ((far - far.mean(axis=0)) / far.std(axis=0))
    wanted = np.concatenate([0.5 * unit(shared), 0.3 * unit(near), 0.2 * unit(x)], axis=1)
    found = vectors(x, codes, adjacency, position, image, region_weight=0, cell_weight=0.2)
    np.testing.assert_allclose(found, wanted, atol=2e-4)


@pytest.mark.parametrize("region", [0.0, 1.0])
def test_turned_mirrored_and_shifted_tissue_has_the_same_vectors(region):
    x, codes, adjacency, position, image = scene()
    turn = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]) @ np.diag([1, -1])
    found = vectors(x, codes, adjacency, position @ turn + 70, image, region_weight=region)
    np.testing.assert_allclose(found, vectors(x, codes, adjacency, position, image, region_weight=region), atol=1e-5)


def test_rows_in_another_order_have_the_same_vectors():
    x, codes, adjacency, position, image = scene()
    order = np.random.default_rng(3).permutation(len(x))
    found = vectors(x[order], codes[order], adjacency[order][:, order], position[order], image[order])
    np.testing.assert_allclose(
        cosines(found), cosines(vectors(x, codes, adjacency, position, image))[order][:, order], atol=1e-3
    )


def test_each_weight_is_that_of_its_block():
    given = scene()
    whole = vectors(*given)
    assert whole.shape == (90, 5 + 5 + 5 + 3)
    lengths = [np.linalg.norm(whole[:, a:b], axis=1) for a, b in ((0, 5), (5, 10), (10, 15), (15, 18))]
    for length, weight in zip(lengths, (1.0, 0.5, 0.3, 0.3), strict=True):
        np.testing.assert_allclose(length, weight, rtol=1e-4)
    assert np.abs(cosines(whole) - cosines(vectors(*given, n_alike=0))).max() > 0.05
    assert np.abs(cosines(whole) - cosines(vectors(*given, power=1))).max() > 0.05


def test_tissue_alike_of_another_sample_is_brought_near():
    """Two samples of the same four bands; what is shared makes the same band of the other sample the most alike."""
    rng = np.random.default_rng(0)
    side, n_bands = 24, 4
    yx = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1).reshape(-1, 2).astype(float)
    position = np.concatenate([yx, yx[:, ::-1]])  # the other sample is turned
    image = np.repeat([0, 1], side**2)
    band = (yx[:, 0] * n_bands // side).astype(int)
    band = np.concatenate([band, band])
    shares = 0.25 + 0.75 * np.eye(n_bands)
    kind = np.array([rng.choice(n_bands, p=shares[b] / shares[b].sum()) for b in band])
    codes = np.eye(n_bands, dtype=np.float32)[kind]
    x = (codes + rng.normal(0, 0.5, codes.shape)).astype(np.float32)
    rows, columns = [], []
    for offset in (0, side**2):
        near = cKDTree(yx).query(yx, 5)[1][:, 1:]
        rows.append(np.repeat(np.arange(side**2), 4) + offset)
        columns.append(near.ravel() + offset)
    a = csr_matrix((np.ones(8 * side**2), (np.concatenate(rows), np.concatenate(columns))), shape=(2 * side**2,) * 2)
    a = ((a + a.T) > 0).astype(np.float32).tocsr()
    given = {"n_far": 12, "n_alike": 20, "n_apart": 60, "n_neighbors": 15, "n_vectors": 20, "power": 8}

    def across(**options):
        v = vectors(x, codes, a, position, image, **given, **options)
        c = cosines(v)[: side**2, side**2 :]
        return (band[side**2 :][np.argsort(-c, axis=1)[:, :20]] == band[: side**2, None]).mean()

    assert across() > 0.8
    assert across(shared_weight=0.0, region_weight=0.0) < across() - 0.1


def test_few_cells_and_wrong_options():
    for n in (0, 1, 2):
        x, codes = np.ones((n, 2), np.float32), np.ones((n, 3), np.float32)
        found = vectors(x, codes, csr_matrix((n, n), dtype=np.float32), np.zeros((n, 2)), np.zeros(n, int))
        assert found.shape[0] == n
        assert np.isfinite(found).all()
    with pytest.raises(OptionError, match="Did you mean 'n_far'"):
        ContextOptions.of({"n_fat": 3})
    huge = ({"n_far": 10**9}, {"n_far": 10_001}, {"n_near": 10**9, "n_far": 10**9}, {"n_shared": 10**9})
    for bad in (*huge, {"n_near": 0}, {"n_far": 1}, {"region_weight": -1}, {"power": 1.5}):
        with pytest.raises(OptionError):
            ContextOptions(**bad)


def test_principal_components_keep_cosines():
    rng = np.random.default_rng(0)
    v = (rng.normal(size=(400, 6)) @ rng.normal(size=(6, 40)) + 5 + rng.normal(0, 0.01, (400, 40))).astype(np.float32)
    found = principal(v, 6)
    assert found.shape == (400, 6)
    np.testing.assert_allclose(cosines(found), cosines(v), atol=1e-3)
    np.testing.assert_allclose(principal(v, 50), v - v.mean(axis=0), atol=1e-4)
