"""Convex hulls of cells from the ends of their lines: solidity and largest diameter."""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cellgraph_clr.cells.crops import Crop

__all__ = ["convex_hull"]


def _line_ends(mask: np.ndarray) -> np.ndarray:
    """Return the first and the last voxel of the cell on every line along x: no other voxel can be a corner of the hull."""
    lines = mask.any(axis=-1)
    at = np.argwhere(lines)
    first = mask.argmax(axis=-1)[lines]
    last = mask.shape[-1] - 1 - mask[..., ::-1].argmax(axis=-1)[lines]
    return np.concatenate([np.column_stack([at, first]), np.column_stack([at, last])])


def convex_hull(crop: Crop) -> tuple[float, float, float]:
    """Return the volume (2D: area) of the convex hull of a cell, its solidity, and its largest diameter (Feret).

    The hull is that of the voxels as boxes, so that a box has solidity 1 and solidity never exceeds 1 (scikit-image
    rasterises the hull and counts voxels instead). The corners of a sum of sets are sums of corners: the hull of the
    voxel centres at line ends comes first, and only its corners are widened to boxes. O(lines · log).
    """
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    step = np.asarray(crop.spacing)
    points = _line_ends(crop.mask) * step
    with suppress(QhullError, ValueError):  # flat or very small: every point is kept
        points = points[ConvexHull(points).vertices]
    half = np.array(list(itertools.product((-0.5, 0.5), repeat=len(step)))) * step
    corners = (points[:, None] + half).reshape(-1, len(step))
    hull = ConvexHull(corners)
    outer = corners[hull.vertices]
    volume = float(hull.volume)
    return volume, float(crop.mask.sum() * step.prod() / volume), float(pdist(outer).max())
