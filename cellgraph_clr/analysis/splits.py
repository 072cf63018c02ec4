"""Splits into training and test cells that do not leak: by cell, by sample, by block of the tissue with a buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_whole, expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["BUFFER", "TEST", "TRAIN", "blocks", "split_blocks", "split_cells", "split_groups"]

TRAIN, TEST, BUFFER = 0, 1, 2


def split_cells(codes: np.ndarray, test_size: float, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) int8, `TRAIN` or `TEST`: every class gives `test_size` of its cells, rounded, to the test.

    `codes` (n,) are the classes; negative ones, unlabelled cells, are a class of their own. Neighbours may be on both sides:
    figures of models that see the graph are too good.
    """
    check_in_range("test_size", test_size, low=0, high=1, low_open=True, high_open=True)
    out = np.full(len(codes), TRAIN, np.int8)
    for code in np.unique(codes):
        rows = rng.permutation(np.flatnonzero(codes == code))
        out[rows[: round(test_size * len(rows))]] = TEST
    return out


def split_groups(names: np.ndarray, test_size: float, rng: np.random.Generator) -> np.ndarray:
    """Return (n,) int8, `TRAIN` or `TEST`: whole groups (samples), drawn until they hold `test_size` of the cells.

    Raises `OptionError` for a single group. At least one group is on either side.
    """
    check_in_range("test_size", test_size, low=0, high=1, low_open=True, high_open=True)
    unique, inverse, count = np.unique(names, return_inverse=True, return_counts=True)
    if len(unique) < 2:
        remedy = "Split by 'block' or 'cell'."
        raise OptionError(expected("two samples or more, to split by library", f"{len(unique)}", remedy))
    order = rng.permutation(len(unique))
    before = np.cumsum(count[order]) - count[order] / 2  # a group goes where most of it would
    chosen = order[before < test_size * len(names)]
    if len(chosen) == 0:  # the first drawn is too large: that of the nearest size
        chosen = order[[np.abs(count[order] - test_size * len(names)).argmin()]]
    chosen = chosen[: len(unique) - 1]
    return np.where(np.isin(inverse, chosen), TEST, TRAIN).astype(np.int8)


def blocks(position: np.ndarray, n_blocks: int) -> np.ndarray:
    """Return the block (n,) int64 of every cell: halved along the longest side until there are `n_blocks`, of about equal size.

    `n_blocks` beyond the number of cells gives one block a cell. O(n log blocks).
    """
    check_whole("n_blocks", n_blocks)
    parts = [np.arange(len(position))]
    while len(parts) < n_blocks:
        largest = max(range(len(parts)), key=lambda i: len(parts[i]))
        rows = parts.pop(largest)
        if len(rows) < 2:
            parts.append(rows)
            break
        axis = int(np.ptp(position[rows], axis=0).argmax())
        order = rows[np.argsort(position[rows, axis], kind="stable")]
        parts += [order[: len(order) // 2], order[len(order) // 2 :]]
    out = np.zeros(len(position), np.int64)
    for number, rows in enumerate(parts):
        out[rows] = number
    return out


def split_blocks(
    position: np.ndarray,
    adjacency: csr_matrix,
    *,
    test_size: float,
    n_blocks: int,
    buffer_hops: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return (n,) int8, `TRAIN`, `TEST` or `BUFFER`: blocks of the tissue, with a buffer of `buffer_hops` around the test.

    A single cell is for training. Cells of the buffer are in neither part, so that a model that looks `buffer_hops` steps
    far sees no test cell in training.
    """
    check_whole("buffer_hops", buffer_hops, low=0)
    check_whole("n_blocks", n_blocks, low=2)
    block = blocks(position, n_blocks)
    if len(np.unique(block)) < 2:  # a single cell cannot be divided
        return np.full(len(position), TRAIN, np.int8)
    out = split_groups(block, test_size, rng)
    reached = out == TEST
    for _ in range(buffer_hops):
        farther = reached | (adjacency @ reached.astype(np.float32) > 0)
        if (farther == reached).all():
            break
        reached = farther
    out[reached & (out == TRAIN)] = BUFFER
    return out
