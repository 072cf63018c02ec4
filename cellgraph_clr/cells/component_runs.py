"""Connected pieces of every label in one block, by union-find over runs of equal labels along x."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellgraph_clr._core.kernels import called, kernel
from cellgraph_clr.cells.scan.runs import all_runs

__all__ = ["block_components", "root_of"]


class _Runs(NamedTuple):
    """Per run its end, its label and the piece it is in, and where the runs of each line start; n_y lines a plane."""

    ends: np.ndarray
    labels: np.ndarray
    pieces: np.ndarray
    starts: np.ndarray
    n_y: int


class _Met(NamedTuple):
    """The lowest and the highest label that each piece of background meets."""

    low: np.ndarray
    high: np.ndarray


@kernel
def root_of(parent, i):  # noqa: ANN001, ANN201
    """Return the root of i in a union-find forest, and halve the way to it."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@called
def _join(parent, a, b):  # noqa: ANN001, ANN202
    a, b = root_of(parent, a), root_of(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@called
def _join_lines(runs, line0, line1):  # noqa: ANN001, ANN202
    """Join the runs of one label that overlap in two lines; `pieces` are the parents of runs here."""
    i, j = runs.starts[line0], runs.starts[line1]
    q0, q1 = runs.starts[line0 + 1], runs.starts[line1 + 1]
    while i < q0 and j < q1:
        if runs.labels[i] == runs.labels[j]:
            _join(runs.pieces, i, j)
        end0, end1 = runs.ends[i], runs.ends[j]
        i += end0 <= end1
        j += end1 <= end0


@called
def _meet(runs, met, a, b):  # noqa: ANN001, ANN202
    """Note the label that a piece of background meets across a face of runs a and b."""
    label_a, label_b = runs.labels[a], runs.labels[b]
    if (label_a == 0) != (label_b == 0):
        piece, label = (runs.pieces[a], label_b) if label_a == 0 else (runs.pieces[b], label_a)
        met.low[piece] = min(met.low[piece], label)
        met.high[piece] = max(met.high[piece], label)


@called
def _meet_lines(runs, met, line0, line1):  # noqa: ANN001, ANN202
    i, j = runs.starts[line0], runs.starts[line1]
    q0, q1 = runs.starts[line0 + 1], runs.starts[line1 + 1]
    while i < q0 and j < q1:
        _meet(runs, met, i, j)
        end0, end1 = runs.ends[i], runs.ends[j]
        i += end0 <= end1
        j += end1 <= end0


@kernel
def _join_runs(runs):  # noqa: ANN001, ANN202
    """Turn `pieces`, every run for itself at first, into numbers of connected pieces; return how many there are."""
    for line in range(len(runs.starts) - 1):
        if line % runs.n_y:
            _join_lines(runs, line - 1, line)
        if line >= runs.n_y:
            _join_lines(runs, line - runs.n_y, line)
    roots = runs.pieces.copy()
    n = 0
    for run in range(len(roots)):  # roots come before their members
        root = root_of(roots, run)
        runs.pieces[run] = n if root == run else runs.pieces[root]
        n += root == run
    return n


@kernel
def _measure_pieces(runs, labels, voxels, met):  # noqa: ANN001, ANN202
    """Write the label of every piece, its voxels and what it meets."""
    for line in range(len(runs.starts) - 1):
        x = 0
        for run in range(runs.starts[line], runs.starts[line + 1]):
            labels[runs.pieces[run]] = runs.labels[run]
            voxels[runs.pieces[run]] += runs.ends[run] - x
            x = runs.ends[run]
            if run > runs.starts[line]:
                _meet(runs, met, run - 1, run)
        if line % runs.n_y:
            _meet_lines(runs, met, line - 1, line)
        if line >= runs.n_y:
            _meet_lines(runs, met, line - runs.n_y, line)


def block_components(labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the face-connected pieces of a block (z, y, x) of labels, background included.

    Per run: ends and piece, with first (n_z * n_y + 1,) telling where the runs of each line start. Per piece: label,
    voxels, and the lowest and highest label that a piece of background meets (2**64 - 1 and 0 if none).
    """
    ends, of_runs, starts = all_runs(labels)
    runs = _Runs(ends, of_runs, np.arange(len(ends)), starts, labels.shape[1])
    n = _join_runs(runs)
    of_pieces, voxels = np.empty(n, np.uint64), np.zeros(n, np.int64)
    met = _Met(np.full(n, 2**64 - 1, np.uint64), np.zeros(n, np.uint64))
    _measure_pieces(runs, of_pieces, voxels, met)
    return ends, runs.pieces, starts, of_pieces, voxels, met.low, met.high
