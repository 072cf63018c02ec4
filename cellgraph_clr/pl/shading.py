"""Shaded bodies: a mask seen from one side, lit from above, without a mesh."""

from __future__ import annotations

import numpy as np

__all__ = ["shaded"]

LIGHT = np.array([-0.75, -0.5, -0.45])  # towards the light: z to the viewer, y up, x left
SMOOTH = 1.2  # voxels


def shaded(mask: np.ndarray) -> np.ndarray:
    """Return how bright a body looks from the side of low z (h, w) float in 0 … 1, NaN beside it.

    Parameters
    ----------
    mask : (z, y, x) bool with isotropic voxels. It is turned so that its longest axis lies across, its shortest in depth.

    Notes
    -----
    The first crossing of one half of the smoothed mask along each line of sight, shaded by the angle of
    its gradient to the light.
    O(voxels). An empty mask gives NaN.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    body = gaussian_filter(np.pad(_along_axes(mask), 3).astype(np.float32), SMOOTH)
    inside = body > 0.5
    hit = inside.any(axis=0)
    y, x = np.nonzero(hit)
    z = inside.argmax(axis=0)[y, x]
    out = np.full(hit.shape, np.nan)
    if len(z) == 0:
        return out
    before, after = body[z - 1, y, x], body[z, y, x]
    depth = z - (after - 0.5) / np.maximum(after - before, 1e-6)
    slope = np.stack([map_coordinates(g, [depth, y, x], order=1) for g in np.gradient(body)], axis=1)
    normal = -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    out[y, x] = 0.25 + 0.75 * np.clip(normal @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    return out


def _along_axes(mask: np.ndarray) -> np.ndarray:
    """Return the mask turned to its principal axes, the longest along x, the shortest along z, in a box that holds it."""
    from scipy.ndimage import affine_transform

    at = np.argwhere(mask).astype(float)
    if len(at) < 4:
        return mask
    middle = at.mean(axis=0)
    axes = np.linalg.eigh(np.cov((at - middle).T))[1].T  # rows: shortest first
    axes *= np.where(np.linalg.det(axes) < 0, -1, 1)  # no mirror image
    along = (at - middle) @ axes.T
    low = along.min(axis=0) - 2
    shape = np.ceil(along.max(axis=0) + 2 - low).astype(int) + 1
    turned = affine_transform(mask.astype(np.float32), axes.T, axes.T @ low + middle, tuple(shape), order=1)
    return turned > 0.5
