"""Connected pieces of every label in one block, by union-find over runs of equal labels along x."""

from __future__ import annotations

import numpy as np
from numba import njit

from cellgraph_clr.cells.scan_rows import row_runs

__all__ = ["block_components", "root_of"]


@njit(cache=True, nogil=True)
def root_of(parent, i):  # noqa: ANN001, ANN201
    """Return the root of i in a union-find forest, and halve the way to it."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def _join(parent, a, b):  # noqa: ANN001, ANN202
    a, b = root_of(parent, a), root_of(parent, b)
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@njit(cache=True, nogil=True)
def _join_lines(ends, label, parent, p0, q0, p1, q1):  # noqa: ANN001, ANN202
    i, j = p0, p1
    while i < q0 and j < q1:
        if label[i] == label[j]:
            _join(parent, i, j)
        end0, end1 = ends[i], ends[j]
        i += end0 <= end1
        j += end1 <= end0


@njit(cache=True, nogil=True)
def _meet(a, b, label, piece, low, high):  # noqa: ANN001, ANN202
    """Note the label that a piece of background meets across a face."""
    if label[a] == 0 and label[b] != 0:
        low[piece[a]] = min(low[piece[a]], label[b])
        high[piece[a]] = max(high[piece[a]], label[b])
    elif label[b] == 0 and label[a] != 0:
        low[piece[b]] = min(low[piece[b]], label[a])
        high[piece[b]] = max(high[piece[b]], label[a])


@njit(cache=True, nogil=True)
def _meet_lines(ends, label, piece, p0, q0, p1, q1, low, high):  # noqa: ANN001, ANN202
    i, j = p0, p1
    while i < q0 and j < q1:
        _meet(i, j, label, piece, low, high)
        end0, end1 = ends[i], ends[j]
        i += end0 <= end1
        j += end1 <= end0


@njit(cache=True, nogil=True)
def block_components(labels):  # noqa: ANN001, ANN201
    """Return the face-connected pieces of a block (z, y, x) of unsigned labels, background included.

    Per run: ends and piece, with first (n_z * n_y + 1,) telling where the runs of each line start. Per piece: label,
    voxels, and the lowest and highest label that a piece of background meets (2**64 - 1 and 0 if none).
    """
    n_z, n_y, n_x = labels.shape
    size = 4 * n_z * n_y + n_x
    ends = np.empty(size, np.int32)
    first = np.zeros(n_z * n_y + 1, np.int64)
    p = 0
    for z in range(n_z):
        for y in range(n_y):
            if p + n_x > ends.size:
                wider = np.empty(2 * ends.size + n_x, np.int32)
                wider[:p] = ends[:p]
                ends = wider
            p = row_runs(labels, z, y, ends, p)
            first[z * n_y + y + 1] = p
    label = np.empty(p, np.uint64)
    for line in range(n_z * n_y):
        x = 0
        for run in range(first[line], first[line + 1]):
            label[run] = labels[line // n_y, line % n_y, x]
            x = ends[run]
    parent = np.arange(p)
    for line in range(n_z * n_y):
        if line % n_y:
            _join_lines(ends, label, parent, first[line - 1], first[line], first[line], first[line + 1])
        if line >= n_y:
            _join_lines(ends, label, parent, first[line - n_y], first[line - n_y + 1], first[line], first[line + 1])
    piece = np.empty(p, np.int64)
    n = 0
    for run in range(p):  # roots come before their members
        root = root_of(parent, run)
        if root == run:
            piece[run] = n
            n += 1
        else:
            piece[run] = piece[root]
    labels_of = np.empty(n, np.uint64)
    voxels = np.zeros(n, np.int64)
    low = np.full(n, np.uint64(0xFFFFFFFFFFFFFFFF))
    high = np.zeros(n, np.uint64)
    for line in range(n_z * n_y):
        x = 0
        for run in range(first[line], first[line + 1]):
            labels_of[piece[run]] = label[run]
            voxels[piece[run]] += ends[run] - x
            x = ends[run]
            if run > first[line]:
                _meet(run - 1, run, label, piece, low, high)
        if line % n_y:
            _meet_lines(ends, label, piece, first[line - 1], first[line], first[line], first[line + 1], low, high)
        if line >= n_y:
            _meet_lines(
                ends, label, piece, first[line - n_y], first[line - n_y + 1], first[line], first[line + 1], low, high
            )
    return ends[:p], piece, first, labels_of, voxels, low, high
