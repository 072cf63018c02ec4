"""Pairs of voxels of one cell at the diagonal lags of Crofton's formula."""

from __future__ import annotations

from cellgraph_clr._core.kernels import inner, kernel
from cellgraph_clr.cells.scan.columns import HEAD, LAGGED, MATCH, OFFSET_X, OFFSET_Y, OFFSET_Z, PLAIN, TAIL

__all__ = ["add_overlaps"]


@inner
def _add_matching(runs, lines, match, offset, overlaps):  # noqa: ANN001, ANN202
    """Do what `_add_between` does, for head and tail and an x lag of 1; the background is counted and ignored.

    At x lags of +1 and -1 two runs share as many x as at 0, but one less for every end that they have in common.
    """
    ends, rows = runs.ends, runs.rows
    plain, lagged = offset[PLAIN], offset[LAGGED]
    head, tail = match
    i, q0, j, q1 = lines
    a0, b0 = 0, 0
    for k in range(head + tail):
        if k == head:
            i, j = q0 - tail, q1 - tail
            a0, b0 = ends[i - 1], ends[j - 1]
        a1, b1 = ends[i], ends[j]
        row = rows[j]
        same = min(a1, b1) - max(a0, b0)
        if lagged >= 0:
            overlaps[row, lagged] += 2 * same - (a0 == b0) - (a1 == b1)
        if plain >= 0:
            overlaps[row, plain] += same
        a0, b0 = a1, b1
        i += 1
        j += 1


@inner
def _add_between(runs, lines, match_core, offset, overlaps):  # noqa: ANN001, ANN202
    """Add, per cell, how many x of line 1, between head and tail, have x, x - dx and x + dx of line 0 in the cell.

    Only where the higher of both x is own: at the x that follows head and tail in `match_core`, or beyond.
    """
    ends, rows = runs.ends, runs.rows
    dx, plain, lagged = offset[OFFSET_X], offset[PLAIN], offset[LAGGED]
    head, tail, core_x = match_core
    p0, q0, p1, q1 = lines
    j, q0, p1, q1 = p0 + head, q0 - tail, p1 + head, q1 - tail
    a0 = ends[p1 - 1] if head else 0
    for i in range(p1, q1):
        a1 = ends[i]
        row = rows[i]
        if row:
            while j < q0 - 1 and ends[j] + dx <= a0:
                j += 1
            same = 0
            aside = 0
            b0 = ends[j - 1] if j > p0 else 0
            for k in range(j, q0):
                if b0 - dx >= a1:
                    break
                b1 = ends[k]
                if rows[k] == row:
                    for side in range(-1, 2):
                        lag = side * dx  # x - lag of line 0
                        low = max(max(a0, b0 + lag), core_x + min(lag, 0))
                        n = max(min(a1, b1 + lag) - low, 0)
                        if side:
                            aside += n
                        else:
                            same += n
                b0 = b1
            if plain >= 0:
                overlaps[row, plain] += same
            if lagged >= 0:
                overlaps[row, lagged] += aside
        a0 = a1


@kernel
def add_overlaps(runs, place, tables, offsets, span):  # noqa: ANN001, ANN201
    """Count the overlaps of lines span[0] to span[1] - 1 with lines before them, where the higher voxel is own.

    `offsets` (g, N_OFFSETS) are the lines to compare with: line (z, y) with (z - dz, y - dy), dz >= 0, at the x lags 0,
    +dx and -dx. `tables` are the overlaps (n, N_OVERLAPS) and the matches of `match_lines`.
    """
    starts, n_y = runs.starts, place.n_y
    overlaps, matches = tables
    for line in range(span[0], span[1]):
        y, z = line % n_y, line // n_y
        at = line - runs.first_line
        for g in range(len(offsets) if z >= place.core_z else 0):
            offset = offsets[g]
            dz, dy = offset[OFFSET_Z], offset[OFFSET_Y]
            if z < dz or y < dy or y - dy >= n_y or max(y, y - dy) < place.core_y:
                continue
            other = at - dz * n_y - dy
            lines = starts[other], starts[other + 1], starts[at], starts[at + 1]
            head = tail = 0
            if offset[MATCH] >= 0:
                match = matches[line - span[0], offset[MATCH]]
                head, tail = match[HEAD], match[TAIL]
            _add_matching(runs, lines, (head, tail), offset, overlaps)
            _add_between(runs, lines, (head, tail, place.core_x), offset, overlaps)
