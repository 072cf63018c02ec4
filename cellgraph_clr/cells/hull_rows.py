"""Corners of the convex hull of every face between planes of a cell, from the first and last voxel of its lines."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.kernels import called, kernel

__all__ = ["face_corners"]


@called
def _chain(y, x, n, sign, out, count, z):  # noqa: ANN001, ANN202
    """Append the points of the chain, y ascending, that bulges towards -sign * x (Andrew 1979)."""
    start = count
    for i in range(n):
        while count - start >= 2:
            ay, ax = out[count - 2, 1], out[count - 2, 2]
            by, bx = out[count - 1, 1], out[count - 1, 2]
            if sign * ((by - ay) * (x[i] - ax) - (bx - ax) * (y[i] - ay)) > 0:
                break
            count -= 1
        out[count, 0] = z
        out[count, 1] = y[i]
        out[count, 2] = x[i]
        count += 1
    return count


@kernel
def face_corners(mask, flat):  # noqa: ANN001, ANN201
    """Return the corners (n, 3) of the hulls of what touches each face between planes of a mask (z, y, x), in voxels.

    Voxels are boxes, so that the face at z - 1/2 carries the squares of planes z - 1 and z. No other point can be a corner
    of the hull of the cell. `flat`: one plane, whose own corners are wanted (2D). O(voxels).
    """
    n_z, n_y, n_x = mask.shape
    first = np.full((n_z + 2, n_y), n_x)  # an empty plane before and one behind
    last = np.full((n_z + 2, n_y), -1)
    for z in range(n_z):
        for j in range(n_y):
            a = 0
            while a < n_x and not mask[z, j, a]:
                a += 1
            if a == n_x:
                continue
            b = n_x - 1
            while not mask[z, j, b]:
                b -= 1
            first[z + 1, j] = a
            last[z + 1, j] = b
    n_faces = 1 if flat else n_z + 1
    out = np.empty((4 * n_faces * n_y + 4, 3))
    count = 0
    y = np.empty(2 * n_y)
    low = np.empty(2 * n_y)
    high = np.empty(2 * n_y)
    for face in range(n_faces):
        n = 0
        for j in range(n_y):
            a = min(first[face, j], first[face + 1, j])
            b = max(last[face, j], last[face + 1, j])
            if b < 0:
                continue
            for half in (-0.5, 0.5):
                y[n] = j + half
                low[n] = a - 0.5
                high[n] = b + 0.5
                n += 1
        count = _chain(y, low, n, 1.0, out, count, face - 0.5)
        count = _chain(y, high, n, -1.0, out, count, face - 0.5)
    return out[:count]
