"""Cells alike elsewhere, against a loop; the search by parts against the exact one."""

import numpy as np
import pytest

from cellgraph_clr.analysis import alike
from cellgraph_clr.analysis.alike import alike_elsewhere, near_radius, nearest_of_all


def scene(n, d=6, n_images=2, seed=0):
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(n, d)).astype(np.float32)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    return v, rng.uniform(0, 10, (n, 2)), rng.integers(n_images, size=n)


def test_a_loop_finds_the_same():
    v, position, image = scene(80)
    found = alike_elsewhere(v, position, image, 4, n_apart=9, rng=np.random.default_rng(0)).toarray()
    wanted = np.zeros((80, 80))
    for i in range(80):
        mine = np.flatnonzero(image == image[i])
        distance = np.linalg.norm(position[mine] - position[i], axis=1)
        near = set(mine[np.argsort(distance)[:10]].tolist())  # itself and the nine nearest
        cosine = v.astype(float) @ v[i]
        others = [j for j in np.argsort(-cosine) if j not in near][:4]
        for j in others:
            if cosine[j] > 0:
                wanted[i, j] = wanted[j, i] = cosine[j] ** 3
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_cells_of_other_images_are_elsewhere_and_small_images_are_not():
    v, position, image = scene(40)
    found = alike_elsewhere(v, position, image, 3, n_apart=300, rng=np.random.default_rng(0)).tocoo()
    assert found.nnz
    assert (image[found.row] != image[found.col]).all()
    alone = alike_elsewhere(v, position, np.zeros(40, int), 3, n_apart=300, rng=np.random.default_rng(0))
    assert alone.nnz == 0


def test_of_many_cells_some_can_be_found(monkeypatch):
    v, position, image = scene(400)
    monkeypatch.setattr(alike, "N_POOL", 100)
    found = alike_elsewhere(v, position, image, 3, n_apart=9, rng=np.random.default_rng(0))
    assert len(np.unique(found.indices)) <= 100
    assert (np.diff(found.indptr) == 3).all()
    at = found.tocoo()
    np.testing.assert_allclose(at.data, np.einsum("ed,ed->e", v[at.row], v[at.col]) ** 3, rtol=1e-4)
    radius = near_radius(position, image, 9, rng=np.random.default_rng(0))
    distance = np.linalg.norm(position[at.row] - position[at.col], axis=1)
    assert ((distance > radius[at.row]) | (image[at.row] != image[at.col])).all()


def test_the_radius_of_many_cells_is_near_that_of_all(monkeypatch):
    position, image = np.random.default_rng(0).uniform(0, 1, (6000, 2)), np.zeros(6000, int)
    exact = near_radius(position, image, 200, rng=np.random.default_rng(1))
    monkeypatch.setattr(alike, "EXACT", 100)
    thin = near_radius(position, image, 200, rng=np.random.default_rng(1))
    assert np.median(thin / exact) == pytest.approx(1, abs=0.05)


def test_nearest_of_all_has_no_cell_itself():
    v, *_ = scene(50)
    graph = nearest_of_all(v, 5, rng=np.random.default_rng(0))
    assert (graph.diagonal() == 0).all()
    assert (abs(graph - graph.T)).nnz == 0
    cosine = v @ v.T - 2 * np.eye(50)
    for i in range(50):
        assert set(np.argsort(-cosine[i])[:5].tolist()) <= set(graph[i].indices.tolist())
