"""Points on the surface of one cell: boundary faces drawn by area, moved onto the smoothed surface, with its normal."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.kernels import called, kernel

__all__ = ["draw_points", "smooth"]


@called
def _uniform(state):  # noqa: ANN001, ANN202
    """Return a number in [0, 1) and move the state (1,) uint64 on (splitmix64: Steele et al. 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@called
def _add(out, w, one, other):  # noqa: ANN001, ANN202
    for i in range(len(out)):  # indices that cannot be negative are what lets this be compiled to vector instructions
        out[i] += w * (one[i] + other[i])


@called
def _spread(here, out, weights, reach, stride):  # noqa: ANN001, ANN202
    """Fill `out` with flat `here`, weighted sums of what lies up to `reach` steps of `stride` away on both sides."""
    n = len(here)
    out[:] = weights[0] * here
    for k in range(1, reach + 1):
        d = k * stride
        _add(out[d : n - d], weights[k], here[: n - 2 * d], here[2 * d :])


@kernel
def smooth(mask, weights, reach):  # noqa: ANN001, ANN201
    """Return `mask` (z, y, x) smoothed along its axes, float32, by symmetric `weights` (3, w): the middle one and those after.

    `reach` (3,) of them count. The mask must be empty `reach` and two voxels more from every side: lines are run together, and
    what passes their ends is 0. O(voxels sum(reach)).
    """
    here = mask.ravel().astype(np.float32)
    other = np.empty_like(here)
    strides = (mask.shape[1] * mask.shape[2], mask.shape[2], 1)
    for axis in range(3):
        if reach[axis] > 0:
            _spread(here, other, weights[axis], reach[axis], strides[axis])
            here, other = other, here
    return here.reshape(mask.shape)


@called
def _slope(f, z, y, x, spacing, flat, out):  # noqa: ANN001, ANN202
    """Fill the gradient (3,) of `f` at a voxel centre; `f` must reach one voxel farther (not along z when flat)."""
    out[0] = 0.0 if flat else (f[z + 1, y, x] - f[z - 1, y, x]) / (2 * spacing[0])
    out[1] = (f[z, y + 1, x] - f[z, y - 1, x]) / (2 * spacing[1])
    out[2] = (f[z, y, x + 1] - f[z, y, x - 1]) / (2 * spacing[2])


@called
def _look(f, at, spacing, flat, out, part):  # noqa: ANN001, ANN202
    """Return `f` at a point (voxels), linear between voxels, and fill its gradient in `out`."""
    low_z = int(np.floor(at[0]))
    low_y = int(np.floor(at[1]))
    low_x = int(np.floor(at[2]))
    value = 0.0
    out[:] = 0.0
    for p in range(1 if flat else 2):
        w_z = 1.0 if flat else 1 - abs(at[0] - low_z - p)
        for q in range(2):
            w_y = w_z * (1 - abs(at[1] - low_y - q))
            for r in range(2):
                w = w_y * (1 - abs(at[2] - low_x - r))
                _slope(f, low_z + p, low_y + q, low_x + r, spacing, flat, part)
                value += w * f[low_z + p, low_y + q, low_x + r]
                for a in range(3):
                    out[a] += w * part[a]
    return value


@kernel
def draw_points(mask, field, margin, spacing, n_points, flat, seed):  # noqa: ANN001, ANN201
    """Return points (n_points, 3) in physical units from the first voxel, outward normals (n_points, 3), and the surface.

    `mask` (z, y, x) uint8 holds the cell, `field` float32 the same smoothed; the mask is empty `margin` (3,) voxels, two at
    least, from every side (a flat mask has one plane and no margin along z).

    A plane has a face of axis a for every |n_a| / A_a of its surface, so that a face of area A_a stands for A_a |n_a| of the
    surface: the faces' sum is the surface (a perimeter when flat), and points drawn along it at equal steps are uniform by
    area. O(voxels + n_points).
    """
    shape = mask.shape
    area = np.ones(3)
    for axis in range(3):
        for other in range(3):
            if other != axis and not (flat and other == 0):
                area[axis] *= spacing[other]
    capacity = 1024
    faces = np.empty((capacity, 4), np.int32)
    share = np.empty(capacity)
    count = 0
    total = 0.0
    here = np.empty(3)
    beside = np.empty(3)
    for z in range(margin[0], shape[0] - margin[0]):
        for y in range(margin[1], shape[1] - margin[1]):
            for x in range(margin[2], shape[2] - margin[2]):
                if mask[z, y, x] == 0:
                    continue
                edge = mask[z, y - 1, x] & mask[z, y + 1, x] & mask[z, y, x - 1] & mask[z, y, x + 1]
                if edge and (flat or (mask[z - 1, y, x] & mask[z + 1, y, x])):
                    continue
                for side in range(2 if flat else 0, 6):
                    axis, step = side // 2, 2 * (side % 2) - 1
                    zz = z + (step if axis == 0 else 0)
                    yy = y + (step if axis == 1 else 0)
                    xx = x + (step if axis == 2 else 0)
                    if mask[zz, yy, xx] != 0:
                        continue
                    _slope(field, z, y, x, spacing, flat, here)
                    _slope(field, zz, yy, xx, spacing, flat, beside)
                    length = 0.0
                    for a in range(3):
                        length += (here[a] + beside[a]) ** 2
                    if length > 1e-12:
                        total += area[axis] * abs(here[axis] + beside[axis]) / np.sqrt(length)
                    if count == capacity:
                        capacity *= 2
                        larger, longer = np.empty((capacity, 4), np.int32), np.empty(capacity)
                        larger[:count], longer[:count] = faces, share
                        faces, share = larger, longer
                    faces[count, 0], faces[count, 1], faces[count, 2], faces[count, 3] = z, y, x, side
                    share[count] = total
                    count += 1
    points = np.empty((n_points, 3))
    normals = np.empty((n_points, 3))
    bound = 0.5 * min(spacing[1], spacing[2])
    if not flat:
        bound = min(bound, 0.5 * spacing[0])
    state = np.array([seed], np.uint64)
    at = np.empty(3)
    face = 0
    for i in range(n_points):
        wanted = (i + _uniform(state)) / n_points * total
        while face < count - 1 and share[face] <= wanted:
            face += 1
        axis, sign = faces[face, 3] // 2, 2.0 * (faces[face, 3] % 2) - 1
        for a in range(3):
            at[a] = faces[face, a]
            if a == axis:
                at[a] += 0.5 * sign
            elif not (flat and a == 0):
                at[a] += _uniform(state) - 0.5
        value = _look(field, at, spacing, flat, here, beside)
        length = np.sqrt(here[0] ** 2 + here[1] ** 2 + here[2] ** 2)
        if length > 1e-6:
            # the smoothed indicator is 1/2 on the surface: one step of Newton, no farther than half a voxel
            step = min(max((value - 0.5) / length, -bound), bound)
            for a in range(3):
                normals[i, a] = -here[a] / length
                points[i, a] = at[a] * spacing[a] + step * normals[i, a]
        else:  # the same on both sides of the face
            for a in range(3):
                normals[i, a] = sign if a == axis else 0.0
                points[i, a] = at[a] * spacing[a]
    return points, normals, total
