"""Rows of labels in the tables of cells, and the sums of each cell: count, moments, box, border."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cellgraph_clr._core.kernels import called, kernel
from cellgraph_clr.cells.scan.columns import (
    BORDER_X,
    BORDER_Y,
    BORDER_Z,
    COUNT,
    FIRST_X,
    FIRST_Y,
    FIRST_Z,
    HIGH_X,
    HIGH_Y,
    HIGH_Z,
    LOW_X,
    LOW_Y,
    LOW_Z,
    SECOND_XX,
    SECOND_YX,
    SECOND_YY,
    SECOND_ZX,
    SECOND_ZY,
    SECOND_ZZ,
)

__all__ = ["HASH", "Rows", "add_sums", "find_rows", "grow_hash", "row_of_key"]

HASH = np.uint64(0x9E3779B97F4A7C15)


class Rows(NamedTuple):
    """A hash table key -> row, and the keys in the order of their rows, `n[0]` of them; 0 is no key."""

    hashed: np.ndarray  # uint64 keys, a power of two of them
    hashed_rows: np.ndarray  # int32
    keys: np.ndarray  # uint64
    n: np.ndarray  # int64


@kernel
def grow_hash(rows, wider):  # noqa: ANN001, ANN201
    """Fill the empty hash table of `wider` with what that of `rows` holds."""
    mask = wider.hashed.size - 1
    for i in range(rows.hashed.size):
        key = rows.hashed[i]
        if key:
            h = np.int64((key * HASH) >> np.uint64(32)) & mask
            while wider.hashed[h]:
                h = (h + 1) & mask
            wider.hashed[h] = key
            wider.hashed_rows[h] = rows.hashed_rows[i]


@kernel
def find_rows(labels, rows, cells, first):  # noqa: ANN001, ANN201
    """Write the row of each label from `first` on; new labels get the next rows.

    Return the first label left, which is their number unless the table must grow before.
    """
    mask = cells.hashed.size - 1
    n = cells.n[0]
    most = min(cells.hashed.size // 2, cells.keys.size)
    for i in range(first, len(labels)):
        label = labels[i]
        row = np.int32(0)
        if label:
            h = np.int64((label * HASH) >> np.uint64(32)) & mask
            while cells.hashed[h] != label and cells.hashed[h] != 0:
                h = (h + 1) & mask
            if cells.hashed[h] == 0:
                if n >= most:
                    cells.n[0] = n
                    return i
                cells.hashed[h] = label
                cells.hashed_rows[h] = n
                cells.keys[n] = label
                n += 1
            row = cells.hashed_rows[h]
        rows[i] = row
    cells.n[0] = n
    return len(labels)


@called
def row_of_key(known, key):  # noqa: ANN001, ANN201
    """Return the row of a key; a new one gets the next row. There must be room for it."""
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


@kernel
def add_sums(runs, place, sums, span):  # noqa: ANN001, ANN201
    """Add the own runs of span[0] to span[1] - 1 to the sums (n, N_SUMS): closed forms, exact in int64."""
    for line in range(span[0], span[1]):
        y, z = line % place.n_y, line // place.n_y
        if z < place.core_z or y < place.core_y:
            continue
        y, z = y + place.origin_y, z + place.origin_z
        z_border = (z == 0) + (z == place.size_z - 1)
        y_border = (y == 0) + (y == place.size_y - 1)
        x0 = place.core_x
        for run in range(runs.starts[line - runs.first_line], runs.starts[line + 1 - runs.first_line]):
            x1 = np.int64(runs.ends[run])
            row = runs.rows[run]
            if row and x1 > x0:
                start, stop = x0 + place.origin_x, x1 + place.origin_x
                n = stop - start
                high, below = stop - 1, start - 1
                sx = (n * (high + start)) >> 1
                own = sums[row]
                own[COUNT] += n
                own[FIRST_Z] += z * n
                own[FIRST_Y] += y * n
                own[FIRST_X] += sx
                own[SECOND_ZZ] += z * z * n
                own[SECOND_YY] += y * y * n
                own[SECOND_XX] += (high * (high + 1) * (2 * high + 1) - below * (below + 1) * (2 * below + 1)) // 6
                own[SECOND_ZY] += z * y * n
                own[SECOND_ZX] += z * sx
                own[SECOND_YX] += y * sx
                own[LOW_Z] = min(own[LOW_Z], z)
                own[HIGH_Z] = max(own[HIGH_Z], z)
                own[LOW_Y] = min(own[LOW_Y], y)
                own[HIGH_Y] = max(own[HIGH_Y], y)
                own[LOW_X] = min(own[LOW_X], start)
                own[HIGH_X] = max(own[HIGH_X], high)
                own[BORDER_Z] += n * z_border
                own[BORDER_Y] += n * y_border
                own[BORDER_X] += (start == 0) + (stop == place.size_x)
            x0 = max(x0, x1)
