"""Which runs of two lines follow one another in both: neighbouring lines differ in few places, so most of them do."""

from __future__ import annotations

from cellgraph_clr._core.kernels import inner, kernel
from cellgraph_clr.cells.scan.columns import HEAD, OFFSET_Y, OFFSET_Z, TAIL

__all__ = ["match_lines"]


@inner
def _head(ends, rows, line0, line1):  # noqa: ANN001, ANN202
    """Return how many runs at the head of two lines are of one cell and overlap, one by one."""
    p0, q0 = line0
    p1, q1 = line1
    n = min(q0 - p0, q1 - p1)
    head = 0
    a0 = b0 = 0
    while head < n:
        a1, b1 = ends[p0 + head], ends[p1 + head]
        if rows[p0 + head] != rows[p1 + head] or max(a0, b0) >= min(a1, b1):
            break
        a0, b0 = a1, b1
        head += 1
    return head


@inner
def _tail(ends, rows, line0, line1, most):  # noqa: ANN001, ANN202
    """Return how many runs at the tail of two lines are of one cell and overlap, one by one, up to `most`."""
    p0, q0 = line0
    p1, q1 = line1
    tail = 0
    while tail < most:
        i, j = q0 - tail - 1, q1 - tail - 1
        a0 = ends[i - 1] if i > p0 else 0
        b0 = ends[j - 1] if j > p1 else 0
        if rows[i] != rows[j] or max(a0, b0) >= min(ends[i], ends[j]):
            break
        tail += 1
    return tail


@kernel
def match_lines(runs, place, neighbors, matches, span):  # noqa: ANN001, ANN201
    """Write how many runs at the head and at the tail of lines span[0] to span[1] - 1 match those of lines before them.

    neighbors (k, N_OFFSETS) tell how far before; matches (lines, k, 2) take what is found, where there is such a line::

        line 0   |  a  |   b   |  c   | d |    e    |
        line 1   |   a   |  b |     f     |   e     |
                  head = 1              tail = 0

    Runs match when they are of one cell and overlap. One matching run on either side is left to the general functions, so
    that no other run there comes within one voxel of the head or the tail.
    """
    ends, rows, starts, n_y = runs.ends, runs.rows, runs.starts, place.n_y
    for line in range(span[0], span[1]):
        y, z = line % n_y, line // n_y
        at = line - runs.first_line
        for k in range(len(neighbors) if z >= place.core_z else 0):
            dz, dy = neighbors[k, OFFSET_Z], neighbors[k, OFFSET_Y]
            if z < dz or y < dy or y - dy >= n_y:
                continue
            other = at - dz * n_y - dy
            line0, line1 = (starts[other], starts[other + 1]), (starts[at], starts[at + 1])
            n0, n1 = line0[1] - line0[0], line1[1] - line1[0]
            head = _head(ends, rows, line0, line1)
            tail = 0
            if head < max(n0, n1):
                head = max(head - 1, 0)
                tail = max(_tail(ends, rows, line0, line1, min(n0, n1) - head) - 1, 0)
            matches[line - span[0], k, HEAD] = head
            matches[line - span[0], k, TAIL] = tail
