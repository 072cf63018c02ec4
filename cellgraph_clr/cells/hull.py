"""Convex hulls of cells from the ends of their lines: solidity and largest diameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cellgraph_clr.cells.crops import Crop

__all__ = ["convex_hull"]


def convex_hull(crop: Crop) -> tuple[float, float, float]:
    """Return the volume (2D: area) of the convex hull of a cell, its solidity, and its largest diameter (Feret).

    The hull is that of the voxels as boxes, so that a box has solidity 1 and solidity never exceeds 1 (scikit-image
    rasterises the hull and counts voxels instead). Only the corners of the hulls of its planes' faces go to qhull.
    O(voxels of the crop + corners · log).
    """
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    from cellgraph_clr.cells.hull_rows import face_corners

    d = len(crop.spacing)
    corners = face_corners(crop.mask if d == 3 else crop.mask[None], d == 2)
    points = corners[:, 3 - d :] * np.asarray(crop.spacing)
    hull = ConvexHull(points)
    volume = float(hull.volume)
    return volume, float(crop.mask.sum() * np.prod(crop.spacing) / volume), float(pdist(points[hull.vertices]).max())
