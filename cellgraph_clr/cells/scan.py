"""One read of a label image: exact statistics per cell and per pair, for any integer type, 2D or 3D."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["LabelStatistics", "merge_statistics", "scan_labels"]

COMPILED_INTENSITIES = (np.uint8, np.uint16, np.float32, np.float64)  # other dtypes are read as float64


@dataclass(frozen=True, slots=True, eq=False)
class LabelStatistics:
    """Sums over the voxels of every cell and face counts of every pair, in voxel units (axes z, y, x; z = 0 in 2D).

    Parameters
    ----------
    cell_id : (n,) int64, sorted.
    count : (n,) int64 voxels.
    first : (n, 3) int64 sums of coordinates.
    second : (n, 6) int64 sums of zz, yy, xx, zy, zx, yx.
    box : (n, 3, 2) int64 inclusive lowest and highest coordinate.
    faces : (n, 3) int64 faces of the cell towards anything else (other cells, background, border), per axis.
    border_faces : (n, 3) int64 of these, faces on the border of the image.
    intensity : (n, c, 7) float64: sum, sum of squares about `shift`, min, max, intensity-weighted z, y, x sums.
    shift : (c,) float64 subtracted before squaring (the sum in column 0 is shifted as well).
    pairs : (m, 2) int64 cell ids, first below second, sorted; background never appears.
    pair_faces : (m, 3) int64 faces between the two cells, per axis.
    """

    cell_id: np.ndarray
    count: np.ndarray
    first: np.ndarray
    second: np.ndarray
    box: np.ndarray
    faces: np.ndarray
    border_faces: np.ndarray
    intensity: np.ndarray
    shift: np.ndarray
    pairs: np.ndarray
    pair_faces: np.ndarray


def _group_sum(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values, starts, axis=0) if len(starts) else values[:0]


def merge_statistics(parts: list[LabelStatistics]) -> LabelStatistics:
    """Return the statistics of the union of disjoint blocks: integers exact, intensity sums to float64 rounding.

    `parts` must hold at least one block; coordinates must be those of the whole image, shifts must be equal.
    """
    if len(parts) == 1:
        return parts[0]
    ids = np.concatenate([p.cell_id for p in parts])
    order = np.argsort(ids, kind="stable")
    cell_id, starts = np.unique(ids[order], return_index=True)

    def rows(name: str) -> np.ndarray:
        return np.concatenate([getattr(p, name) for p in parts])[order]

    def total(name: str) -> np.ndarray:
        return _group_sum(rows(name), starts)

    box, light = rows("box"), rows("intensity")
    low = np.minimum.reduceat(box[:, :, 0], starts, axis=0)
    high = np.maximum.reduceat(box[:, :, 1], starts, axis=0)
    intensity = _group_sum(light, starts)
    intensity[:, :, 2] = np.minimum.reduceat(light[:, :, 2], starts, axis=0)
    intensity[:, :, 3] = np.maximum.reduceat(light[:, :, 3], starts, axis=0)
    pairs = np.concatenate([p.pairs for p in parts])
    by_pair = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs = pairs[by_pair]
    new = np.ones(len(pairs), bool)
    new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    pair_starts = np.flatnonzero(new)
    pair_faces = _group_sum(np.concatenate([p.pair_faces for p in parts])[by_pair], pair_starts)
    return LabelStatistics(
        cell_id=cell_id,
        count=total("count"),
        first=total("first"),
        second=total("second"),
        box=np.stack([low, high], axis=2),
        faces=total("faces"),
        border_faces=total("border_faces"),
        intensity=intensity,
        shift=parts[0].shift,
        pairs=pairs[pair_starts],
        pair_faces=pair_faces,
    )


def _slab(labels: np.ndarray, image: np.ndarray, shift: np.ndarray, z0: int, z1: int) -> LabelStatistics:
    from cellgraph_clr.cells.scan_rows import scan_slab

    ids, sums, light, keys, faces = scan_slab(labels, image, shift, z0, z1)
    a, b = (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    cell_faces = sums[:, 17:20].copy()  # the border, to which the faces of every pair are added
    for axis in range(3):
        for side in (a, b):
            cell_faces[:, axis] += np.bincount(side, weights=faces[:, axis], minlength=len(ids)).astype(np.int64)
    seen = np.flatnonzero((sums[:, 0] > 0) | (cell_faces.sum(axis=1) > 0))
    seen = seen[seen > 0]
    cells = seen[np.argsort(ids[seen])]
    kept = np.flatnonzero(a > 0)
    pairs = np.sort(np.stack([ids[a[kept]], ids[b[kept]]], axis=1), axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return LabelStatistics(
        cell_id=ids[cells],
        count=sums[cells, 0],
        first=sums[cells, 1:4],
        second=sums[cells, 4:10],
        box=sums[cells, 10:16].reshape(-1, 3, 2),
        faces=cell_faces[cells],
        border_faces=sums[cells, 17:20],
        intensity=light[cells],
        shift=shift,
        pairs=pairs[order],
        pair_faces=faces[kept][order],
    )


def _native(array: np.ndarray) -> np.ndarray:
    """Return the array C-contiguous and in the byte order of the machine, itself when it already is."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def scan_labels(image: LabelImage, *, n_jobs: int | None = None) -> LabelStatistics:
    """Return the statistics of every cell and every touching pair from one read of labels and intensities.

    Parameters
    ----------
    image : a checked `LabelImage`.
    n_jobs : threads; None or -1 uses all cores. The result is the same for any number (intensity sums to float64 rounding).

    Returns
    -------
    `LabelStatistics` in voxel units.

    Notes
    -----
    O(voxels) comparisons and O(runs) table updates; memory is O(cells + pairs) a thread beside the arrays. Coordinate
    sums are exact in int64 as long as voxels of a cell times the squared extent of the image stay below 2**63.
    """
    labels = _native(image.labels)
    light = np.empty((0, *labels.shape), np.uint8) if image.image is None else _native(image.image)
    if light.dtype not in COMPILED_INTENSITIES:
        light = light.astype(np.float64)
    if labels.ndim == 2:  # y takes the place of z, so that slabs of rows run in parallel
        labels, light = labels[:, None, :], light[:, :, None, :]
    step = max(1, labels.shape[0] // 64)
    shift = light[:, ::step].mean(axis=(1, 2, 3), dtype=np.float64) if len(light) else np.zeros(0)
    shift = np.where(np.isfinite(shift), shift, 0.0)
    workers = os.cpu_count() or 1 if n_jobs in (None, -1) else max(1, int(n_jobs))
    n_slabs = min(workers, labels.shape[0])
    edges = [labels.shape[0] * i // n_slabs for i in range(n_slabs + 1)]
    with ThreadPoolExecutor(n_slabs) as pool:
        parts = list(pool.map(lambda i: _slab(labels, light, shift, edges[i], edges[i + 1]), range(n_slabs)))
    merged = merge_statistics(parts)
    return _back_to_2d(merged) if image.ndim == 2 else merged


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
        intensity=intensity,
        shift=s.shift,
        pairs=s.pairs,
        pair_faces=moved(s.pair_faces),
    )
