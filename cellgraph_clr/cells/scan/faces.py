"""Faces between touching cells, per pair and axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellgraph_clr.cells.scan.columns import X, Y, Z
from cellgraph_clr.cells.scan.lines import matched, unmatched
from cellgraph_clr.cells.scan.runs import inner, kernel
from cellgraph_clr.cells.scan.sums import HASH, Rows

__all__ = ["Pairs", "add_faces"]


class Pairs(NamedTuple):
    """Pairs of rows of cells, keyed by both rows, and their faces (n, 3) per axis."""

    rows: Rows
    faces: np.ndarray  # int64


@inner
def _pair_row(pairs, a, b):  # noqa: ANN001, ANN202
    """Return the row of the pair of cells in rows a and b; a new pair gets the next one."""
    if a > b:
        a, b = b, a
    key = (np.uint64(a) << np.uint64(32)) | np.uint64(b)
    known = pairs.rows
    mask = known.hashed.size - 1
    h = np.int64((key * HASH) >> np.uint64(32)) & mask
    while known.hashed[h] != key:
        if known.hashed[h] == 0:
            n = known.n[0]
            known.hashed[h] = key
            known.hashed_rows[h] = n
            known.keys[n] = key
            known.n[0] = n + 1
            return n
        h = (h + 1) & mask
    return np.int64(known.hashed_rows[h])


@inner
def _add_x_faces(runs, lines, x_first, pairs):  # noqa: ANN001, ANN202
    """Count the faces between neighbouring runs of line 1 from `x_first` on.

    The pair at the end of each run is kept; where the head of the line matches line 0 it is the pair there.
    """
    p0, p1, last = lines.p0, lines.p1, lines.q1 - 1
    known = min(lines.head, last - p1)
    for k in range(known):
        pair = runs.pairs[p0 + k]
        runs.pairs[p1 + k] = pair
        pairs.faces[pair, X] += 1
    for run in range(p1 + known, last):
        pair = _pair_row(pairs, runs.rows[run], runs.rows[run + 1])
        runs.pairs[run] = pair
        pairs.faces[pair, X] += runs.ends[run] >= x_first


@inner
def _add_line_faces(runs, lines, x_first, axis, pairs):  # noqa: ANN001, ANN202
    """Count the faces at `x_first` and beyond between two lines that are neighbours along `axis`.

    Between matching runs the faces are those of the pair at the end of the run, which is known for line 1.
    """
    ends, faces = runs.ends, pairs.faces
    p0, q0, p1, q1, head, tail = lines
    for k in range(min(head, q1 - p1 - 1)):
        faces[runs.pairs[p1 + k], axis] += abs(ends[p0 + k] - ends[p1 + k])
    for k in range(tail + 1 if tail else 0, 1, -1):
        faces[runs.pairs[q1 - k], axis] += abs(ends[q0 - k] - ends[q1 - k])
    i, j = p0 + head, p1 + head
    if i == q0:
        return
    x = np.int64(max(ends[i - 1], ends[j - 1])) if head else np.int64(x_first)
    stop = np.int64(min(ends[q0 - tail - 1], ends[q1 - tail - 1]))
    while ends[i] <= x:
        i += 1
    while ends[j] <= x:
        j += 1
    while x < stop:
        end0, end1 = np.int64(ends[i]), np.int64(ends[j])
        end = min(end0, end1, stop)
        a, b = runs.rows[i], runs.rows[j]
        if a != b:
            faces[_pair_row(pairs, a, b), axis] += end - x
        x = end
        i += end0 == end
        j += end1 == end


@kernel
def add_faces(runs, place, pairs, matches, span):  # noqa: ANN001, ANN201
    """Count the faces of the own voxels of lines span[0] to span[2] - 1 towards lower z, y and x.

    matches (lines, 2, 2) takes, per line from span[1] on and for axes z and y, how many runs at head and tail match those
    of the line before it. Return the first line left, which is span[2] unless the table of pairs must grow before.
    """
    room = min(pairs.rows.hashed.size // 2, len(pairs.faces))
    whole = place.core_x == 0  # runs match only where lines are own from their start
    for line in range(span[0], span[2]):
        y, z = line % place.n_y, line // place.n_y
        if z < place.core_z or y < place.core_y:
            continue
        own = unmatched(runs, line, line)
        before_y = own
        before_z = own
        most = 3 * (own.q1 - own.p1)  # new pairs
        if y > 0:
            before_y = matched(runs, line - 1, line) if y > place.core_y and whole else unmatched(runs, line - 1, line)
            most += before_y.q0 - before_y.p0
        if z > 0:
            other = line - place.n_y
            before_z = matched(runs, other, line) if whole else unmatched(runs, other, line)
            most += before_z.q0 - before_z.p0
        if pairs.rows.n[0] + most > room:
            return line
        match = matches[line - span[1]]
        match[Y, 0], match[Y, 1] = before_y.head, before_y.tail
        match[Z, 0], match[Z, 1] = before_z.head, before_z.tail
        _add_x_faces(runs, before_y, place.core_x, pairs)
        if y > 0:
            _add_line_faces(runs, before_y, place.core_x, Y, pairs)
        if z > 0:
            _add_line_faces(runs, before_z, place.core_x, Z, pairs)
    return span[2]
