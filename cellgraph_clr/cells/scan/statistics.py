"""`LabelStatistics`: what a scan counts of cells and of pairs of cells, and how the counts of blocks are merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellgraph_clr.cells.overlap import sums_of_pairs
from cellgraph_clr.cells.scan.columns import HIGH, LEAST, LOW, MOST

__all__ = ["LabelStatistics", "merge_statistics"]


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
    overlaps : (n, 4) int64 pairs of voxels, both in the cell, at the diagonal lags of `crofton.lag_families`; None where
        they were not counted (`scan_labels(…, surface=False)`).
    intensity : (n, c, N_INTENSITY) float64: `columns.TOTAL`, SQUARES, LEAST, MOST and WEIGHTED.
    shift : (c,) float64 subtracted before squaring (`TOTAL` is shifted as well).
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
    overlaps: np.ndarray | None
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

    box, values = rows("box"), rows("intensity")
    low = np.minimum.reduceat(box[:, :, LOW], starts, axis=0)
    high = np.maximum.reduceat(box[:, :, HIGH], starts, axis=0)
    intensity = _group_sum(values, starts)
    intensity[:, :, LEAST] = np.minimum.reduceat(values[:, :, LEAST], starts, axis=0)
    intensity[:, :, MOST] = np.maximum.reduceat(values[:, :, MOST], starts, axis=0)
    pairs, pair_faces = sums_of_pairs(
        np.concatenate([p.pairs for p in parts]), np.concatenate([p.pair_faces for p in parts])
    )
    return LabelStatistics(
        cell_id=cell_id,
        count=total("count"),
        first=total("first"),
        second=total("second"),
        box=np.stack([low, high], axis=2),
        faces=total("faces"),
        border_faces=total("border_faces"),
        overlaps=None if any(p.overlaps is None for p in parts) else total("overlaps"),
        intensity=intensity,
        shift=parts[0].shift,
        pairs=pairs,
        pair_faces=pair_faces,
    )
