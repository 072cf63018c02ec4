"""Pairs of labels of two images on one grid, and how many voxels they share; of any size, block by block."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.ids import order_of_pairs
from cellgraph_clr._core.parallel import n_workers, over_rows
from cellgraph_clr.cells.blocks import block_shape, is_chunked, is_dask

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["label_overlaps", "sums_of_pairs"]

MERGED = 32  # parts after which their pairs are merged, so that memory stays flat


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


def label_overlaps(first: Any, second: Any, *, n_jobs: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of labels (m, 2) int64 that lie on one voxel, sorted, and the number (m,) int64 of such voxels.

    Parameters
    ----------
    first, second : label arrays of one shape, in memory or in chunks (Zarr, HDF5, dask), which are read block by block. The
        background, 0, is a label as any other.
    n_jobs : threads; None uses all. The result does not depend on it.

    Notes
    -----
    O(voxels) comparisons and O(runs) table updates, about as long as two scans without surfaces. Memory is a block of each
    array (`blocks.BLOCK_BYTES`) and the pairs.
    """
    found = [(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))]
    workers = n_workers(n_jobs)
    for where in _blocks(first, second):
        a, b = (np.ascontiguousarray(array, array.dtype.newbyteorder("=")) for array in (first[where], second[where]))
        _add_shared(found, a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1]), workers)
        if len(found) > MERGED:
            found = [_merged(found)]
    return _merged(found)


def _add_shared(found: list[tuple[np.ndarray, np.ndarray]], a: np.ndarray, b: np.ndarray, workers: int) -> None:
    """Append the pairs of every part of the lines (n, x) of two images, worked out side by side."""
    from cellgraph_clr.cells.scan.shared import shared_voxels

    over_rows(lambda start, stop: found.append(shared_voxels(a[start:stop], b[start:stop])), len(a), n_threads=workers)


def _merged(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return sums_of_pairs(np.concatenate([pairs for pairs, _ in found]), np.concatenate([n for _, n in found]))


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
