"""Edges between cells that touch in a label image, with their contact area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range
from cellgraph_clr._core.ids import rows_of
from cellgraph_clr.cells.gaps import gap_of_isolates
from cellgraph_clr.cells.measure import contact_areas
from cellgraph_clr.cells.overlap import sums_of_pairs
from cellgraph_clr.cells.scan import scan_labels

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["Contacts", "contacts_from_labels"]


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Touching pairs of one label image: cell ids (m, 2) int64 and areas (m,) float64 (lengths in 2D).

    `gap` is the background between cells that touch nothing and their nearest cell, where many touch nothing.
    """

    pairs: np.ndarray
    area: np.ndarray
    gap: float | None = None

    def between(self, cell_id: np.ndarray, *, min_area: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return rows (k, 2) into `cell_id` and areas of the pairs whose cells are both there, above `min_area`."""
        rows = rows_of(cell_id, self.pairs)
        keep = (rows >= 0).all(axis=1) & (self.area > min_area)
        return rows[keep], self.area[keep]


def contacts_from_labels(image: LabelImage, *, max_gap: float = 0.0, n_jobs: int | None = None) -> Contacts:
    """Return the pairs that share a face, or lie within `max_gap` of one another across background.

    Parameters
    ----------
    image : labels with their spacing.
    max_gap : widest background gap, in the unit of `spacing`, that still counts as a contact (Euclidean, measured from
        voxel border to voxel border along the axes). The area is that of the faces where the two halves of the gap meet.

    Raises
    ------
    OptionError
        If `max_gap` is negative.
    LabelImageError, NoCellsError
        As `scan_labels`.

    Notes
    -----
    Faces only: cells that meet at an edge or corner do not touch. Background never links two cells. For a gap above 0 the
    whole image is held in memory with its distance transform, about 40 bytes a voxel.
    """
    check_in_range("max_gap", max_gap, low=0)
    statistics = scan_labels(image, surface=False, n_jobs=n_jobs)  # which refuses what is no label image
    if max_gap > 0:
        return _across_gaps(image, max_gap)
    gap = gap_of_isolates(image, statistics)
    return Contacts(statistics.pairs, contact_areas(statistics, image.spacing), gap)


def _across_gaps(image: LabelImage, max_gap: float) -> Contacts:
    """Return pairs whose gap is at most `max_gap`: every background voxel goes to its nearest cell, at distance d.

    Between two neighbouring voxels of different cells the gap along the way is the sum of their two distances.
    """
    from scipy.ndimage import distance_transform_edt

    labels, step = np.asarray(image.labels), np.asarray(image.spacing)
    distance, nearest = distance_transform_edt(labels == 0, sampling=image.spacing, return_indices=True)
    owner = labels[tuple(nearest)]
    pairs, areas = [], []
    for axis in range(labels.ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(labels.ndim))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(labels.ndim))
        close = (owner[low] != owner[high]) & (distance[low] + distance[high] <= max_gap * (1 + 1e-9))
        both = np.stack([owner[low][close], owner[high][close]], axis=1).astype(np.int64)
        pairs.append(np.sort(both, axis=1))
        areas.append(np.full(len(both), step.prod() / step[axis]))
    return Contacts(*sums_of_pairs(np.concatenate(pairs), np.concatenate(areas)))
