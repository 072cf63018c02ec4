"""Those most alike of a pool, against a loop; parts of the pool against all of it."""

import numpy as np
import pytest

from cellgraph_clr.analysis import most_alike as module
from cellgraph_clr.analysis.most_alike import Apart, most_alike


def clouds(n, d=8, n_clouds=40, noise=0.4, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_clouds, d))
    v = (centres[rng.integers(n_clouds, size=n)] + rng.normal(0, noise, (n, d))).astype(np.float32)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def by_loop(v, pool, k, apart):
    """Return the set of cells found for every cell."""
    out = []
    for i in range(len(v)):
        far = np.linalg.norm(apart.position[pool] - apart.position[i], axis=1) > apart.radius[i]
        may = pool[(pool != i) & ((apart.image[pool] != apart.image[i]) | far)]
        cosine = v[may].astype(float) @ v[i].astype(float)
        best = may[np.argsort(-cosine)[:k]]
        out.append(set(best[np.sort(-cosine)[:k] < 0].tolist()))
    return out


def sets(row, cosine):
    return [set(r[c > 0].tolist()) for r, c in zip(row, cosine, strict=True)]


@pytest.mark.parametrize("step", [1, 3])
def test_a_loop_finds_the_same(step):
    rng = np.random.default_rng(1)
    v, pool = clouds(120), np.arange(0, 120, step)
    apart = Apart(rng.uniform(0, 10, (120, 3)), rng.integers(3, size=120), rng.uniform(0, 8, 120))
    row, cosine = most_alike(v, pool, 7, apart=apart, rng=rng)
    assert sets(row, cosine) == by_loop(v, pool, 7, apart)
    np.testing.assert_allclose(cosine[cosine > 0], np.einsum("nd,nkd->nk", v, v[row])[cosine > 0], atol=1e-6)


def test_those_that_are_missing_have_no_cosine():
    v = np.array([[1, 0], [1, 0], [-1, 0]], np.float32)
    row, cosine = most_alike(v, np.arange(3), 2, apart=Apart.nothing(3), rng=np.random.default_rng(0))
    assert sets(row, cosine) == [{1}, {0}, set()]
    assert row.shape == (3, 2)
    assert (row[cosine == 0] == 0).all()


def test_parts_find_most_of_it_and_nobody_near(monkeypatch):
    rng = np.random.default_rng(0)
    v, pool = clouds(4000), np.sort(rng.choice(4000, 2000, replace=False))
    apart = Apart(rng.uniform(0, 10, (4000, 2)), np.zeros(4000, int), np.full(4000, 1.5))
    exact = sets(*most_alike(v, pool, 10, apart=apart, rng=rng))
    monkeypatch.setattr(module, "EXACT", 1000)
    row, cosine = most_alike(v, pool, 10, apart=apart, rng=rng)
    assert np.mean([len(a & b) / len(a) for a, b in zip(exact, sets(row, cosine), strict=True)]) > 0.8
    assert np.isin(row[cosine > 0], pool).all()
    distance = np.linalg.norm(apart.position[row] - apart.position[:, None], axis=2)
    assert (distance > 1.5)[cosine > 0].all()


def test_threads_find_the_same(monkeypatch):
    monkeypatch.setattr(module, "EXACT", 100)
    v, pool = clouds(600), np.arange(600)
    found = [most_alike(v, pool, 5, apart=Apart.nothing(600), rng=np.random.default_rng(0), n_jobs=n) for n in (1, 3)]
    np.testing.assert_array_equal(found[0][0], found[1][0])


def test_cosines_of_wide_vectors_stay_when_they_are_compressed():
    flat = np.random.default_rng(0).normal(size=(8, 80)).astype(np.float32)
    v = clouds(500) @ flat
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    narrow = module._compressed(v, np.random.default_rng(0))
    assert narrow.shape == (500, 64)
    np.testing.assert_allclose(narrow @ narrow.T, v @ v.T, atol=1e-4)
