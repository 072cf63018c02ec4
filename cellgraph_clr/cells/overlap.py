"""Pairs of labels of two images on one grid, and how many voxels they share; of any size, block by block."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.ids import order_of_pairs
from cellgraph_clr.cells.blocks import block_shape, is_chunked, is_dask

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["label_overlaps", "sums_of_pairs"]

MERGED = 16  # blocks after which their pairs are merged, so that memory stays flat


def sums_of_pairs(pairs: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the unique pairs (m, 2) of ids, not negative, in lexicographic order, and the sum of `values` of each.

    Ids may be as large as int64 allows. O(n log n) with one key a pair below ids of 2**31, two above.
    """
    if len(pairs) == 0:
        return pairs, values
    order = order_of_pairs(pairs)
    pairs = pairs[order]
    starts = np.flatnonzero(np.append(True, (pairs[1:] != pairs[:-1]).any(axis=1)))
    return pairs[starts], np.add.reduceat(values[order], starts)


def label_overlaps(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of labels (m, 2) int64 that lie on one voxel, sorted, and the number (m,) int64 of such voxels.

    Parameters
    ----------
    first, second : label arrays of one shape, in memory or in chunks (Zarr, HDF5, dask), which are read block by block. The
        background, 0, is a label as any other.

    Notes
    -----
    O(voxels) comparisons; only runs of equal pairs are sorted. Memory is a block of each array (`blocks.BLOCK_BYTES`)
    and the pairs.
    """
    pairs, counts = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    for where in _blocks(first, second):
        of_block = sums_of_pairs(*_runs(np.asarray(first[where]).ravel(), np.asarray(second[where]).ravel()))
        pairs.append(of_block[0])
        counts.append(of_block[1])
        if len(pairs) > MERGED:
            merged = sums_of_pairs(np.concatenate(pairs), np.concatenate(counts))
            pairs, counts = [merged[0]], [merged[1]]
    return sums_of_pairs(np.concatenate(pairs), np.concatenate(counts))


def _runs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (r, 2) int64 at the starts of runs of equal pairs of two flat arrays, and the lengths of the runs."""
    new = np.ones(len(a), bool)
    np.not_equal(a[1:], a[:-1], out=new[1:])
    new[1:] |= b[1:] != b[:-1]
    starts = np.flatnonzero(new)
    return np.stack([a[starts].astype(np.int64), b[starts].astype(np.int64)], axis=1), np.diff(starts, append=len(a))


def _blocks(first: Any, second: Any) -> Iterator[tuple[slice, ...]]:
    """Yield slices that cover two arrays of one shape: whole chunks of the one that has chunks, or stretches along axis 0."""
    array = second if is_chunked(second) and not is_chunked(first) else first
    chunks = array.chunksize if is_dask(array) else getattr(array, "chunks", None) or (1, *array.shape[1:])
    block = block_shape(array.shape, chunks, array.dtype.itemsize, least=(1,) * len(array.shape))
    steps = [
        [slice(a, min(a + step, n)) for a in range(0, n, max(step, 1))]
        for n, step in zip(array.shape, block, strict=True)
    ]
    return itertools.product(*steps)
