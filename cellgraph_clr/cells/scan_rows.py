"""The scan: runs of equal labels along x give sums per cell, face counts per pair and intensity sums, in one read.

A block is scanned by one thread with tables of its own, which grow: labels -> rows, rows -> sums, pairs of rows -> faces
per axis. Row 0 is the background. A run of n voxels adds its closed-form sums once, so the cost is O(runs), not
O(voxels), beside one vectorised comparison per voxel.

A block may start with a halo on its low sides: voxels of blocks scanned before. Its voxels are not counted again; a pair
of voxels counts in the block that holds, axis by axis, the higher of the two. So every voxel and every pair counts once,
however the image is cut.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["N_INTENSITY", "N_LAGS", "N_SUMS", "row_runs", "scan_block"]

# columns of the integer table: count, sums, second sums, box (inclusive), border faces per axis
N_SUMS = 19
N_LAGS = 4  # families of diagonals: xy, xz, yz, xyz
N_INTENSITY = 7  # sum, sum of squares (shifted), min, max, intensity-weighted z, y, x sums
HASH = np.uint64(0x9E3779B97F4A7C15)


@intrinsic
def _trailing_zeros(typingctx, x):  # noqa: ANN001, ANN202, ARG001
    def codegen(context, builder, signature, args):  # noqa: ANN001, ANN202, ARG001
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), codegen


@intrinsic
def _changes(typingctx, labels, start):  # noqa: ANN001, ANN202, ARG001
    """Return 64 bits: bit i is set where element start + i of the flat memory of `labels` differs from the next."""

    def codegen(context, builder, signature, args):  # noqa: ANN001, ANN202
        array = context.make_array(signature.args[0])(context, builder, args[0])
        element = context.get_value_type(signature.args[0].dtype)
        vector = ir.VectorType(element, 64).as_pointer()
        one = ir.Constant(ir.IntType(64), 1)

        def load(index):  # noqa: ANN001, ANN202
            return builder.load(builder.bitcast(builder.gep(array.data, [index]), vector), align=element.width // 8)

        here, there = load(args[1]), load(builder.add(args[1], one))
        return builder.bitcast(builder.icmp_unsigned("!=", here, there), ir.IntType(64))

    return types.uint64(labels, types.int64), codegen


@njit(cache=True, nogil=True)
def row_runs(labels, z, y, ends, p):  # noqa: ANN001, ANN201
    """Write the (exclusive) ends of the runs of the C-contiguous labels[z, y] to `ends` from p; return the next p."""
    n = labels.shape[2]
    line = (z * labels.shape[1] + y) * n
    whole = (n - 1) // 64 * 64  # the last comparison of a block reads one element beyond it
    for start in range(0, whole, 64):
        bits = _changes(labels, line + start)
        while bits:
            ends[p] = start + np.int64(_trailing_zeros(bits)) + 1
            p += 1
            bits &= bits - np.uint64(1)
    for x in range(whole, n - 1):
        if labels[z, y, x] != labels[z, y, x + 1]:
            ends[p] = x + 1
            p += 1
    ends[p] = n
    return p + 1


@njit(cache=True, nogil=True)
def _cleared_sums(n):  # noqa: ANN001, ANN202
    sums = np.zeros((n, N_SUMS), np.int64)
    for axis in range(3):
        sums[:, 10 + 2 * axis] = np.int64(1) << 62
        sums[:, 11 + 2 * axis] = -1
    return sums


@njit(cache=True, nogil=True)
def _cleared_intensity(n, n_channels):  # noqa: ANN001, ANN202
    intensity = np.zeros((n, n_channels, N_INTENSITY))
    intensity[:, :, 2] = np.inf
    intensity[:, :, 3] = -np.inf
    return intensity


@njit(cache=True, nogil=True)
def _grow_table(keys, found):  # noqa: ANN001, ANN202
    """Return the hash table key -> row, twice as large."""
    new_keys = np.zeros(2 * keys.size, np.uint64)
    new_found = np.zeros(2 * keys.size, np.int32)
    mask = new_keys.size - 1
    for i in range(keys.size):
        if keys[i]:
            h = np.int64((keys[i] * HASH) >> np.uint64(32)) & mask
            while new_keys[h]:
                h = (h + 1) & mask
            new_keys[h] = keys[i]
            new_found[h] = found[i]
    return new_keys, new_found


@njit(cache=True, nogil=True)
def _pair_row(keys, found, pairs, n_pairs, a, b):  # noqa: ANN001, ANN202
    """Return the row of the pair of cells in rows a and b; the next one, `n_pairs`, when it is new."""
    if a > b:
        a, b = b, a
    key = (np.uint64(a) << np.uint64(32)) | np.uint64(b)
    mask = keys.size - 1
    h = np.int64((key * HASH) >> np.uint64(32)) & mask
    while keys[h] != key:
        if keys[h] == 0:
            keys[h] = key
            found[h] = n_pairs
            pairs[n_pairs] = key
            return np.int64(n_pairs)
        h = (h + 1) & mask
    return np.int64(found[h])


@njit(cache=True, nogil=True)
def _match(ends, rows, p0, q0, p1, q1):  # noqa: ANN001, ANN202
    """Return how many runs at the head and at the tail of two lines follow one another in both.

    Runs k of both lines match when they are of one cell and overlap. What lies between head and tail is for the general
    functions; one matching run on either side is left to them, so that no other run there comes within one voxel of
    the head or the tail. Neighbouring lines differ in few places, so most runs match.
    """
    n0, n1 = q0 - p0, q1 - p1
    n = min(n0, n1)
    head = 0
    a0 = b0 = np.int32(0)
    while head < n:
        a1, b1 = ends[p0 + head], ends[p1 + head]
        if rows[p0 + head] != rows[p1 + head] or max(a0, b0) >= min(a1, b1):
            break
        a0, b0 = a1, b1
        head += 1
    if head == n0 and head == n1:
        return head, 0
    head = max(head - 1, 0)
    tail = 0
    while tail < n - head:
        i, j = q0 - tail - 1, q1 - tail - 1
        a0 = ends[i - 1] if i > p0 else np.int32(0)
        b0 = ends[j - 1] if j > p1 else np.int32(0)
        if rows[i] != rows[j] or max(a0, b0) >= min(ends[i], ends[j]):
            break
        tail += 1
    return head, max(tail - 1, 0)


@njit(cache=True, nogil=True)
def _merge_lines(ends, rows, pairs_of, p0, q0, p1, q1, head, tail, x_first, axis, keys, found, pairs, faces, n_pairs):  # noqa: ANN001, ANN202
    """Count the faces at `x_first` and beyond between two lines; return the number of pairs.

    Between matching runs the faces are those of the pair at the end of the run, which `pairs_of` knows for line 1.
    """
    for k in range(min(head, q1 - p1 - 1)):
        faces[pairs_of[p1 + k], axis] += abs(ends[p0 + k] - ends[p1 + k])
    for k in range(tail + 1 if tail else 0, 1, -1):
        faces[pairs_of[q1 - k], axis] += abs(ends[q0 - k] - ends[q1 - k])
    i, j = p0 + head, p1 + head
    if i == q0:
        return n_pairs
    x = np.int64(max(ends[i - 1], ends[j - 1])) if head else np.int64(x_first)
    stop = np.int64(min(ends[q0 - tail - 1], ends[q1 - tail - 1]))
    while ends[i] <= x:
        i += 1
    while ends[j] <= x:
        j += 1
    while x < stop:
        end0, end1 = np.int64(ends[i]), np.int64(ends[j])
        end = min(end0, end1, stop)
        a, b = rows[i], rows[j]
        if a != b:
            pair = _pair_row(keys, found, pairs, n_pairs, a, b)
            n_pairs += pair == n_pairs
            faces[pair, axis] += end - x
        x = end
        i += end0 == end
        j += end1 == end
    return n_pairs


@njit(cache=True, nogil=True)
def _add_matching_overlaps(ends, rows, p0, p1, start0, start1, n, plain, shifted, lags):  # noqa: ANN001, ANN202
    """Do what `_add_overlaps` does, for n runs that match and a shift of 1; the background is counted and ignored."""
    a0, b0 = np.int64(start0), np.int64(start1)
    for k in range(n):
        a1, b1 = np.int64(ends[p0 + k]), np.int64(ends[p1 + k])
        row = rows[p1 + k]
        if shifted >= 0:
            lags[row, shifted] += min(b1, a1 + 1) - max(b0, a0 + 1) + min(b1, a1 - 1) - max(b0, a0 - 1)
        if plain >= 0:
            lags[row, plain] += min(a1, b1) - max(a0, b0)
        a0, b0 = a1, b1


@njit(cache=True, nogil=True)
def _add_overlaps(ends, rows, p0, q0, p1, q1, head, tail, x_first, shift, plain, shifted, lags):  # noqa: ANN001, ANN202
    """Add, per cell, how many x of line 1 have x (`plain`), x - shift and x + shift (`shifted`) of line 0 in the cell.

    Only where the higher of both x is `x_first` or beyond; a column below 0 is not wanted.
    """
    _add_matching_overlaps(ends, rows, p0, p1, 0, 0, head, plain, shifted, lags)
    if tail:
        i, j = q0 - tail, q1 - tail
        _add_matching_overlaps(ends, rows, i, j, ends[i - 1], ends[j - 1], tail, plain, shifted, lags)
    j = p0 + head
    a0 = np.int64(ends[p1 + head - 1]) if head else np.int64(0)
    for i in range(p1 + head, q1 - tail):
        a1 = np.int64(ends[i])
        row = rows[i]
        if row:
            while j < q0 - tail - 1 and ends[j] + shift <= a0:
                j += 1
            same = np.int64(0)
            aside = np.int64(0)
            low = max(a0, x_first)
            b0 = np.int64(ends[j - 1]) if j > p0 else np.int64(0)
            for k in range(j, q0 - tail):
                if b0 - shift >= a1:
                    break
                b1 = np.int64(ends[k])
                if rows[k] == row:
                    same += max(min(a1, b1) - max(low, b0), 0)
                    aside += max(min(a1, b1 + shift) - max(low, b0 + shift), 0)
                    aside += max(min(a1, b1 - shift) - max(max(a0, b0 - shift), x_first - shift), 0)
                b0 = b1
            if plain >= 0:
                lags[row, plain] += same
            if shifted >= 0:
                lags[row, shifted] += aside
        a0 = a1


@njit(cache=True, nogil=True)
def _find_rows(labels, z, y, ends, rows, p, q, keys, found, ids, n_rows):  # noqa: ANN001, ANN202
    """Write the table row of every run; new labels get the next rows. Return the number of rows."""
    mask = keys.size - 1
    x = np.int64(0)
    for run in range(p, q):
        label = np.uint64(labels[z, y, x])
        x = np.int64(ends[run])
        if label == 0:
            rows[run] = 0
            continue
        h = np.int64((label * HASH) >> np.uint64(32)) & mask
        while keys[h] != label and keys[h] != 0:
            h = (h + 1) & mask
        if keys[h] == 0:
            keys[h] = label
            found[h] = n_rows
            ids[n_rows] = label
            n_rows += 1
        rows[run] = found[h]
    return n_rows


@njit(cache=True, nogil=True)
def _add_runs(ends, rows, p, q, x_first, z, y, x_origin, x_size, z_border, y_border, sums):  # noqa: ANN001, ANN202
    """Add the runs of line (z, y) from `x_first` on to the sums of their cells: closed forms, exact in int64."""
    x0 = np.int64(0)
    for run in range(p, q):
        x1 = np.int64(ends[run])
        row = rows[run]
        if row and x1 > x_first:
            start, stop = max(x0, x_first) + x_origin, x1 + x_origin
            n = stop - start
            hi, lo = stop - 1, start - 1
            sx = (n * (hi + start)) >> 1
            sums[row, 0] += n
            sums[row, 1] += z * n
            sums[row, 2] += y * n
            sums[row, 3] += sx
            sums[row, 4] += z * z * n
            sums[row, 5] += y * y * n
            sums[row, 6] += (hi * (hi + 1) * (2 * hi + 1) - lo * (lo + 1) * (2 * lo + 1)) // 6
            sums[row, 7] += z * y * n
            sums[row, 8] += z * sx
            sums[row, 9] += y * sx
            sums[row, 10] = min(sums[row, 10], z)
            sums[row, 11] = max(sums[row, 11], z)
            sums[row, 12] = min(sums[row, 12], y)
            sums[row, 13] = max(sums[row, 13], y)
            sums[row, 14] = min(sums[row, 14], start)
            sums[row, 15] = max(sums[row, 15], hi)
            sums[row, 16] += n * z_border
            sums[row, 17] += n * y_border
            sums[row, 18] += (start == 0) + (stop == x_size)
        x0 = x1


@njit(cache=True, nogil=True)
def _add_light(line, ends, rows, p, q, x_first, z, y, x_origin, channel, shift, intensity):  # noqa: ANN001, ANN202
    """Add one channel of line (z, y); line[0] lies at `x_first`, whose coordinate is `x_first + x_origin`."""
    x0 = np.int64(0)
    for run in range(p, q):
        x1 = np.int64(ends[run])
        row = rows[run]
        if row and x1 > x_first:
            start = max(x0, x_first)
            total = 0.0
            square = 0.0
            first = 0.0
            low, high = np.inf, -np.inf
            for x in range(start, x1):
                raw = np.float64(line[x - x_first])
                v = raw - shift
                total += v
                square += v * v
                first += v * (x - start)
                low = min(low, raw)
                high = max(high, raw)
            n = x1 - start
            left = start + x_origin
            raw_total = total + shift * n
            intensity[row, channel, 0] += total
            intensity[row, channel, 1] += square
            intensity[row, channel, 2] = min(intensity[row, channel, 2], low)
            intensity[row, channel, 3] = max(intensity[row, channel, 3], high)
            intensity[row, channel, 4] += z * raw_total
            intensity[row, channel, 5] += y * raw_total
            intensity[row, channel, 6] += first + shift * (n * (n - 1) // 2) + left * raw_total
        x0 = x1


@njit(cache=True, nogil=True)
def _add_x_faces(ends, rows, pairs_of, p0, p1, q1, head, x_first, keys, found, pairs, faces, n_pairs):  # noqa: ANN001, ANN202
    """Count the faces between neighbouring runs of line 1 from `x_first` on; return the number of pairs.

    The pair at the end of each run is kept in `pairs_of`; where the head of the line matches line 0 it is the pair there.
    """
    for k in range(head):
        pair = pairs_of[p0 + k]
        pairs_of[p1 + k] = pair
        faces[pair, 2] += 1
    for run in range(p1 + head, q1 - 1):
        pair = _pair_row(keys, found, pairs, n_pairs, rows[run], rows[run + 1])
        n_pairs += pair == n_pairs
        pairs_of[run] = pair
        faces[pair, 2] += ends[run] >= x_first
    return n_pairs


@njit(nogil=True, cache=True)
def scan_block(labels, image, shift, core, origin, shape, lines):  # noqa: ANN001, ANN201
    """Scan one block of a label image.

    labels (z, y, x) unsigned, the halo on the low sides included; core (3,) is the index of the first voxel after it;
    image (c, z, y, x) and shift (c,) cover the core; origin (3,) is the place of labels[0, 0, 0] in the whole image of
    `shape`. `lines` (g, 5) are the lags of Crofton's formula: line (z, y) is compared with (z - dz, y - dy), dz >= 0, at
    the shifts 0, +dx and -dx; the last two columns are where the plain and the shifted overlaps go, below 0 nowhere.

    Returns ids (n,) uint64, sums (n, N_SUMS), lags (n, N_LAGS), intensity (n, c, N_INTENSITY), pair keys (m,)
    of local rows and faces (m, 3); row 0 is the background, which has an id of 0 and no sums.
    """
    n_z, n_y, n_x = labels.shape
    n_channels = image.shape[0]
    kept = 1  # planes before this one whose runs are looked at again
    for g in range(len(lines)):
        kept = max(kept, lines[g, 0])
    plane = n_y * n_x
    ends = np.empty((kept + 1) * plane, np.int32)
    rows = np.empty((kept + 1) * plane, np.int32)
    pairs_of = np.empty((kept + 1) * plane, np.int32)  # the pair of cells that meets at the end of each run
    first = np.zeros((kept + 1, n_y + 1), np.int64)  # where the runs of each line start
    id_keys = np.zeros(1024, np.uint64)
    id_rows = np.zeros(1024, np.int32)
    ids = np.zeros(1024, np.uint64)
    sums = _cleared_sums(1024)
    lags = np.zeros((1024, N_LAGS), np.int64)
    intensity = _cleared_intensity(1024, n_channels)
    n_rows = 1
    pair_keys = np.zeros(8192, np.uint64)
    pair_rows = np.zeros(8192, np.int32)
    pairs = np.zeros(4096, np.uint64)
    faces = np.zeros((4096, 3), np.int64)
    n_pairs = 0
    x_core = np.int64(core[2])
    for z in range(n_z):
        own_z = z >= core[0]
        now, before = z % (kept + 1), (z - 1) % (kept + 1)
        gz = z + origin[0]
        p = now * plane
        first[now, 0] = p
        for y in range(n_y):
            q = row_runs(labels, z, y, ends, p)
            own = own_z and y >= core[1]
            gy = y + origin[1]
            if n_rows + q - p > len(ids):
                more = max(len(ids), q - p)
                sums = np.concatenate((sums, _cleared_sums(more)))
                lags = np.concatenate((lags, np.zeros((more, N_LAGS), np.int64)))
                intensity = np.concatenate((intensity, _cleared_intensity(more, n_channels)))
                ids = np.concatenate((ids, np.zeros(more, np.uint64)))
            while 2 * (n_rows + q - p) > id_keys.size:
                id_keys, id_rows = _grow_table(id_keys, id_rows)
            n_rows = _find_rows(labels, z, y, ends, rows, p, q, id_keys, id_rows, ids, n_rows)
            first[now, y + 1] = q
            same_y, same_z = (0, 0), (0, 0)
            p_y, p_z, q_z = p, p, p
            if own:
                p_y = first[now, y - 1] if y > 0 else p
                p_z, q_z = (first[before, y], first[before, y + 1]) if z > 0 else (p, p)
                more = 3 * (q - p) + p - p_y + q_z - p_z  # the most new pairs possible
                while 2 * (n_pairs + more) > pair_keys.size:
                    pair_keys, pair_rows = _grow_table(pair_keys, pair_rows)
                if n_pairs + more > len(pairs):
                    more = max(len(pairs), more)
                    pairs = np.concatenate((pairs, np.zeros(more, np.uint64)))
                    faces = np.concatenate((faces, np.zeros((more, 3), np.int64)))
                z_border = (gz == 0) + (gz == shape[0] - 1)
                y_border = (gy == 0) + (gy == shape[1] - 1)
                _add_runs(ends, rows, p, q, x_core, gz, gy, origin[2], shape[2], z_border, y_border, sums)
                for c in range(n_channels):
                    _add_light(
                        image[c, z - core[0], y - core[1]],
                        ends,
                        rows,
                        p,
                        q,
                        x_core,
                        gz,
                        gy,
                        origin[2],
                        c,
                        shift[c],
                        intensity,
                    )
                same_y = _match(ends, rows, p_y, p, p, q) if y > core[1] and x_core == 0 else (0, 0)
                known = min(same_y[0], q - p - 1)
                n_pairs = _add_x_faces(
                    ends, rows, pairs_of, p_y, p, q, known, x_core, pair_keys, pair_rows, pairs, faces, n_pairs
                )
                if y > 0:
                    head, tail = same_y
                    n_pairs = _merge_lines(
                        ends,
                        rows,
                        pairs_of,
                        p_y,
                        p,
                        p,
                        q,
                        head,
                        tail,
                        x_core,
                        1,
                        pair_keys,
                        pair_rows,
                        pairs,
                        faces,
                        n_pairs,
                    )
                if z > 0:
                    same_z = _match(ends, rows, p_z, q_z, p, q) if x_core == 0 else (0, 0)
                    head, tail = same_z
                    n_pairs = _merge_lines(
                        ends,
                        rows,
                        pairs_of,
                        p_z,
                        q_z,
                        p,
                        q,
                        head,
                        tail,
                        x_core,
                        0,
                        pair_keys,
                        pair_rows,
                        pairs,
                        faces,
                        n_pairs,
                    )
            if own_z:
                for g in range(len(lines)):
                    other_z, other = z - lines[g, 0], y - lines[g, 1]
                    if other_z >= 0 and 0 <= other < n_y and max(y, other) >= core[1]:
                        w = other_z % (kept + 1)
                        p0, q0 = first[w, other], first[w, other + 1]
                        if lines[g, 2] > 1 or x_core > 0:
                            head, tail = 0, 0
                        elif own and p0 == p_y and y > core[1]:
                            head, tail = same_y
                        elif own and p0 == p_z:
                            head, tail = same_z
                        else:
                            head, tail = _match(ends, rows, p0, q0, p, q)
                        _add_overlaps(
                            ends, rows, p0, q0, p, q, head, tail, x_core, lines[g, 2], lines[g, 3], lines[g, 4], lags
                        )
            p = q
    return ids[:n_rows], sums[:n_rows], lags[:n_rows], intensity[:n_rows], pairs[:n_pairs], faces[:n_pairs]
