"""Two lines side by side: neighbouring lines differ in few places, so most of their runs match one to one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellgraph_clr.cells.scan.runs import inner

__all__ = ["Lines", "matched", "unmatched"]


class Lines(NamedTuple):
    """The runs p0 to q0 - 1 of line 0 beside p1 to q1 - 1 of line 1, of which `head` and `tail` runs match one to one.

    ::

        line 0   |  a  |   b  |  c  | d |    e    |
        line 1   |   a  |   b |   f     |   e     |
                  head = 1               tail = 0
    """

    p0: int
    q0: int
    p1: int
    q1: int
    head: int
    tail: int


@inner
def unmatched(runs, line0, line1):  # noqa: ANN001, ANN201
    """Return two lines without a look at which runs match."""
    starts, first = runs.starts, runs.first_line
    return Lines(
        starts[line0 - first], starts[line0 + 1 - first], starts[line1 - first], starts[line1 + 1 - first], 0, 0
    )


@inner
def matched(runs, line0, line1):  # noqa: ANN001, ANN201
    """Return two lines, and how many runs at the head and at the tail follow one another in both.

    Runs k of both lines match when they are of one cell and overlap. What lies between head and tail is for the general
    functions; one matching run on either side is left to them, so that no other run there comes within one voxel of
    the head or the tail.
    """
    ends, rows = runs.ends, runs.rows
    p0, q0, p1, q1, _, _ = unmatched(runs, line0, line1)
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
        return Lines(p0, q0, p1, q1, head, 0)
    head = max(head - 1, 0)
    tail = 0
    while tail < n - head:
        i, j = q0 - tail - 1, q1 - tail - 1
        a0 = ends[i - 1] if i > p0 else np.int32(0)
        b0 = ends[j - 1] if j > p1 else np.int32(0)
        if rows[i] != rows[j] or max(a0, b0) >= min(ends[i], ends[j]):
            break
        tail += 1
    return Lines(p0, q0, p1, q1, head, max(tail - 1, 0))
