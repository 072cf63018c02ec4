"""Label images in memory, in stored chunks or in dask, read once: blocks behind halos, threads, merging."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelImageError, NoCellsError
from cellgraph_clr._core.parallel import n_workers
from cellgraph_clr.cells.blocks import block_shape, is_chunked, is_dask, walk_blocks
from cellgraph_clr.cells.lazy_arrays import RowsAsPlanes
from cellgraph_clr.cells.scan.clusters import computed
from cellgraph_clr.cells.scan.columns import SECOND_AXES, WEIGHTED_Y, WEIGHTED_Z, X, Y, Z
from cellgraph_clr.cells.scan.parts import Block, Plan, as_3d, mean_intensity, no_image, plan_of, scan_in_slabs
from cellgraph_clr.cells.scan.statistics import merge_statistics

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.cells.scan.statistics import LabelStatistics

__all__ = ["scan_labels"]

MERGED = 16  # parts of which the statistics wait before they are merged


def scan_labels(image: LabelImage, *, surface: bool = True, n_jobs: int | None = None) -> LabelStatistics:
    """Return the statistics of every cell and every touching pair from one read of labels and intensities.

    Parameters
    ----------
    image : labels and intensities in memory, memory-mapped, or chunked (Zarr, HDF5, dask).
    surface : count the diagonal neighbours that `crofton.crofton_surface` needs; without them `overlaps` is None and the
        scan takes a bit more than half the time.
    n_jobs : threads; None uses all. Dask arrays run where dask runs: on the `dask.distributed` client of the session
        if there is one, else on its threads.

    Returns
    -------
    `LabelStatistics` in voxel units: integers do not depend on blocks and threads, intensity sums to float64 rounding.

    Raises
    ------
    LabelImageError
        If an id is negative or above 2**63 - 1.
    NoCellsError
        If there is only background.
    LostProcessError
        If a dask cluster loses its workers, or each worker that takes up a chunk (see `clusters.computed`).

    Notes
    -----
    O(voxels) comparisons and O(runs) table updates; memory is O(cells + pairs + runs of a plane) a thread beside the
    arrays. Chunked arrays are walked in blocks of whole chunks (`blocks.BLOCK_BYTES`), each read once. Coordinate sums
    are exact in int64 as long as voxels of a cell times the squared extent of the image stay below 2**63. Intensities
    other than uint8, uint16, float32 and float64 are cast to float64, `runs.BATCH_VOXELS` at a time.
    """
    workers = n_workers(n_jobs)
    plan = plan_of(image, surface=surface)
    if is_dask(image.labels):
        parts = _scan_dask(image, plan)
    elif _is_plain(image.labels) and _is_plain(image.image):
        parts = _scan_memory(image, plan, workers)
    else:
        parts = _scan_blocks(image, plan, workers)
    merged = merge_statistics(parts)
    _check_ids(merged.cell_id, image.labels.dtype)
    merged = _with_diagonals(merged, plan) if surface else replace(merged, overlaps=None)
    return _back_to_2d(merged) if image.ndim == 2 else merged


def _with_diagonals(s: LabelStatistics, plan: Plan) -> LabelStatistics:
    """Return the statistics of a whole image with the diagonals that blocks count but for 2 count - faces (see `faces`)."""
    assert s.overlaps is not None
    overlaps = s.overlaps.copy()
    for axis, column in enumerate(plan.along):
        if column >= 0:
            overlaps[:, column] += 2 * s.count - s.faces[:, axis]
    return replace(s, overlaps=overlaps)


def _check_ids(ids: np.ndarray, dtype: np.dtype) -> None:
    """Raise for no cell, negative ids and ids beyond int64; ids were read as unsigned numbers of the width of `dtype`."""
    if len(ids) == 0:
        raise NoCellsError(expected("at least one labelled cell", "background only", "Check the segmentation."))
    if dtype.kind == "i":
        negative = ids.astype(np.uint64) > np.uint64(np.iinfo(dtype).max)
        if negative.any():
            worst = int(ids[negative].astype(np.uint64).astype(dtype).min())
            raise LabelImageError(expected("ids of 0 (background) and above", worst, "Relabel the image."))
    elif (ids < 0).any():
        raise LabelImageError(expected("ids up to 2**63 - 1", int(ids.astype(np.uint64).max()), "Relabel the image."))


def _is_plain(array: Any) -> bool:
    """Return whether there is no array, or one in memory that can be scanned as it is."""
    return array is None or (not is_chunked(array) and bool(array.flags.c_contiguous and array.dtype.isnative))


def _scan_memory(image: LabelImage, plan: Plan, workers: int) -> list[LabelStatistics]:
    labels, pixels = image.labels, no_image(image.labels.shape) if image.image is None else image.image
    pixels = as_3d(pixels, image.ndim)
    zero = np.zeros(3, np.int64)
    block = Block(as_3d(labels, image.ndim), pixels, zero, zero)
    return scan_in_slabs(block, mean_intensity(pixels), plan, workers)


def _scan_blocks(image: LabelImage, plan: Plan, workers: int) -> list[LabelStatistics]:
    """Walk blocks; what is known of the blocks so far is merged as it grows, so that memory stays flat."""
    labels, ndim = image.labels, image.ndim
    chunks = labels.chunks if is_chunked(labels) else labels.shape if ndim == 2 else (16, *labels.shape[1:])
    array: Any = labels
    if ndim == 2:
        array, chunks = RowsAsPlanes(labels), (chunks[0], 1, chunks[1])
    halo = plan.halo.tolist()
    shift = None
    kept: list[LabelStatistics] = []
    for padded, core, origin in walk_blocks(
        array, block_shape(array.shape, chunks, labels.dtype.itemsize, least=halo), halo
    ):
        pixels = _pixels(image.image, origin + core, origin + padded.shape, ndim)
        shift = mean_intensity(pixels) if shift is None else shift
        kept += scan_in_slabs(Block(_native(padded), pixels, core, origin), shift, plan, workers)
        if len(kept) > MERGED:
            kept = [merge_statistics(kept)]
    return kept


def _native(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _pixels(image: Any, low: np.ndarray, high: np.ndarray, ndim: int) -> np.ndarray:
    """Return the image (c, z, y, x) between two corners; without channels if there is none."""
    if image is None:
        return no_image(tuple(high - low))
    z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
    return as_3d(_native(np.asarray(image[(slice(None), z, y, x) if ndim == 3 else (slice(None), z, x)])), ndim)


def _scan_dask(image: LabelImage, plan: Plan) -> list[LabelStatistics]:
    """Scan every chunk as a task of its own; dask brings the halo, and runs a task again when its worker died."""
    import dask
    from dask.array.overlap import ensure_minimum_chunksize, overlap

    halo = plan.halo.tolist()
    whole: Any = as_3d(image.labels, image.ndim)
    whole = whole.rechunk(
        tuple(ensure_minimum_chunksize(min(h, sum(c)), c) for h, c in zip(halo, whole.chunks, strict=True))
    )
    starts = [np.concatenate([[0], np.cumsum(c)[:-1]]).astype(int) for c in whole.chunks]
    depth = {a: (min(h, whole.shape[a]), 0) for a, h in enumerate(halo)}
    padded = overlap(whole, depth=depth, boundary="none", allow_rechunk=False).to_delayed()
    pixels, shift = _delayed_pixels(image, whole.chunks)
    scan = dask.delayed(_scan_chunk, pure=True)
    parts = []
    for index in np.ndindex(*padded.shape):
        low = np.array([s[i] for s, i in zip(starts, index, strict=True)])
        core = np.minimum(low, plan.halo)
        chunk = None if pixels is None else pixels[(0, *index)]
        parts.append(scan(padded[index], chunk, shift, (core, low - core), plan))
    merge = dask.delayed(merge_statistics, pure=True)
    while len(parts) > 1:
        parts = [merge(parts[i : i + MERGED]) for i in range(0, len(parts), MERGED)]
    return [computed(parts[0])]


def _delayed_pixels(image: LabelImage, chunks: tuple[tuple[int, ...], ...]) -> tuple[Any, np.ndarray]:
    """Return the image in chunks (1, z, y, x) of delayed arrays, None without, and its shift, from the first chunk."""
    import dask

    if image.image is None:
        return None, np.zeros(0)
    import dask.array as da

    pixels = as_3d(da.asarray(image.image), image.ndim).rechunk({0: -1, 1: chunks[0], 2: chunks[1], 3: chunks[2]})
    delayed = pixels.to_delayed()
    return delayed, computed(dask.delayed(mean_intensity)(delayed[0, 0, 0, 0]))


def _scan_chunk(
    labels: np.ndarray,
    image: np.ndarray | None,
    shift: np.ndarray,
    place: tuple[np.ndarray, np.ndarray],
    plan: Plan,
) -> LabelStatistics:
    """Scan one chunk behind its halo; `place` are the core and the origin of its block."""
    core, origin = place
    pixels = no_image(tuple(np.array(labels.shape) - core)) if image is None else _native(image)
    return merge_statistics(scan_in_slabs(Block(_native(labels), pixels, core, origin), shift, plan, 1))


def _back_to_2d(s: LabelStatistics) -> LabelStatistics:
    """Undo the exchange of axes: what was scanned as z is y, and z is 0."""

    def moved(a: np.ndarray) -> np.ndarray:
        out = np.zeros_like(a)
        out[:, Y], out[:, X] = a[:, Z], a[:, X]
        return out

    second = np.zeros_like(s.second)
    for column, axes in enumerate(SECOND_AXES):
        if Y not in axes:
            scanned_as = tuple(Y if a == Z else a for a in axes)
            second[:, SECOND_AXES.index(scanned_as)] = s.second[:, column]
    intensity = s.intensity.copy()
    intensity[:, :, WEIGHTED_Y] = s.intensity[:, :, WEIGHTED_Z]
    intensity[:, :, WEIGHTED_Z] = 0
    return replace(
        s,
        first=moved(s.first),
        second=second,
        box=moved(s.box),
        faces=moved(s.faces),
        border_faces=moved(s.border_faces),
        intensity=intensity,
        pair_faces=moved(s.pair_faces),
    )
