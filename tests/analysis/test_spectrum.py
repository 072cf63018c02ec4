"""Slow coordinates against dense eigenvectors, and landmarks against all cells."""

import numpy as np

from cellgraph_clr.analysis import most_alike, spectrum
from cellgraph_clr.analysis.alike import nearest_of_all
from cellgraph_clr.analysis.spectrum import spectral_coordinates

OPTIONS = {"n_neighbors": 8, "n_vectors": 6, "power": 3}


def ring(n, seed=0):
    turn = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    v = np.stack([np.cos(turn), np.sin(turn), 0.3 * np.cos(3 * turn)], axis=1).astype(np.float32)
    return v / np.linalg.norm(v, axis=1, keepdims=True), turn


def test_they_are_those_of_the_random_walk():
    v, _ = ring(120)
    found = spectral_coordinates(v, **OPTIONS, rng=np.random.default_rng(0)).astype(float)
    weights = nearest_of_all(v, 8, rng=np.random.default_rng(0)).toarray().astype(float)
    step = weights / weights.sum(axis=1, keepdims=True)
    stationary = weights.sum(axis=1) / weights.sum()
    for column in found.T:  # right eigenvectors of the walk, of length λ^power about the stationary distribution
        value = (stationary * column * (step @ column)).sum() / (stationary * column**2).sum()
        np.testing.assert_allclose(step @ column, value * column, atol=1e-3)
        np.testing.assert_allclose((stationary * column).sum(), 0, atol=1e-4)
        np.testing.assert_allclose((stationary * column**2).sum(), value**6, rtol=1e-2)


def test_the_sparse_way_is_the_dense_one(monkeypatch):
    v, _ = ring(120)
    dense = spectral_coordinates(v, **OPTIONS, rng=np.random.default_rng(0))
    monkeypatch.setattr(spectrum, "DENSE", 10)
    sparse = spectral_coordinates(v, **OPTIONS, rng=np.random.default_rng(0))
    np.testing.assert_allclose(np.abs(sparse), np.abs(dense), atol=5e-3)


def test_landmarks_stand_for_all(monkeypatch):
    v, turn = ring(3000)
    options = {"n_neighbors": 30, "n_vectors": 2, "power": 1}
    for module in (spectrum, most_alike):
        monkeypatch.setattr(module, "EXACT", 1000)
    monkeypatch.setattr(spectrum, "N_LANDMARKS", 600)
    found = spectral_coordinates(v, **options, rng=np.random.default_rng(0))
    plane = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    fit = plane @ np.linalg.lstsq(plane, found, rcond=None)[0]
    assert 1 - ((found - fit) ** 2).sum() / (found**2).sum() > 0.9
