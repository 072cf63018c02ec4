"""Exact neighbours within a radius and nearest neighbours, by points sorted into a grid of bins (cell lists).

Points of one bin lie side by side in memory and are searched one after the other, so that the candidates of a query are
in cache from the query before. Ties in distance go to the lower row, so results do not depend on order or threads.
"""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.kernels import kernel

__all__ = ["bins_of", "fill_within", "nearest", "undirected"]


def bins_of(
    position: np.ndarray, low: np.ndarray, size: float, shape: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort points (n, 3) into bins of edge `size`: return their order, the sorted points (3, n), and where each bin starts."""
    n, n_bins = len(position), int(shape.prod())
    key, starts, at = np.empty(n, np.int64), np.zeros(n_bins + 1, np.int64), np.empty(n_bins, np.int64)
    order, points = np.empty(n, np.int32), np.empty((3, n))
    _sort_into_bins(position, low, size, shape, key, starts, at, order, points)
    return order, points, starts


@kernel
def _sort_into_bins(position, low, size, shape, key, starts, at, order, points):  # noqa: ANN001, ANN202
    """Write what `bins_of` returns; `key` (n,) and `at` (bins,) are scratch, `starts` is 0."""
    n = len(position)
    for i in range(n):
        k = np.int64(0)
        for axis in range(3):
            k = k * shape[axis] + min(max(np.int64((position[i, axis] - low[axis]) / size), 0), shape[axis] - 1)
        key[i] = k
        starts[k + 1] += 1
    for b in range(len(at)):
        at[b] = starts[b]
        starts[b + 1] += starts[b]
    for i in range(n):
        p = at[key[i]]
        at[key[i]] += 1
        order[p] = i
        for axis in range(3):
            points[axis, p] = position[i, axis]


@kernel
def nearest(points, order, starts, low, size, shape, k, first, last, index, distance):  # noqa: ANN001, ANN201
    """Write the k nearest other points of the sorted points first to last into rows `order` of index and distance."""
    best = np.empty(k)
    who = np.empty(k, np.int64)
    span = max(shape[0], shape[1], shape[2])
    at = np.zeros(3, np.int64)
    for i in range(first, last):
        for axis in range(3):
            at[axis] = min(max(np.int64((points[axis, i] - low[axis]) / size), 0), shape[axis] - 1)
        found = 0
        for ring in range(span + 1):
            for z in range(max(at[0] - ring, 0), min(at[0] + ring, shape[0] - 1) + 1):
                for y in range(max(at[1] - ring, 0), min(at[1] + ring, shape[1] - 1) + 1):
                    whole = abs(z - at[0]) == ring or abs(y - at[1]) == ring
                    row = (z * shape[1] + y) * shape[2]
                    x = at[2] - ring
                    while x <= at[2] + ring:
                        x_last = x
                        if whole:  # the row of bins belongs to the ring as a whole
                            x, x_last = max(x, 0), min(at[2] + ring, shape[2] - 1)
                        if x >= 0 and x_last < shape[2]:
                            for q in range(starts[row + x], starts[row + x_last + 1]):
                                d = (
                                    (points[0, q] - points[0, i]) ** 2
                                    + (points[1, q] - points[1, i]) ** 2
                                    + (points[2, q] - points[2, i]) ** 2
                                )
                                if q == i or (found == k and d > best[k - 1]):
                                    continue
                                if found == k and d == best[k - 1] and order[q] > who[k - 1]:
                                    continue
                                p = found if found < k else k - 1
                                found = min(found + 1, k)
                                while p > 0 and (best[p - 1] > d or (best[p - 1] == d and who[p - 1] > order[q])):
                                    best[p] = best[p - 1]
                                    who[p] = who[p - 1]
                                    p -= 1
                                best[p] = d
                                who[p] = order[q]
                        x = at[2] + ring + 1 if whole or ring == 0 else x + 2 * ring
            if found == k:
                reach = np.inf  # how far from the point every bin was seen
                for axis in range(3):
                    here = points[axis, i] - low[axis]
                    if at[axis] - ring > 0:
                        reach = min(reach, here - (at[axis] - ring) * size)
                    if at[axis] + ring < shape[axis] - 1:
                        reach = min(reach, (at[axis] + ring + 1) * size - here)
                if reach > 0 and best[k - 1] < reach * reach * (1 - 1e-12):
                    break
        for j in range(k):
            index[order[i], j] = who[j]
            distance[order[i], j] = np.sqrt(best[j])


@kernel
def fill_within(points, order, starts, low, size, shape, radius, first, last, degree, indptr, index, distance):  # noqa: ANN001, ANN201
    """Write the other points within `radius` (at most one bin) and their distances, by row; count only without indptr."""
    counting = len(indptr) == 0
    limit = radius * radius
    for i in range(first, last):
        pz, py, px = points[0, i], points[1, i], points[2, i]
        cz = min(max(np.int64((pz - low[0]) / size), 0), shape[0] - 1)
        cy = min(max(np.int64((py - low[1]) / size), 0), shape[1] - 1)
        cx = min(max(np.int64((px - low[2]) / size), 0), shape[2] - 1)
        n = 0
        base = 0 if counting else indptr[order[i]]
        for z in range(max(cz - 1, 0), min(cz + 1, shape[0] - 1) + 1):
            for y in range(max(cy - 1, 0), min(cy + 1, shape[1] - 1) + 1):
                row = (z * shape[1] + y) * shape[2]
                begin, end = starts[row + max(cx - 1, 0)], starts[row + min(cx + 1, shape[2] - 1) + 1]
                if counting:  # without a branch in the loop, which is compiled to vector instructions
                    for q in range(begin, end):
                        d = (points[0, q] - pz) ** 2 + (points[1, q] - py) ** 2 + (points[2, q] - px) ** 2
                        n += d <= limit
                    continue
                for q in range(begin, end):
                    d = (points[0, q] - pz) ** 2 + (points[1, q] - py) ** 2 + (points[2, q] - px) ** 2
                    if d <= limit and q != i:
                        p = base + n  # insertion keeps the row sorted
                        while p > base and index[p - 1] > order[q]:
                            index[p] = index[p - 1]
                            distance[p] = distance[p - 1]
                            p -= 1
                        index[p] = order[q]
                        distance[p] = np.sqrt(d)
                        n += 1
        if counting:
            degree[order[i]] = n - 1  # itself


def undirected(index: np.ndarray, distance: np.ndarray, mutual: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # noqa: FBT001
    """Return the lists of who is in either list of two points or (`mutual`) in both: indptr, rows (ascending), distances.

    The lists given are sorted in place.
    """
    from scipy.sparse import csr_array

    n, k = index.shape
    starts = np.arange(n + 1, dtype=np.int32 if n * k < 2**31 else np.int64) * k
    own = csr_array((distance.ravel(), index.ravel(), starts), (n, n))
    others = own.T.tocsr()  # who names a row, ascending
    own.sort_indices()
    indptr = np.empty(n + 1, np.int64)
    rows, length = np.empty((1 if mutual else 2) * n * k, np.int32), np.empty((1 if mutual else 2) * n * k, np.float32)
    _merged(own.indptr, own.indices, own.data, others.indptr, others.indices, others.data, mutual, indptr, rows, length)
    for room in (rows, length):
        room.resize(indptr[-1], refcheck=False)
    return indptr, rows, length


@kernel
def _merged(starts, own, own_length, other_starts, others, other_length, mutual, indptr, rows, length):  # noqa: ANN001, ANN202
    """Write the merged lists of two ascending ones a row, whom it names and who names it."""
    m = 0
    indptr[0] = 0
    for i in range(len(starts) - 1):
        a, b, a_end, b_end = starts[i], other_starts[i], starts[i + 1], other_starts[i + 1]
        while a < a_end or b < b_end:
            first = b == b_end or (a < a_end and own[a] <= others[b])
            second = a == a_end or (b < b_end and others[b] <= own[a])
            other, d = (own[a], own_length[a]) if first else (others[b], other_length[b])
            a += first
            b += second
            if (first and second) or not mutual:
                rows[m], length[m] = other, d
                m += 1
        indptr[i + 1] = m
