"""Faces between touching cells, per pair and axis, and with them the diagonals between neighboring lines.

How often two voxels of one cell, x and x + 1 or x - 1, lie in two lines follows from their faces and from the places where runs
of both lines end. With a(x) and b(x) 1 where the lines are of the cell and 0 elsewhere, the sum over x of
a(x) (2 b(x) - b(x - 1) - b(x + 1)) is that of (a(x + 1) - a(x)) (b(x + 1) - b(x)), which is not 0 only where both change, and
a b at the first and the last x of the image. (Our derivation; summation by parts.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellgraph_clr._core.kernels import called, inner, kernel
from cellgraph_clr.cells.scan.columns import COMMON, HEAD, TAIL, X, Y, Z
from cellgraph_clr.cells.scan.sums import Rows, row_of_key

__all__ = ["Pairs", "add_faces"]


class Pairs(NamedTuple):
    """Pairs of rows of cells, keyed by both; what is counted of them (n, N_OF_PAIRS); the pair at the end of each run."""

    rows: Rows
    faces: np.ndarray  # int64
    of_runs: np.ndarray  # int32


@called
def _pair_row(known, a, b):  # noqa: ANN001, ANN202
    """Return the row of the pair of cells in rows a and b; a new pair gets the next one."""
    if a > b:
        a, b = b, a
    return row_of_key(known, (np.uint64(a) << np.uint64(32)) | np.uint64(b))


@inner
def _add_x_faces(runs, lines, match, x_first, pairs):  # noqa: ANN001, ANN202
    """Count the faces between neighbouring runs of line 1 from `x_first` on.

    The pair at the end of each run is kept; where runs match it is that of the runs of line 0.
    """
    ends, rows, pairs_of, faces = runs.ends, runs.rows, pairs.of_runs, pairs.faces
    p0, q0, p1, q1 = lines
    head, tail = match
    for run in range(p1, q1 - 1):
        if run < p1 + head:
            pair = np.int64(pairs_of[run - p1 + p0])
        elif run >= q1 - 1 - tail:
            pair = np.int64(pairs_of[run - q1 + q0])
        else:
            pair = _pair_row(pairs.rows, rows[run], rows[run + 1])
        pairs_of[run] = pair
        faces[pair, X] += ends[run] >= x_first


@inner
def _add_common_end(rows, i, j, diagonals):  # noqa: ANN001, ANN202
    """Subtract a common end of run i of line 0 and run j of line 1 from the diagonals of the cells on its sides."""
    overlaps, column = diagonals
    left0, right0, left1, right1 = rows[i], rows[i + 1], rows[j], rows[j + 1]
    overlaps[left1, column] += np.int64(left1 == right0) - np.int64(left1 == left0)
    overlaps[right1, column] += np.int64(right1 == left0) - np.int64(right1 == right0)


@inner
def _add_borders(runs, place, lines, diagonals):  # noqa: ANN001, ANN202
    """Subtract what two lines have in common at the first and the last x of the image."""
    overlaps, column = diagonals
    ends, rows = runs.ends, runs.rows
    p0, q0, p1, q1 = lines
    if place.origin_x + place.core_x == 0:
        overlaps[rows[p1], column] -= rows[p1] == rows[p0]
    if place.origin_x + ends[q1 - 1] == place.size_x:
        overlaps[rows[q1 - 1], column] -= rows[q1 - 1] == rows[q0 - 1]


@inner
def _add_line_faces(runs, lines, match, x_first, counted):  # noqa: ANN001, ANN202
    """Count the faces at `x_first` and beyond between two lines that are neighbours along an axis, and their diagonals.

    Between matching runs the faces are those of the pair at the end of the run, which is known for line 1.
    """
    pairs, axis, diagonals = counted
    ends, rows, pairs_of, faces = runs.ends, runs.rows, pairs.of_runs, pairs.faces
    has_diagonals = diagonals[1] >= 0
    p0, q0, p1, q1 = lines
    head, tail = match
    n_head = min(head, q1 - p1 - 1)  # the last run of a line ends at its border
    for k in range(n_head + tail):  # from the left; from the right
        i, j = (p0 + k, p1 + k) if k < n_head else (q0 - 2 - (k - n_head), q1 - 2 - (k - n_head))
        pair = np.int64(pairs_of[j])
        faces[pair, axis] += abs(ends[i] - ends[j])
        faces[pair, COMMON + axis] += ends[i] == ends[j]
    i, j = p0 + head, p1 + head
    x = stop = 0
    if i < q0:
        x = np.int64(max(ends[i - 1], ends[j - 1])) if head else np.int64(x_first)
        stop = np.int64(min(ends[q0 - tail - 1], ends[q1 - tail - 1]))
        while ends[i] <= x:
            i += 1
        while ends[j] <= x:
            j += 1
        if has_diagonals and head == 0 and x > 0 and ends[i - 1] == x and ends[j - 1] == x:
            _add_common_end(rows, i - 1, j - 1, diagonals)
    while x < stop:
        end0, end1 = ends[i], ends[j]
        end = min(min(end0, end1), stop)
        a, b = rows[i], rows[j]
        if a != b:
            if j < q1 - 1 and rows[j + 1] == a:  # most often they meet at an end of this run as well
                pair = np.int64(pairs_of[j])
            elif j > p1 and rows[j - 1] == a:
                pair = np.int64(pairs_of[j - 1])
            else:
                pair = _pair_row(pairs.rows, a, b)
            faces[pair, axis] += end - x
        if has_diagonals and end0 == end1 and end < stop:
            _add_common_end(rows, i, j, diagonals)
        x = end
        i += end0 == end
        j += end1 == end


@kernel
def add_faces(runs, place, pairs, tables, span):  # noqa: ANN001, ANN201
    """Count the faces of the own voxels of lines span[0] to span[2] - 1 towards lower z, y and x.

    `tables` are the matches of `match_lines` from line span[1] on, of which the first two are those along z and y, the overlaps
    of cells (n, N_OVERLAPS), and the columns of these that hold the diagonals of neighbors along z and y, below 0 none: what is
    added to them are 2 count - faces along this axis too many. Return the first line left, which is span[2] unless the table of
    pairs must grow before.
    """
    matches, overlaps, along = tables
    starts, n_y = runs.starts, place.n_y
    room = min(pairs.rows.hashed.size // 2, len(pairs.faces))
    for line in range(span[0], span[2]):
        y, z = line % n_y, line // n_y
        if z < place.core_z or y < place.core_y:
            continue
        at = line - runs.first_line
        at_y, at_z = at - (y > 0), at - (n_y if z > 0 else 0)  # the lines before, or the line itself
        p, q = starts[at], starts[at + 1]
        new = 3 * (q - p) + starts[at_y + 1] - starts[at_y] + starts[at_z + 1] - starts[at_z]  # at most
        if pairs.rows.n[0] + new > room:
            return line
        match = matches[line - span[1]]
        known = (match[Y, HEAD], match[Y, TAIL]) if y > place.core_y else (0, 0)
        _add_x_faces(runs, (starts[at_y], starts[at_y + 1], p, q), known, place.core_x, pairs)
        for axis in range(2):
            before = at_z if axis == Z else at_y
            if before < at:
                lines = (starts[before], starts[before + 1], p, q)
                diagonals = (overlaps, along[axis])
                if along[axis] >= 0:
                    _add_borders(runs, place, lines, diagonals)
                counted = (pairs, axis, diagonals)
                _add_line_faces(runs, lines, (match[axis, HEAD], match[axis, TAIL]), place.core_x, counted)
    return span[2]
