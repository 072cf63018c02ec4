"""How far cells that touch nothing are from the nearest other cell, and labels that are in too many pieces to be cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.cells.scan.columns import HIGH, LOW

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.cells.scan import LabelStatistics

__all__ = ["MANY_ISOLATES", "gap_of_isolates", "isolated_rows", "looks_scattered"]

MANY_ISOLATES = 0.2  # share of cells without contact from which a gap is measured, and warned of
MEASURED = 64  # isolated cells whose gaps are measured
JOINED = 0.8  # share of them that the gap given would join
ROUGH = 2.5  # times more faces than a compact body of its size: the typical label is in pieces, or very folded


def isolated_rows(s: LabelStatistics) -> np.ndarray:
    """Return the rows of the cells that touch no other cell."""
    return np.flatnonzero(~np.isin(s.cell_id, s.pairs))


def gap_of_isolates(image: LabelImage, s: LabelStatistics) -> float | None:
    """Return the background gap that would join four fifths of the cells that touch nothing, in the unit of the spacing.

    None where fewer than a fifth of the cells are isolated, or there is only one cell. Measured on up to 64 of them,
    evenly taken by id, each in a box that grows until it holds another cell: O(voxels of the boxes).
    """
    alone = isolated_rows(s)
    if len(s.cell_id) < 2 or len(alone) <= MANY_ISOLATES * len(s.cell_id):
        return None
    some = alone[np.unique(np.linspace(0, len(alone) - 1, MEASURED).round().astype(int))]
    gaps = [_gap(image, s, int(row)) for row in some]
    return float(np.quantile(gaps, JOINED, method="higher"))


def _gap(image: LabelImage, s: LabelStatistics, row: int) -> float:
    """Return the width of the background between a cell and the nearest other one."""
    from scipy.ndimage import distance_transform_edt

    d, step = image.ndim, np.asarray(image.spacing)
    box, shape = s.box[row, 3 - d :], np.asarray(image.labels.shape)
    reach = 4 * step.max()
    while True:
        margin = np.ceil(reach / step).astype(int)
        low, high = np.maximum(box[:, LOW] - margin, 0), np.minimum(box[:, HIGH] + 1 + margin, shape)
        part = np.asarray(image.labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))])
        others = (part != 0) & (part != s.cell_id[row])
        if others.any():
            distance = distance_transform_edt(part != s.cell_id[row], sampling=image.spacing)[others].min()
            if distance <= reach or (high - low == shape).all():
                return float(max(distance - step.min(), step.min()))
        reach *= 2


def looks_scattered(s: LabelStatistics, ndim: int) -> bool:
    """Return whether the typical label has far more surface than a compact body of its size.

    True for the grey levels of an intensity image and for binary masks of many bodies, and for very folded cells: whether
    labels are in pieces is then worth counting. O(cells).
    """
    compact = 2 * ndim * s.count.astype(float) ** (1 - 1 / ndim)
    return bool(np.median(s.faces.sum(axis=1) / compact) > ROUGH)
