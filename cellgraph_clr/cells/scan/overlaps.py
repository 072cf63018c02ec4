"""Pairs of voxels of one cell at the diagonal lags of Crofton's formula."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellgraph_clr.cells.scan.columns import LAGGED, OFFSET_X, OFFSET_Y, OFFSET_Z, PLAIN, Y, Z
from cellgraph_clr.cells.scan.lines import Lines, matched, unmatched
from cellgraph_clr.cells.scan.runs import inner, kernel

__all__ = ["add_overlaps"]


class Lag(NamedTuple):
    """The x lag, the columns for x lags of 0 and of +dx and -dx (below 0 nowhere), and the first x that is own."""

    dx: int
    plain: int
    lagged: int
    core_x: int


@inner
def _add_matching(runs, starts, n, lag, overlaps):  # noqa: ANN001, ANN202
    """Do what `_add_between` does, for n runs that match and an x lag of 1; the background is counted and ignored.

    `starts` are the first of these runs in lines 0 and 1, and the x where they start.
    """
    ends, rows = runs.ends, runs.rows
    plain, lagged = lag.plain, lag.lagged
    p0, p1, a0, b0 = starts
    for k in range(n):
        a1, b1 = np.int64(ends[p0 + k]), np.int64(ends[p1 + k])
        row = rows[p1 + k]
        if lagged >= 0:
            overlaps[row, lagged] += min(b1, a1 + 1) - max(b0, a0 + 1) + min(b1, a1 - 1) - max(b0, a0 - 1)
        if plain >= 0:
            overlaps[row, plain] += min(a1, b1) - max(a0, b0)
        a0, b0 = a1, b1


@inner
def _add_between(runs, lines, lag, overlaps):  # noqa: ANN001, ANN202
    """Add, per cell, how many x of line 1, between head and tail, have x, x - dx and x + dx of line 0 in the cell.

    Only where the higher of both x is own.
    """
    ends, rows = runs.ends, runs.rows
    dx, plain, lagged, core_x = lag
    p0, q0, p1, q1, head, tail = lines
    j = p0 + head
    a0 = np.int64(ends[p1 + head - 1]) if head else np.int64(0)
    for i in range(p1 + head, q1 - tail):
        a1 = np.int64(ends[i])
        row = rows[i]
        if row:
            while j < q0 - tail - 1 and ends[j] + dx <= a0:
                j += 1
            same = np.int64(0)
            aside = np.int64(0)
            low = max(a0, core_x)
            b0 = np.int64(ends[j - 1]) if j > p0 else np.int64(0)
            for k in range(j, q0 - tail):
                if b0 - dx >= a1:
                    break
                b1 = np.int64(ends[k])
                if rows[k] == row:
                    same += max(min(a1, b1) - max(low, b0), 0)
                    aside += max(min(a1, b1 + dx) - max(low, b0 + dx), 0)
                    aside += max(min(a1, b1 - dx) - max(max(a0, b0 - dx), core_x - dx), 0)
                b0 = b1
            if plain >= 0:
                overlaps[row, plain] += same
            if lagged >= 0:
                overlaps[row, lagged] += aside
        a0 = a1


@inner
def _matched_before(runs, place, match, line0, line1):  # noqa: ANN001, ANN202
    """Return two lines and how many runs match, from `match` of line 1 where that is known from its faces."""
    y, z = line1 % place.n_y, line1 // place.n_y
    own = z >= place.core_z and y >= place.core_y
    if own and line0 == line1 - 1 and y > place.core_y:
        p0, q0, p1, q1, _, _ = unmatched(runs, line0, line1)
        return Lines(p0, q0, p1, q1, match[Y, 0], match[Y, 1])
    if own and line0 == line1 - place.n_y:
        p0, q0, p1, q1, _, _ = unmatched(runs, line0, line1)
        return Lines(p0, q0, p1, q1, match[Z, 0], match[Z, 1])
    return matched(runs, line0, line1)


@kernel
def add_overlaps(runs, place, tables, offsets, span):  # noqa: ANN001, ANN201
    """Count the overlaps of lines span[0] to span[1] - 1 with lines before them, where the higher voxel is own.

    `offsets` (g, N_OFFSETS) are the lines to compare with: line (z, y) with (z - dz, y - dy), dz >= 0, at the x lags 0,
    +dx and -dx. `tables` are the overlaps (n, N_OVERLAPS) and the matches that `add_faces` found.
    """
    overlaps, matches = tables
    for line1 in range(span[0], span[1]):
        y, z = line1 % place.n_y, line1 // place.n_y
        for g in range(len(offsets) if z >= place.core_z else 0):
            z0, y0 = z - offsets[g, OFFSET_Z], y - offsets[g, OFFSET_Y]
            if z0 < 0 or y0 < 0 or y0 >= place.n_y or max(y, y0) < place.core_y:
                continue
            line0 = z0 * place.n_y + y0
            lag = Lag(offsets[g, OFFSET_X], offsets[g, PLAIN], offsets[g, LAGGED], place.core_x)
            if lag.dx > 1 or place.core_x > 0:
                lines = unmatched(runs, line0, line1)
            else:
                lines = _matched_before(runs, place, matches[line1 - span[0]], line0, line1)
            p0, q0, p1, q1, head, tail = lines
            _add_matching(runs, (p0, p1, np.int64(0), np.int64(0)), head, lag, overlaps)
            _add_between(runs, lines, lag, overlaps)
            if tail:
                i, j = q0 - tail, q1 - tail
                _add_matching(runs, (i, j, np.int64(runs.ends[i - 1]), np.int64(runs.ends[j - 1])), tail, lag, overlaps)
