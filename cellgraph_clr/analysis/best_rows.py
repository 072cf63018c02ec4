"""The k highest of each row of similarities, kept while blocks of columns come by; of all cells, or of those apart in space."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.kernels import called, kernel

__all__ = ["NOWHERE", "keep_best"]

STRETCH = 256  # columns looked at together before any of them is
NOWHERE = (
    np.zeros((0, 2)),
    np.zeros(0, np.int64),
    np.zeros(0),
)  # position, image and squared radius where no cell is near


@called
def _worse(value, row, i, j):  # noqa: ANN001, ANN202
    """Whether entry i is worse than entry j: less alike, or as alike and later."""
    return value[i] < value[j] or (value[i] == value[j] and row[i] > row[j])


@called
def _replace_worst(value, row, new_value, new_row):  # noqa: ANN001, ANN202
    """Put an entry in the place of the worst, which a binary heap holds at its top. O(log k)."""
    value[0], row[0] = new_value, new_row
    i, k = 0, len(value)
    while True:
        child = 2 * i + 1
        if child >= k:
            return
        if child + 1 < k and _worse(value, row, child + 1, child):
            child += 1
        if not _worse(value, row, child, i):
            return
        value[i], value[child] = value[child], value[i]
        row[i], row[child] = row[child], row[i]
        i = child


@called
def _any_above(line, limit):  # noqa: ANN001, ANN202
    """Whether any of a line exceeds the limit; written so that it is compiled to vector instructions."""
    found = np.int32(0)
    for j in range(len(line)):
        found = np.int32(found | np.int32(line[j] > limit))
    return found != 0


@called
def _apart(i, j, position, image, squared_radius):  # noqa: ANN001, ANN202
    """Whether cell j is another cell than i, of another image or farther than the radius of i."""
    if i == j:
        return False
    if image[i] != image[j]:
        return True
    squared = 0.0
    for axis in range(position.shape[1]):
        squared += (position[i, axis] - position[j, axis]) ** 2
    return squared > squared_radius[i]


@kernel
def keep_best(similarity, rows, columns, position, image, squared_radius, value, row):  # noqa: ANN001, ANN201
    """Take the cells `columns` (b,) into the k best of the cells `rows` (q,), unless they are the same or near in their image.

    `similarity` (q, b) float32. `value` (n, k) float32 and `row` (n, k), of all cells, are changed in place: heaps, worst entry
    first; what `value` starts at never enters. Columns must come in order, so that of equals the earlier stay. Where
    `squared_radius` is empty no cell is near, nor the same. One pass, and one distance for every entry that would enter:
    O(q b + q k log k log n).
    """
    n, any_near = similarity.shape[1], len(squared_radius) > 0
    for q in range(len(rows)):
        i = rows[q]
        line, best, at = similarity[q], value[i], row[i]
        for start in range(0, n, STRETCH):
            stop = min(start + STRETCH, n)
            if _any_above(line[start:stop], best[0]):
                for j in range(start, stop):
                    if line[j] > best[0] and (not any_near or _apart(i, columns[j], position, image, squared_radius)):
                        _replace_worst(best, at, line[j], columns[j])
