"""Arrays that do not fit into memory, walked block by block: each block is read once, with what lies just before it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelImageError
from cellgraph_clr.cells.lazy_arrays import InPlanes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "BLOCK_BYTES",
    "array_like",
    "block_shape",
    "is_chunked",
    "is_dask",
    "named_channels",
    "walk_blocks",
]

BLOCK_BYTES = 64 * 2**20  # a block is made of whole chunks, up to about this size


def is_dask(array: object) -> bool:
    """Return whether `array` is a dask array, without importing dask."""
    return type(array).__module__.startswith("dask.array")


def is_chunked(array: object) -> bool:
    """Return whether `array` is read in pieces (Zarr, HDF5, dask) and not an array in memory or a memory map."""
    return (
        not isinstance(array, np.ndarray)
        and all(hasattr(array, name) for name in ("shape", "dtype", "ndim"))
        and getattr(array, "chunks", None) is not None
    )


def array_like(array: Any) -> Any:
    """Return what is read in pieces as it is (Zarr, dask, HDF5 with or without chunks), anything else as a NumPy array.

    An xarray gives the array it holds, its axes in the order c, z, y, x where they have these names.
    A dataset without chunks (HDF5 stores it in one piece) is read plane by plane.
    """
    if hasattr(array, "dims") and hasattr(array, "data"):
        array = _by_name(array).data
    if isinstance(array, np.ndarray) or is_chunked(array):
        return array
    if type(array).__module__.startswith("h5py") and array.ndim > 1:
        return InPlanes(array)
    return np.asanyarray(array)


def block_shape(
    shape: Sequence[int], chunks: Sequence[int], itemsize: int, *, least: Sequence[int], n_bytes: int = BLOCK_BYTES
) -> tuple[int, ...]:
    """Return the shape of blocks of whole chunks: at least `least`, grown along the last axes first up to `n_bytes`."""
    block = [min(n, -(-low // c) * c) for n, c, low in zip(shape, chunks, least, strict=True)]
    for axis in reversed(range(len(shape))):
        rest = itemsize * int(np.prod(block)) // max(block[axis], 1)
        fits = max(n_bytes // max(rest * chunks[axis], 1), 1) * chunks[axis]
        block[axis] = min(shape[axis], max(block[axis], fits))
    return tuple(block)


def named_channels(array: Any) -> list[str] | None:
    """Return the names of channels that an xarray has as its coordinate "c"; None without."""
    named = hasattr(array, "dims") and "c" in getattr(array, "coords", ())
    return [str(c) for c in np.asarray(array.coords["c"])] if named else None


def _by_name(array: Any) -> Any:
    """Return an xarray with its axes in the order c, z, y, x, where all have these names."""
    names = {str(d).lower(): d for d in array.dims}
    if len(names) < array.ndim or not set(names) <= set("czyx"):
        return array
    return array.transpose(*(names[a] for a in "czyx" if a in names))


def walk_blocks(
    array: Any, block: Sequence[int], halo: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (block with its halo, core, origin) over a 3D array in raster order, every element read once.

    Parameters
    ----------
    array : (z, y, x), sliced as NumPy slices.
    block : shape of a block, no smaller than `halo` along any axis.
    halo : voxels before a block (towards lower z, y, x) that are given again, fewer at the border of the array.

    Yields
    ------
    padded : C-contiguous array of the block behind its halo, valid until the next step.
    core : (3,) index of the first voxel of the block in `padded`.
    origin : (3,) place of padded[0, 0, 0] in `array`.

    Notes
    -----
    `LabelImageError` where they do not fit into memory. Memory: one block, and of
    what was read the last `halo[0]` planes, `halo[1]` rows and `halo[2]` columns.
    """
    n_z, n_y, n_x = array.shape
    below = np.zeros((0, n_y, n_x), array.dtype)
    _check_room(array, block, halo)
    for z0, z1 in _cuts(n_z, block[0]):
        next_below = np.empty((min(halo[0], z1 - z0), n_y, n_x), array.dtype)
        beside = np.zeros((z1 - z0, 0, n_x), array.dtype)
        for y0, y1 in _cuts(n_y, block[1]):
            next_beside = np.empty((z1 - z0, min(halo[1], y1 - y0), n_x), array.dtype)
            left = np.zeros((z1 - z0, y1 - y0, 0), array.dtype)
            for x0, x1 in _cuts(n_x, block[2]):
                core = np.array([below.shape[0], beside.shape[1], left.shape[2]])
                origin = np.array([z0, y0, x0]) - core
                padded = np.empty(np.array([z1, y1, x1]) - origin, array.dtype)
                inner = padded[core[0] :, core[1] :, core[2] :]
                inner[...] = array[z0:z1, y0:y1, x0:x1]
                padded[: core[0]] = below[:, origin[1] : y1, origin[2] : x1]
                padded[core[0] :, : core[1]] = beside[:, :, origin[2] : x1]
                padded[core[0] :, core[1] :, : core[2]] = left
                next_below[:, y0:y1, x0:x1] = inner[inner.shape[0] - len(next_below) :]
                next_beside[:, :, x0:x1] = inner[:, inner.shape[1] - next_beside.shape[1] :]
                left = inner[:, :, max(inner.shape[2] - halo[2], 0) :].copy()
                yield padded, core, origin
            beside = next_beside
        below = next_below


def _check_room(array: Any, block: Sequence[int], halo: Sequence[int]) -> None:
    """Raise `LabelImageError` where a block with its halo, and the planes kept for the next, cannot be held in memory."""
    _, n_y, n_x = array.shape
    try:
        np.empty(int(np.prod([b + h for b, h in zip(block, halo, strict=True)], dtype=object)), array.dtype)
        np.empty(halo[0] * n_y * n_x, array.dtype)
    except (MemoryError, ValueError) as error:
        wanted = "an array that is read in blocks that fit into memory"
        found = f"blocks of {' x '.join(map(str, block))} of shape {tuple(array.shape)}"
        raise LabelImageError(expected(wanted, found, "Store it in smaller chunks, or cut it.")) from error


def _cuts(n: int, step: int) -> Iterator[tuple[int, int]]:
    return itertools.pairwise([*range(0, n, step), n])
