"""Rotations and mirrorings of positions: views for encoders and features that see them."""

from __future__ import annotations

import numpy as np

__all__ = ["mirror_positions", "rotate_positions"]


def rotate_positions(position: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return positions (n, d) turned about their mean by a random rotation, uniform over all of them.

    Float64, in the unit given; d is 2 or 3. The rotation is the orthogonal factor of a Gaussian matrix (Stewart 1980) with its
    determinant made 1. Empty input is returned as it is.
    """
    d = position.shape[1]
    q, r = np.linalg.qr(rng.normal(size=(d, d)))
    q *= np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    return _about_mean(position, q)


def mirror_positions(position: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return positions (n, d) mirrored, with probability one half, at a plane through their mean of random direction."""
    if rng.random() < 0.5:
        return np.array(position, np.float64)
    arrow = rng.normal(size=position.shape[1])
    normal = arrow / np.linalg.norm(arrow)
    return _about_mean(position, np.eye(position.shape[1]) - 2 * np.outer(normal, normal))


def _about_mean(position: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    if len(position) == 0:
        return np.array(position, np.float64)
    centre = position.mean(axis=0)
    return (position - centre) @ matrix.T + centre
