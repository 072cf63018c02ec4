"""Outlines of groups of cells: where a cell of the group is nearer than any other cell, and near."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from scipy.spatial import cKDTree

__all__ = ["Outlines", "cell_reach", "polygons", "surface"]

FINER = {2: 4.0, 3: 2.5}  # steps of the grid in `reach`, by the number of axes
BESIDE = 4.0  # reaches around a group in which other cells are looked for
MAX_GRID = 2**22  # points of the grid that outlines are traced on; a larger box takes a coarser one


def cell_reach(position: np.ndarray, adjacency: csr_matrix, rows: np.ndarray | None = None) -> float:
    """Return how far a cell reaches where nothing is beside it, at most: just over half a long edge; 1 without edges.

    A long edge is the 95 % quantile of those at `rows` (None: of all): cells that an edge joins have territories that meet,
    but for the longest edges, which may cross what is no tissue.
    """
    pairs = (adjacency if rows is None else adjacency[rows]).tocoo()
    xyz = np.asarray(position, float)
    start = pairs.row if rows is None else np.asarray(rows)[pairs.row]
    length = np.linalg.norm(xyz[start] - xyz[pairs.col], axis=1)
    length = length[length > 0]
    return 0.55 * float(np.quantile(length, 0.95)) if len(length) else 1.0


class Outlines:
    """Outlines of many groups of cells, each at the cost of its own cells and those around: cells are sorted by place once.

    Parameters
    ----------
    position : (n, d) centres of all cells.
    samples : (n,) number of the sample of every cell; cells of others may lie at the same place.
    reach : how far a cell reaches where nothing is beside it, in the unit of positions; above 0 (else `OptionError`).
    """

    def __init__(self, position: np.ndarray, samples: np.ndarray, reach: float) -> None:
        check_in_range("reach", reach, low=0, low_open=True)
        self.position, self.samples, self.reach = np.asarray(position, float), np.asarray(samples), reach
        self._order = np.argsort(self.samples, kind="stable")
        self._trees: dict[int, tuple[np.ndarray, cKDTree]] = {}

    def of(self, rows: np.ndarray) -> list[np.ndarray] | tuple[np.ndarray, np.ndarray]:
        """Return the `polygons` (2D) or the `surface` (3D) of cells of one sample, at least one."""
        members, tree = self._sample(int(self.samples[rows[0]]))
        own = self.position[rows]
        low, high = own.min(axis=0), own.max(axis=0)
        margin = BESIDE * self.reach + _step(high - low, self.reach)
        inside = tree.query_ball_point((low + high) / 2, 1.001 * ((high - low).max() / 2 + margin), p=np.inf)
        near = members[np.sort(np.asarray(inside, np.int64))]
        traced = polygons if self.position.shape[1] == 2 else surface
        return traced(self.position[near], np.searchsorted(near, rows), self.reach)

    def _sample(self, number: int) -> tuple[np.ndarray, cKDTree]:
        """Return the cells of a sample (ascending) and the tree of their places."""
        if number not in self._trees:
            from scipy.spatial import cKDTree

            first, last = (
                np.searchsorted(self.samples, number, side, sorter=self._order) for side in ("left", "right")
            )
            members = self._order[first:last]
            self._trees[number] = members, cKDTree(self.position[members])
        return self._trees[number]


def polygons(position: np.ndarray, rows: np.ndarray, reach: float) -> list[np.ndarray]:
    """Return the outlines of a group of cells in 2D, closed polygons (k, 2) as x, y, holes among them, largest first.

    A point belongs to the group where one of its cells is the nearest of all and no farther than `reach` (the territory:
    Voronoi cells, clipped). Traced on a grid of a quarter of `reach`.

    Parameters
    ----------
    position : (n, 2) centres of all cells as x, y.
    rows : (m,) the group; none gives an empty list.
    reach : how far a cell reaches where nothing is beside it, in the unit of positions; above 0 (else `OptionError`).

    Notes
    -----
    O(g log n) for a grid of g points, at most four million.
    """
    from skimage.measure import find_contours

    field, low, step = _depth(position, rows, reach)
    if field is None:
        return []
    found = [low + step * c for c in find_contours(field, 0)]
    return sorted(found, key=lambda p: -abs(_area(p)))


def surface(position: np.ndarray, rows: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the outline of a group of cells in 3D, a mesh: vertices (v, 3) as x, y, z and triangles (t, 3).

    As `polygons`, on a grid of two fifths of `reach`. No cells, or only such that share their places with others, give an
    empty mesh.
    """
    from skimage.measure import marching_cubes

    field, low, step = _depth(position, rows, reach)
    if field is None or field.max() <= 0:  # others lie at the same places, or the grid is too coarse to see it
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    vertices, faces, *_ = marching_cubes(field, 0)
    return low + step * vertices, faces.astype(np.int64)


def _step(side: np.ndarray, reach: float) -> float:
    """Return the step of the grid around a group that spans `side` (d,)."""
    around = side + 2.5 * reach
    return max(reach / FINER[len(side)], float((around.prod() / MAX_GRID) ** (1 / len(side))))


def _depth(position: np.ndarray, rows: np.ndarray, reach: float) -> tuple[np.ndarray | None, np.ndarray, float]:
    """Return how deep every grid point lies inside the territory (below 0 outside), where the grid starts, and its step."""
    from scipy.spatial import cKDTree

    check_in_range("reach", reach, low=0, low_open=True)
    xyz = np.asarray(position, float)
    if len(rows) == 0:
        return None, np.zeros(xyz.shape[1]), 1.0
    own = xyz[rows]
    low, high = own.min(axis=0), own.max(axis=0)
    step = _step(high - low, reach)
    beside = ((xyz > low - (BESIDE * reach + step)) & (xyz < high + BESIDE * reach + step)).all(axis=1)
    beside[rows] = False
    shape = np.ceil((high - low + 2.5 * reach + 2 * step) / step).astype(int) + 1
    low = low - 1.25 * reach - step
    axes = [a + step * np.arange(n) for a, n in zip(low, shape, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))
    near = cKDTree(own).query(points)[0]
    others = xyz[beside]
    far = cKDTree(others).query(points)[0] if len(others) else np.full(len(points), np.inf)
    return np.minimum((far - near) / 2, reach - near).reshape(shape), low, step


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
