"""Edges between cells that touch in a label image, with their contact area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.measure import contact_areas
from cellgraph_clr.cells.scan import scan_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Contacts", "contacts_from_labels"]


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Touching pairs of one label image: cell ids (m, 2) int64 and areas (m,) float64 (lengths in 2D)."""

    pairs: np.ndarray
    area: np.ndarray

    def between(self, cell_id: np.ndarray, *, min_area: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return rows (k, 2) into `cell_id` and areas of the pairs whose cells are both there, above `min_area`."""
        order = np.argsort(cell_id)
        at = np.searchsorted(cell_id, self.pairs, sorter=order).clip(max=max(len(cell_id) - 1, 0))
        if len(cell_id) == 0 or len(self.pairs) == 0:
            return np.zeros((0, 2), np.int64), np.zeros(0)
        rows = order[at]
        keep = (cell_id[rows] == self.pairs).all(axis=1) & (self.area > min_area)
        return rows[keep].astype(np.int64), self.area[keep]


def contacts_from_labels(
    labels: np.ndarray, spacing: Sequence[float], *, max_gap: float = 0.0, n_jobs: int | None = None
) -> Contacts:
    """Return the pairs that share a face, or lie within `max_gap` of one another across background.

    Parameters
    ----------
    labels : (y, x) or (z, y, x) integer ids, 0 is background.
    spacing : voxel size per axis, in physical units.
    max_gap : widest background gap, in the unit of `spacing`, that still counts as a contact. The gap is closed by
        growing every cell by half of it (exact Euclidean distance); the area is that of the faces after closing.

    Raises
    ------
    OptionError
        If `max_gap` is negative or the spacing is wrong.
    LabelImageError, NoCellsError
        As `LabelImage`.

    Notes
    -----
    Faces only: cells that meet at an edge or corner do not touch. Background never links two cells.
    """
    check_in_range("max_gap", max_gap, low=0)
    image = LabelImage.build(labels, spacing=spacing)
    if max_gap > 0:
        from skimage.segmentation import expand_labels

        grown = expand_labels(image.labels, distance=max_gap / 2, spacing=image.spacing)
        image = LabelImage.build(grown, spacing=spacing)
    statistics = scan_labels(image, n_jobs=n_jobs)
    return Contacts(statistics.pairs, contact_areas(statistics, image.spacing))
