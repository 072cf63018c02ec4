"""Runs that match in two lines, against a loop."""

import itertools

import numpy as np
import pytest

from cellgraph_clr.cells.scan.columns import HEAD, TAIL
from cellgraph_clr.cells.scan.matches import match_lines
from cellgraph_clr.cells.scan.runs import Place, Runs, all_runs


def matched(one, other):
    """Return how many runs (start, end, label) of two lines match one by one from the left."""
    n = 0
    for (a0, a1, a), (b0, b1, b) in zip(one, other, strict=False):
        if a != b or max(a0, b0) >= min(a1, b1):
            break
        n += 1
    return n


@pytest.mark.parametrize("change", [0.0, 0.05, 0.3])
def test_matches_are_those_of_a_loop(change, rng):
    n_z, n_y, n_x = 3, 4, 40
    labels = np.broadcast_to(np.repeat(rng.integers(0, 4, 14), 3)[:n_x], (n_z, n_y, n_x)).astype(np.uint8)
    labels = np.where(rng.random(labels.shape) < change, 3, labels).astype(np.uint8)
    ends, of_runs, starts = all_runs(labels)
    neighbors = np.array([[1, 0], [0, 1], [1, 1], [1, -1]])
    out = np.full((n_z * n_y, 4, 2), -1)
    whole = Place(n_y, 0, 0, 0, 0, 0, 0, n_z, n_y, n_x)
    match_lines(Runs(ends, of_runs.astype(np.int32), starts, 0), whole, neighbors, out, (0, n_z * n_y))
    lines = []
    for p, q in itertools.pairwise(starts.tolist()):
        stops = ends[p:q].tolist()
        lines.append(list(zip([0, *stops[:-1]], stops, of_runs[p:q].tolist(), strict=True)))
    for line, (k, (dz, dy)) in ((a, b) for a in range(n_z * n_y) for b in enumerate(neighbors.tolist())):
        z, y = divmod(line, n_y)
        if z < dz or not 0 <= y - dy < n_y:
            assert (out[line, k] == -1).all()
            continue
        one, other = lines[line - dz * n_y - dy], lines[line]
        head = matched(one, other)
        if head == len(one) == len(other):
            assert out[line, k].tolist() == [head, 0]
            continue
        head = max(head - 1, 0)
        assert out[line, k, HEAD] == head
        tail = matched(one[head:][::-1], other[head:][::-1])
        assert out[line, k, TAIL] == max(tail - 1, 0)
