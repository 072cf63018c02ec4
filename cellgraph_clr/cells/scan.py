"""One read of a label image: exact statistics per cell and per pair, for any integer type, 2D or 3D."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelImageError, NoCellsError
from cellgraph_clr._core.ids import order_of_pairs
from cellgraph_clr._core.parallel import n_workers
from cellgraph_clr.cells.blocks import RowsAsPlanes, block_shape, is_chunked, is_dask, walk_blocks
from cellgraph_clr.cells.crofton import lag_steps, scan_lines
from cellgraph_clr.cells.statistics import LabelStatistics, merge_statistics, merge_stream

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["LabelStatistics", "merge_statistics", "scan_labels"]

COMPILED_INTENSITIES = (np.uint8, np.uint16, np.float32, np.float64)  # others are cast to float64
CAST_BYTES = 16 * 2**20  # about what a cast takes in each thread; it casts one plane at least


def _statistics(
    labels: np.ndarray,
    image: np.ndarray,
    shift: np.ndarray,
    core: np.ndarray,
    origin: np.ndarray,
    shape: np.ndarray,
    lines: np.ndarray,
) -> LabelStatistics:
    """Return the statistics of one block behind its halo (see `scan_rows.scan_block`), rows turned into ids."""
    from cellgraph_clr.cells.scan_rows import scan_block

    compiled = image if image.dtype in COMPILED_INTENSITIES else image.astype(np.float64)
    unsigned = labels.view(f"u{labels.dtype.itemsize}")
    ids, sums, overlaps, light, keys, faces = scan_block(unsigned, compiled, shift, core, origin, shape, lines)
    a, b = (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    cell_faces = sums[:, 16:19].copy()  # the border, to which the faces of every pair are added
    for axis in range(3):
        for side in (a, b):
            cell_faces[:, axis] += np.bincount(side, weights=faces[:, axis], minlength=len(ids)).astype(np.int64)
    seen = np.flatnonzero((sums[:, 0] > 0) | (cell_faces.sum(axis=1) > 0) | (overlaps.sum(axis=1) > 0))
    seen = seen[seen > 0]
    cells = seen[np.argsort(ids[seen])]
    met = faces.sum(axis=1) > 0  # a pair may lie wholly in the halo
    kept = np.flatnonzero((a > 0) & met)
    pairs = np.sort(np.stack([ids[a[kept]], ids[b[kept]]], axis=1), axis=1).astype(np.int64)
    order = order_of_pairs(pairs)
    return LabelStatistics(
        cell_id=ids[cells].astype(np.int64),
        count=sums[cells, 0],
        first=sums[cells, 1:4],
        second=sums[cells, 4:10],
        box=sums[cells, 10:16].reshape(-1, 3, 2),
        faces=cell_faces[cells],
        border_faces=sums[cells, 16:19],
        overlaps=overlaps[cells],
        intensity=light[cells],
        shift=shift,
        pairs=pairs[order],
        pair_faces=faces[kept][order],
    )


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

    Notes
    -----
    O(voxels) comparisons and O(runs) table updates; memory is O(cells + pairs) a thread beside the arrays. Chunked
    arrays are walked in blocks of whole chunks (`blocks.BLOCK_BYTES`), each read once. Coordinate sums are exact in
    int64 as long as voxels of a cell times the squared extent of the image stay below 2**63. Intensities other than
    `COMPILED_INTENSITIES` are cast plane by plane (`CAST_BYTES` a thread).
    """
    workers = n_workers(n_jobs)
    steps = lag_steps(image.spacing)
    lines = scan_lines(steps) if surface else np.zeros((0, 5), np.int64)
    halo = np.maximum(steps, 1) if surface else np.ones(3, int)
    labels, light = image.labels, image.image
    if image.ndim == 2:  # y takes the place of z, so that slabs of rows run in parallel
        lines, halo = lines[:, [1, 0, 2, 3, 4]], halo[[1, 0, 2]]
    if is_dask(labels):
        parts = _scan_dask(labels, light, halo, lines)
    elif is_chunked(labels) or is_chunked(light) or not (_is_plain(labels) and _is_plain(light)):
        parts = _scan_blocks(labels, light, halo, lines, workers)
    else:
        parts = _scan_slabs(labels, light, halo, lines, workers)
    merged = merge_statistics(parts)
    _check_ids(merged.cell_id, labels.dtype)
    merged = merged if surface else replace(merged, overlaps=None)
    return _back_to_2d(merged) if image.ndim == 2 else merged


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


def _is_plain(array: np.ndarray | None) -> bool:
    return array is None or (array.flags.c_contiguous and array.dtype.isnative)


def _as_3d(array: Any, ndim: int) -> Any:
    """Return (…, z, y, x) of a 3D array, (…, y, 1, x) of a 2D one."""
    return array if ndim == 3 else array[..., :, None, :]


def _no_light(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty((0, *shape), np.uint8)


def _mean_light(light: np.ndarray) -> np.ndarray:
    """Return a value (c,) near the mean of each channel, about which squares are summed."""
    step = max(1, light.shape[1] // 64)
    shift = light[:, ::step].mean(axis=tuple(range(1, light.ndim)), dtype=np.float64) if len(light) else np.zeros(0)
    return np.where(np.isfinite(shift), shift, 0.0)


def _planes_at_once(light: np.ndarray) -> int:
    """Return how many planes of intensities (c, planes, rows, columns) are scanned at once: all, or as many as are cast."""
    if len(light) == 0 or light.dtype in COMPILED_INTENSITIES:
        return max(1, light.shape[1])
    return max(1, CAST_BYTES // (8 * light[:, 0].size))


def _in_slabs(
    labels: np.ndarray,
    light: np.ndarray,
    shift: np.ndarray,
    core: np.ndarray,
    origin: np.ndarray,
    shape: np.ndarray,
    halo: np.ndarray,
    lines: np.ndarray,
    workers: int,
) -> list[LabelStatistics]:
    """Scan a block behind its halo with several threads, each on a slab of planes."""
    n = labels.shape[0] - core[0]
    n_slabs = max(1, min(workers, n // int(halo[0]) if n > halo[0] else 1))
    cuts = [int(core[0] + n * i // n_slabs) for i in range(n_slabs + 1)]
    thick = _planes_at_once(light)

    def planes(first: int, stop: int) -> LabelStatistics:
        low = max(0, first - int(halo[0]))
        start = np.array([first - low, core[1], core[2]])
        pixels = light[:, first - core[0] : stop - core[0]]
        return _statistics(labels[low:stop], pixels, shift, start, origin + np.array([low, 0, 0]), shape, lines)

    def slab(i: int) -> LabelStatistics:
        stop = cuts[i + 1]
        return merge_stream(planes(first, min(first + thick, stop)) for first in range(cuts[i], stop, thick))

    if n_slabs == 1:
        return [slab(0)]
    with ThreadPoolExecutor(n_slabs) as pool:
        return list(pool.map(slab, range(n_slabs)))


def _scan_slabs(
    labels: np.ndarray, light: np.ndarray | None, halo: np.ndarray, lines: np.ndarray, workers: int
) -> list[LabelStatistics]:
    pixels = _no_light(labels.shape) if light is None else light
    whole, pixels = _as_3d(labels, labels.ndim), _as_3d(pixels, labels.ndim)
    zero = np.zeros(3, np.int64)
    return _in_slabs(whole, pixels, _mean_light(pixels), zero, zero, np.array(whole.shape), halo, lines, workers)


def _scan_blocks(labels: Any, light: Any, halo: np.ndarray, lines: np.ndarray, workers: int) -> list[LabelStatistics]:
    """Walk blocks; what is known of the blocks so far is merged as it grows, so that memory stays flat."""
    ndim = labels.ndim
    chunks = labels.chunks if is_chunked(labels) else labels.shape if ndim == 2 else (16, *labels.shape[1:])
    array: Any = labels
    if ndim == 2:
        array, chunks = RowsAsPlanes(labels), (chunks[0], 1, chunks[1])
    block = block_shape(array.shape, chunks, labels.dtype.itemsize, least=halo.tolist())
    shape = np.array(array.shape)
    shift = None
    kept: list[LabelStatistics] = []
    for padded, core, origin in walk_blocks(array, block, halo.tolist()):
        plain = padded if padded.dtype.isnative else padded.astype(padded.dtype.newbyteorder("="))
        low, high = origin + core, origin + padded.shape
        if light is None:
            pixels = _no_light(tuple(high - low))
        else:
            z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
            where = (slice(None), z, y, x) if ndim == 3 else (slice(None), z, x)
            pixels = np.asarray(light[where])
            pixels = _as_3d(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("=")), ndim)
        shift = _mean_light(pixels) if shift is None else shift
        kept += _in_slabs(plain, pixels, shift, core, origin, shape, halo, lines, workers)
        if len(kept) > 16:
            kept = [merge_statistics(kept)]
    return kept


def _scan_dask(labels: Any, light: Any, halo: np.ndarray, lines: np.ndarray) -> list[LabelStatistics]:
    """Scan every chunk as a task of its own; dask brings the halo, and runs a task again when its worker died."""
    import dask
    from dask.array.overlap import ensure_minimum_chunksize, overlap

    ndim = labels.ndim
    whole = labels if ndim == 3 else labels[:, None, :]
    whole = whole.rechunk(
        tuple(ensure_minimum_chunksize(min(int(h), sum(c)), c) for h, c in zip(halo, whole.chunks, strict=True))
    )
    sizes = whole.chunks
    shape = np.array(whole.shape)
    starts = [np.concatenate([[0], np.cumsum(c)[:-1]]).astype(int) for c in sizes]
    padded = overlap(
        whole,
        depth={a: (min(int(h), whole.shape[a]), 0) for a, h in enumerate(halo)},
        boundary="none",
        allow_rechunk=False,
    ).to_delayed()
    shift = np.zeros(0)
    pixels = None
    if light is not None:
        import dask.array as da

        pixels = da.asarray(light)
        pixels = (pixels if ndim == 3 else pixels[:, :, None, :]).rechunk(
            {0: -1, 1: sizes[0], 2: sizes[1], 3: sizes[2]}
        )
        shift = dask.delayed(_mean_light)(pixels.to_delayed()[0, 0, 0, 0]).compute()
        pixels = pixels.to_delayed()
    scan = dask.delayed(_scan_chunk, pure=True)
    parts = []
    for index in np.ndindex(*padded.shape):
        low = np.array([s[i] for s, i in zip(starts, index, strict=True)])
        core = np.minimum(low, halo)
        chunk = None if pixels is None else pixels[(0, *index)]
        parts.append(scan(padded[index], chunk, shift, core, low - core, shape, halo, lines))
    merge = dask.delayed(merge_statistics, pure=True)
    while len(parts) > 1:
        parts = [merge(parts[i : i + 16]) for i in range(0, len(parts), 16)]
    return [parts[0].compute()]


def _scan_chunk(
    labels: np.ndarray,
    light: np.ndarray | None,
    shift: np.ndarray,
    core: np.ndarray,
    origin: np.ndarray,
    shape: np.ndarray,
    halo: np.ndarray,
    lines: np.ndarray,
) -> LabelStatistics:
    inner = tuple(np.array(labels.shape) - core)
    plain = np.ascontiguousarray(labels, labels.dtype.newbyteorder("="))
    pixels = _no_light(inner) if light is None else np.ascontiguousarray(light, light.dtype.newbyteorder("="))
    return merge_statistics(_in_slabs(plain, pixels, shift, core, origin, shape, halo, lines, 1))


def _back_to_2d(s: LabelStatistics) -> LabelStatistics:
    """Undo the exchange of axes: what was scanned as z is y, and z is 0."""
    zero = np.zeros_like(s.count)
    second = np.stack([zero, s.second[:, 0], s.second[:, 2], zero, zero, s.second[:, 4]], axis=1)
    intensity = s.intensity.copy()
    intensity[:, :, 5] = s.intensity[:, :, 4]
    intensity[:, :, 4] = 0

    def moved(a: np.ndarray) -> np.ndarray:
        out = np.zeros_like(a)
        out[:, 1], out[:, 2] = a[:, 0], a[:, 2]
        return out

    return LabelStatistics(
        cell_id=s.cell_id,
        count=s.count,
        first=moved(s.first),
        second=second,
        box=moved(s.box),
        faces=moved(s.faces),
        border_faces=moved(s.border_faces),
        overlaps=s.overlaps,
        intensity=intensity,
        shift=s.shift,
        pairs=s.pairs,
        pair_faces=moved(s.pair_faces),
    )
