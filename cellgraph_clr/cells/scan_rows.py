"""The scan: runs of equal labels along x give sums per cell, face counts per pair and intensity sums, in one read.

A slab of planes is scanned by one thread with tables of its own, which grow: labels -> rows, rows -> sums, pairs of rows
-> faces per axis. Row 0 is the background. A run of n voxels adds its closed-form sums once, so the cost is O(runs), not
O(voxels), beside one vectorised comparison per voxel.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["N_INTENSITY", "N_SUMS", "scan_slab"]

# columns of the integer table: count, sums, second sums, box (inclusive), runs, border faces per axis
N_SUMS = 20
N_INTENSITY = 7  # sum, sum of squares (shifted), min, max, intensity-weighted z, y, x sums
HASH = np.uint64(0x9E3779B97F4A7C15)


@intrinsic
def _trailing_zeros(typingctx, x):  # noqa: ANN001, ANN202, ARG001
    def codegen(context, builder, signature, args):  # noqa: ANN001, ANN202, ARG001
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), codegen


@njit(cache=True, nogil=True)
def _row_runs(line, mask8, mask64, ends, start):  # noqa: ANN001, ANN202
    """Append the (exclusive) ends of the runs of `line` to `ends` from `start`; return the new length."""
    n = line.size
    for i in range(n - 1):
        mask8[i] = line[i] != line[i + 1]
    p = start
    for word in range((n + 7) // 8):
        bits = mask64[word]
        while bits:
            ends[p] = word * 8 + np.int64(_trailing_zeros(bits) >> np.uint64(3)) + 1
            p += 1
            bits &= bits - np.uint64(1)
    ends[p] = n
    return p + 1


@njit(cache=True, nogil=True)
def _grow_rows(sums, intensity):  # noqa: ANN001, ANN202
    n = len(sums)
    wider = np.empty((2 * n, sums.shape[1]), np.int64)
    wider[:n] = sums
    _clear_rows(wider, n)
    brighter = np.empty((2 * n, intensity.shape[1], N_INTENSITY))
    brighter[:n] = intensity
    _clear_intensity(brighter, n)
    return wider, brighter


@njit(cache=True, nogil=True)
def _clear_rows(sums, first):  # noqa: ANN001, ANN202
    sums[first:] = 0
    for axis in range(3):
        sums[first:, 10 + 2 * axis] = np.int64(1) << 62
        sums[first:, 11 + 2 * axis] = -1


@njit(cache=True, nogil=True)
def _clear_intensity(intensity, first):  # noqa: ANN001, ANN202
    intensity[first:] = 0.0
    intensity[first:, :, 2] = np.inf
    intensity[first:, :, 3] = -np.inf


@njit(cache=True, nogil=True)
def _grow_ids(keys, rows):  # noqa: ANN001, ANN202
    new_keys = np.zeros(2 * keys.size, np.uint64)
    new_rows = np.zeros(2 * keys.size, np.int32)
    mask = new_keys.size - 1
    for i in range(keys.size):
        if keys[i]:
            h = np.int64((keys[i] * HASH) >> np.uint64(32)) & mask
            while new_keys[h]:
                h = (h + 1) & mask
            new_keys[h] = keys[i]
            new_rows[h] = rows[i]
    return new_keys, new_rows


@njit(cache=True, nogil=True)
def _grow_pairs(keys, faces):  # noqa: ANN001, ANN202
    new_keys = np.zeros(2 * keys.size, np.uint64)
    new_faces = np.zeros((2 * keys.size, 3), np.int64)
    mask = new_keys.size - 1
    for i in range(keys.size):
        if keys[i]:
            h = np.int64((keys[i] * HASH) >> np.uint64(32)) & mask
            while new_keys[h]:
                h = (h + 1) & mask
            new_keys[h] = keys[i]
            new_faces[h] = faces[i]
    return new_keys, new_faces


@njit(cache=True, nogil=True)
def _add_faces(keys, faces, a, b, axis, n):  # noqa: ANN001, ANN202
    """Add n faces between rows a and b; return 1 when the pair is new."""
    if a > b:
        a, b = b, a
    key = (np.uint64(a) << np.uint64(32)) | np.uint64(b)
    mask = keys.size - 1
    h = np.int64((key * HASH) >> np.uint64(32)) & mask
    while True:
        found = keys[h]
        if found == key:
            faces[h, axis] += n
            return 0
        if found == 0:
            keys[h] = key
            faces[h, axis] = n
            return 1
        h = (h + 1) & mask


@njit(cache=True, nogil=True)
def _merge_lines(ends0, rows0, p0, q0, ends1, rows1, p1, q1, keys, faces, axis):  # noqa: ANN001, ANN202
    """Count the faces between two neighbouring lines given as runs; return the number of new pairs."""
    x = np.int64(0)
    new = 0
    i, j = p0, p1
    while i < q0 and j < q1:
        end0, end1 = ends0[i], ends1[j]
        end = min(end0, end1)
        a, b = rows0[i], rows1[j]
        if a != b:
            new += _add_faces(keys, faces, a, b, axis, end - x)
        x = end
        i += end0 == end
        j += end1 == end
    return new


@njit(cache=True, nogil=True)
def _add_run(s, z, y, x0, x1):  # noqa: ANN001, ANN202
    """Add the run [x0, x1) at (z, y) to the sums of its cell: closed forms, exact in int64."""
    n = x1 - x0
    sx = n * (x0 + x1 - 1) // 2
    hi, lo = x1 - 1, x0 - 1
    sxx = (hi * (hi + 1) * (2 * hi + 1) - lo * (lo + 1) * (2 * lo + 1)) // 6
    s[0] += n
    s[1] += z * n
    s[2] += y * n
    s[3] += sx
    s[4] += z * z * n
    s[5] += y * y * n
    s[6] += sxx
    s[7] += z * y * n
    s[8] += z * sx
    s[9] += y * sx
    s[10] = min(s[10], z)
    s[11] = max(s[11], z)
    s[12] = min(s[12], y)
    s[13] = max(s[13], y)
    s[14] = min(s[14], x0)
    s[15] = max(s[15], hi)
    s[16] += 1


@njit(cache=True, nogil=True)
def _add_intensity(a, line, shift, z, y, x0, x1):  # noqa: ANN001, ANN202
    total = 0.0
    square = 0.0
    first = 0.0
    low, high = np.inf, -np.inf
    for x in range(x0, x1):
        raw = np.float64(line[x])
        v = raw - shift
        total += v
        square += v * v
        first += raw * x
        low = min(low, raw)
        high = max(high, raw)
    a[0] += total
    a[1] += square
    a[2] = min(a[2], low)
    a[3] = max(a[3], high)
    raw_total = total + shift * (x1 - x0)
    a[4] += z * raw_total
    a[5] += y * raw_total
    a[6] += first


@njit(nogil=True, cache=True)
def scan_slab(labels, image, shift, z0, z1):  # noqa: ANN001, ANN201
    """Scan planes z0 to z1 of `labels` (z, y, x); plane z0 - 1 is read for the faces between slabs.

    Returns ids (n,), sums (n, N_SUMS), intensity (n, c, N_INTENSITY), pair keys (m,) of local rows and faces (m, 3);
    row 0 is the background, which has an id of 0 and no sums.
    """
    n_z, n_y, n_x = labels.shape
    n_channels = image.shape[0]
    mask8 = np.zeros((n_x + 7) // 8 * 8, np.uint8)
    mask64 = mask8.view(np.uint64)
    ends = np.empty((2, n_y * n_x), np.int32)
    rows = np.empty((2, n_y * n_x), np.int32)
    offset = np.zeros((2, n_y + 1), np.int64)
    id_keys = np.zeros(1024, np.uint64)
    id_rows = np.zeros(1024, np.int32)
    ids = np.zeros(1024, np.int64)
    sums = np.empty((1024, N_SUMS), np.int64)
    _clear_rows(sums, 0)
    intensity = np.empty((1024, n_channels, N_INTENSITY))
    _clear_intensity(intensity, 0)
    n_rows = 1
    pair_keys = np.zeros(8192, np.uint64)
    faces = np.zeros((8192, 3), np.int64)
    n_pairs = 0
    now = 0
    for z in range(z0 - 1 if z0 > 0 else z0, z1):
        own = z >= z0
        e, r, o = ends[now], rows[now], offset[now]
        before_e, before_r, before_o = ends[1 - now], rows[1 - now], offset[1 - now]
        p = 0
        for y in range(n_y):
            o[y] = p
            line = labels[z, y]
            q = _row_runs(line, mask8, mask64, e, p)
            # the most new pairs this line can add: inside it, with the line above, with the line of the plane before
            most = 3 * (q - p) + (p - o[y - 1] if y > 0 else 0) + (before_o[y + 1] - before_o[y] if z > 0 else 0)
            while own and 2 * (n_pairs + most) > pair_keys.size:
                pair_keys, faces = _grow_pairs(pair_keys, faces)
            x0 = np.int64(0)
            for run in range(p, q):
                x1 = np.int64(e[run])
                label = np.uint64(line[x0])
                row = np.int32(0)
                if label:
                    mask = id_keys.size - 1
                    h = np.int64((label * HASH) >> np.uint64(32)) & mask
                    while id_keys[h] and id_keys[h] != label:
                        h = (h + 1) & mask
                    if id_keys[h] == 0:
                        if n_rows == len(sums):
                            sums, intensity = _grow_rows(sums, intensity)
                            wider = np.zeros(2 * len(ids), np.int64)
                            wider[: len(ids)] = ids
                            ids = wider
                        id_keys[h] = label
                        id_rows[h] = n_rows
                        ids[n_rows] = np.int64(label)
                        row = np.int32(n_rows)
                        n_rows += 1
                        if 2 * n_rows > id_keys.size:
                            id_keys, id_rows = _grow_ids(id_keys, id_rows)
                    else:
                        row = id_rows[h]
                    if own:
                        s = sums[row]
                        _add_run(s, z, y, x0, x1)
                        n = x1 - x0
                        s[17] += n * ((z == 0) + (z == n_z - 1))
                        s[18] += n * ((y == 0) + (y == n_y - 1))
                        s[19] += (x0 == 0) + (x1 == n_x)
                        for c in range(n_channels):
                            _add_intensity(intensity[row, c], image[c, z, y], shift[c], z, y, x0, x1)
                r[run] = row
                if own and run > p:
                    n_pairs += _add_faces(pair_keys, faces, r[run - 1], row, 2, 1)
                x0 = x1
            if own:
                if y > 0:
                    n_pairs += _merge_lines(e, r, o[y - 1], p, e, r, p, q, pair_keys, faces, 1)
                if z > 0:
                    n_pairs += _merge_lines(
                        before_e, before_r, before_o[y], before_o[y + 1], e, r, p, q, pair_keys, faces, 0
                    )
            p = q
        o[n_y] = p
        now = 1 - now
    used = np.flatnonzero(pair_keys)
    return ids[:n_rows], sums[:n_rows], intensity[:n_rows], pair_keys[used], faces[used]
