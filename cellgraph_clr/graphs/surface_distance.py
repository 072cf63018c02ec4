"""How far apart the surfaces of cells are: the nearest voxels of two cells, in physical units."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import MissingKeyError
from cellgraph_clr._core.ids import rows_of
from cellgraph_clr._core.parallel import n_workers
from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.cells.scan.columns import HIGH, LOW
from cellgraph_clr.graphs.boxes import near_boxes

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["near_pairs", "surface_distances"]


class _Outlines:
    """Boxes of all cells, and the boundary voxels of each as a tree, built when first asked for."""

    def __init__(self, image: LabelImage) -> None:
        s = scan_labels(image, surface=False)
        d = image.ndim
        self.labels, self.step = image.labels, np.asarray(image.spacing)
        self.cell_id, self.box = s.cell_id, s.box[:, 3 - d :]
        self.low, self.high = self.box[:, :, LOW] * self.step, self.box[:, :, HIGH] * self.step
        self.touching = set(map(tuple, rows_of(s.cell_id, s.pairs).tolist()))
        self.trees: dict[int, Any] = {}

    def tree(self, row: int) -> Any:
        """Return the tree of the boundary voxels of a cell: those with a face towards anything else."""
        from scipy.ndimage import binary_erosion
        from scipy.spatial import cKDTree

        if row not in self.trees:
            inside = np.asarray(self.labels[tuple(slice(a, b + 1) for a, b in self.box[row])]) == self.cell_id[row]
            edge = inside & ~binary_erosion(inside)
            self.trees[row] = cKDTree((np.argwhere(edge) + self.box[row, :, LOW]) * self.step)
        return self.trees[row]

    def distance(self, a: int, b: int) -> float:
        """Return the distance of the two nearest voxel centres of two cells, 0 when they share a face."""
        if (min(a, b), max(a, b)) in self.touching:
            return 0.0
        one, other = self.tree(a), self.tree(b)
        if one.n > other.n:
            one, other = other, one
        return float(other.query(one.data)[0].min())


def _distances(outlines: _Outlines, rows: np.ndarray, n_jobs: int) -> np.ndarray:
    workers = n_workers(n_jobs)
    with ThreadPoolExecutor(workers) as pool:
        return np.fromiter(pool.map(lambda p: outlines.distance(*p), rows.tolist()), float, len(rows))


def surface_distances(image: LabelImage, pairs: np.ndarray, *, n_jobs: int = -1) -> np.ndarray:
    """Return the distances (m,) float64 between the surfaces of pairs of cell ids (m, 2), in the unit of the spacing.

    Cells that share a face are at 0; else it is the distance of their nearest voxel centres.

    Raises
    ------
    MissingKeyError
        If an id is not in the image.
    LabelImageError, NoCellsError
        As `scan_labels`.

    Notes
    -----
    O(boundary voxels · log) for each pair; trees of all cells stay in memory (about 60 bytes a boundary voxel).
    """
    outlines = _Outlines(image)
    at = rows_of(outlines.cell_id, pairs)
    lost = np.unique(pairs[at < 0])
    if len(lost):
        raise MissingKeyError(expected("ids that are in the labels", f"{listing(lost)} are not", "Pass their labels."))
    return _distances(outlines, at, n_jobs)


def near_pairs(image: LabelImage, radius: float, *, n_jobs: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of cell ids (m, 2) whose surfaces are at most `radius` apart, and their distances (m,).

    Candidates are the pairs whose boxes are that near (see `boxes.near_boxes`): O(cells) for compact cells, and all cells
    for one that crosses the image. Costs and definition as `surface_distances`.
    """
    outlines = _Outlines(image)
    pairs = near_boxes(outlines.low, outlines.high, max(radius, float(outlines.step.max())))
    distance = _distances(outlines, pairs, n_jobs)
    near = distance <= radius
    return outlines.cell_id[pairs[near]], distance[near]
