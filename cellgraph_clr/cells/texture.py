"""Texture of a cell from its grey-level co-occurrence matrix, in 2D and 3D."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cellgraph_clr.cells.crops import Crop

__all__ = ["N_LEVELS", "TEXTURES", "cooccurrence", "texture"]

N_LEVELS = 16
TEXTURES = ("contrast", "homogeneity", "energy", "correlation", "entropy")


def cooccurrence(levels: np.ndarray, mask: np.ndarray, n_levels: int = N_LEVELS) -> np.ndarray:
    """Return the symmetric co-occurrence matrix (n_levels, n_levels) of neighbours within the mask, summing to 1.

    Neighbours are one voxel apart in the 4 (2D) or 13 (3D) directions, all counted alike (Haralick 1973). Zero when no
    two voxels of the mask are neighbours.
    """
    total = np.zeros(n_levels * n_levels)
    steps = [k for k in itertools.product((-1, 0, 1), repeat=mask.ndim) if k > (0,) * mask.ndim]
    for step in steps:
        here = tuple(slice(max(0, -k), n - max(0, k)) for k, n in zip(step, mask.shape, strict=True))
        there = tuple(slice(max(0, k), n - max(0, -k)) for k, n in zip(step, mask.shape, strict=True))
        both = mask[here] & mask[there]
        key = levels[here][both] * n_levels + levels[there][both]
        total += np.bincount(key, minlength=n_levels * n_levels)
    matrix = total.reshape(n_levels, n_levels)
    matrix = matrix + matrix.T
    return matrix / max(matrix.sum(), 1.0)


def texture(crop: Crop, low: np.ndarray, high: np.ndarray) -> list[float]:
    """Return the `TEXTURES` of every channel of a crop; intensities from low to high (c,) make `N_LEVELS` grey levels.

    Contrast is the mean squared difference of neighbours in levels, homogeneity the mean of 1 / (1 + difference²), energy
    the root of the sum of squares, correlation that of neighbours (1 for a flat cell), entropy in bits. A cell whose
    voxels have no neighbours has contrast 0, homogeneity and energy 1, correlation 1, entropy 0, as a flat one.
    """
    out: list[float] = []
    level = np.arange(N_LEVELS)
    squared = (level[:, None] - level) ** 2
    for c in range(len(low)):
        pixels = np.asarray(crop.image[c], np.float64)  # type: ignore[index]
        width = max(float(high[c] - low[c]), np.finfo(float).tiny)
        scaled = np.nan_to_num((pixels - low[c]) / width).clip(0, 1)
        p = cooccurrence(np.minimum((scaled * N_LEVELS).astype(np.int64), N_LEVELS - 1), crop.mask)
        if not p.any():
            out += [0.0, 1.0, 1.0, 1.0, 0.0]
            continue
        margin = p.sum(axis=1)
        mean = margin @ level
        variance = margin @ (level - mean) ** 2
        covariance = (level - mean) @ p @ (level - mean)
        seen = p[p > 0]
        out += [
            float((p * squared).sum()),
            float((p / (1 + squared)).sum()),
            float(np.sqrt((p**2).sum())),
            float(covariance / variance) if variance > 1e-12 else 1.0,
            float(-(seen * np.log2(seen)).sum()) + 0.0,
        ]
    return out
