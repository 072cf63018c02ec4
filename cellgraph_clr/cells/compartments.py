"""Nuclei beside cells: which nucleus lies in which cell, and features of the pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.ids import rows_of
from cellgraph_clr.cells.overlap import label_overlaps

if TYPE_CHECKING:
    from cellgraph_clr.cells.scan import LabelStatistics

__all__ = ["check_same_grid", "match_nuclei", "nucleus_of_cells"]


def check_same_grid(cells: Any, nuclei: Any) -> None:
    """Raise `ShapeError` if cells and nuclei have different shapes."""
    if cells.shape != nuclei.shape:
        raise ShapeError(
            expected(f"nuclei of the shape of the cells {cells.shape}", nuclei.shape, "Resample one onto the other.")
        )


def match_nuclei(cells: Any, nuclei: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return nucleus ids, the cell that holds most of each nucleus, and the share of the nucleus inside it.

    Parameters
    ----------
    cells, nuclei : label arrays of one shape, in memory or in chunks, which are read block by block.

    Returns
    -------
    nucleus_id, cell_id : (n,) int64; cell_id is 0 for a nucleus that lies mostly in the background.
    share : (n,) float64 in (0, 1].

    Raises
    ------
    ShapeError
        If both arrays have different shapes.

    Notes
    -----
    O(voxels); see `overlap.label_overlaps`. Ties go to the smaller cell id.
    """
    check_same_grid(cells, nuclei)
    pairs, counts = label_overlaps(nuclei, cells)
    inside = pairs[:, 0] > 0
    unique, count = pairs[inside], counts[inside]
    order = np.lexsort((unique[:, 1], -count, unique[:, 0]))
    unique, count = unique[order], count[order]
    nucleus_id, first, inverse = np.unique(unique[:, 0], return_index=True, return_inverse=True)
    total = np.bincount(inverse, weights=count)
    return nucleus_id, unique[first, 1], count[first] / total


def nucleus_of_cells(cells: Any, nuclei: Any, s: LabelStatistics, t: LabelStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Return the row in `t` of each cell's largest nucleus (-1 without one), and how many nuclei each cell has.

    `s` and `t` are the scans of cells and nuclei; cost and errors as `match_nuclei`. Nuclei that lie mostly in the background
    belong to none.
    """
    nucleus_id, cell_id, _ = match_nuclei(cells, nuclei)
    inside = cell_id > 0
    row, at = rows_of(t.cell_id, nucleus_id[inside]), rows_of(s.cell_id, cell_id[inside])
    chosen = np.full(len(s.cell_id), -1)
    largest_last = np.argsort(t.count[row], kind="stable")
    chosen[at[largest_last]] = row[largest_last]
    return chosen, np.bincount(at, minlength=len(s.cell_id))
