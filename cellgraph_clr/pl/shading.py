"""Shaded bodies: a mask seen from one side, lit from above, without a mesh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["shaded"]

LIGHT = np.array([-0.75, -0.5, -0.45])  # towards the light: z to the viewer, y up, x left
SMOOTH = 1.2  # pixels
LOOKED_AT = 20_000  # voxels that principal axes are read from


def shaded(mask: np.ndarray, spacing: Sequence[float] | np.ndarray = (1, 1, 1), resolution: float = 1.0) -> np.ndarray:
    """Return how bright a body looks from the side of low z (h, w) float in 0 … 1, NaN beside it.

    Parameters
    ----------
    mask : (z, y, x) bool. It is turned so that its longest axis lies across, its shortest in depth.
    spacing : size of a voxel along z, y, x.
    resolution : size of a pixel of the picture, in the same unit.

    Notes
    -----
    The first crossing of one half of the smoothed mask along each line of sight, shaded by the angle of
    its gradient to the light.
    O(voxels). An empty mask gives NaN.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    coarse = float(np.max(np.asarray(spacing, float))) / resolution
    width = max(SMOOTH, 0.6 * coarse)
    turned = _along_axes(mask, np.asarray(spacing, float), resolution, pad=int(np.ceil(2 * width)) + 2)
    body = gaussian_filter(turned, width, truncate=2.5)
    inside = body > min(0.5, 0.6 * float(body.max(initial=0.0)) + 1e-6)  # thin bodies are smoothed below one half
    hit = inside.any(axis=0)
    y, x = np.nonzero(hit)
    z = inside.argmax(axis=0)[y, x]
    out = np.full(hit.shape, np.nan)
    if len(z) == 0:
        return out
    before, after = body[np.maximum(z - 1, 0), y, x], body[z, y, x]
    depth = z - np.clip((after - 0.5) / np.maximum(after - before, 1e-6), 0, 1)
    at = np.stack([depth, y, x])
    sides = [
        map_coordinates(body, at + 0.75 * e[:, None], order=1) - map_coordinates(body, at - 0.75 * e[:, None], order=1)
        for e in np.eye(3)
    ]
    slope = np.stack(sides, axis=1)
    normal = -slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    out[y, x] = 0.25 + 0.75 * np.clip(normal @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    return out


def _along_axes(mask: np.ndarray, spacing: np.ndarray, resolution: float, *, pad: int) -> np.ndarray:
    """Return the mask (float32) in isotropic voxels of `resolution`, turned to its principal axes.

    The longest axis lies along x, the shortest along z, in a box that holds the body with `pad` voxels around it.
    """
    from scipy.ndimage import affine_transform

    inside = np.flatnonzero(mask)
    if len(inside) == 0:
        return np.zeros((1, 1, 1), np.float32)
    some = np.stack(np.unravel_index(inside[:: max(len(inside) // LOOKED_AT, 1)], mask.shape), axis=1) * spacing
    middle = some.mean(axis=0)
    axes = np.eye(3)
    if len(some) >= 4:
        axes = np.linalg.eigh(np.cov((some - middle).T))[1].T  # rows: shortest first
        axes *= np.where(np.linalg.det(axes) < 0, -1, 1)  # no mirror image
    along = (_ends(mask) * spacing - middle) @ axes.T
    low = along.min(axis=0) - pad * resolution
    shape = np.ceil((np.ptp(along, axis=0) / resolution) + 2 * pad).astype(int) + 1
    matrix = (axes.T * resolution) / spacing[:, None]
    offset = (axes.T @ low + middle) / spacing
    return affine_transform(mask.astype(np.float32), matrix, offset, tuple(shape), order=1, mode="grid-constant")


def _ends(mask: np.ndarray) -> np.ndarray:
    """Return the first and the last voxel of every line along x (n, 3): the outermost in any direction are among them."""
    lines = np.argwhere(mask.any(axis=2))
    z, y = lines.T
    first = mask[z, y].argmax(axis=1)
    last = mask.shape[2] - 1 - mask[z, y, ::-1].argmax(axis=1)
    return np.concatenate([np.column_stack([lines, x]) for x in (first, last)])
