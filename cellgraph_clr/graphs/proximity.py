"""Edges from positions: nearest neighbours and fixed radius."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.parallel import n_workers, over_rows
from cellgraph_clr.graphs.lists import lists_per_sample
from cellgraph_clr.graphs.samples import warn_of_small

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.graphs.lists import NeighborLists

__all__ = ["knn", "nearest_lists", "radius", "radius_lists"]

CROWDED = 32  # points met per point and bin, relative to an even spread, from which a tree is faster than a grid


class _Grid:
    """Points sorted into bins; `crowded` tells that they lie too unevenly for bins of one size."""

    def __init__(self, position: np.ndarray, size: float) -> None:
        from cellgraph_clr.graphs.cell_lists import bins_of

        n, d = position.shape
        points = np.zeros((n, 3))
        points[:, 3 - d :] = position
        self.low = points.min(axis=0)
        extent = points.max(axis=0) - self.low
        wide = extent > 0
        if wide.any():  # no more than about 4 bins a point
            volume = np.log(extent[wide]).sum()
            size = max(size, float(np.exp((volume - np.log(4.0 * n)) / wide.sum())), float(extent.max()) / 2**20)
        self.size = size if size > 0 else 1.0
        self.shape = (extent / self.size).astype(np.int64) + 1
        while self.shape.prod() > 16 * n + 64:  # flat sets: few points along one axis, many bins along the others
            self.size *= 2
            self.shape = (extent / self.size).astype(np.int64) + 1
        self.order, self.points, self.starts = bins_of(points, self.low, self.size, self.shape)
        self.met = float((np.diff(self.starts).astype(float) ** 2).sum()) / n

    def in_threads(self, work: Callable[[int, int], None], n_jobs: int) -> None:
        """Call `work(first, last)` for consecutive parts of the sorted points."""
        n = len(self.order)
        workers = n_workers(n_jobs)
        parts = min(8 * workers, max(n // 1000, 1))
        over_rows(work, n, n_threads=workers, n_parts=parts)


def nearest_lists(position: np.ndarray, k: int, *, n_jobs: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest other points of every point: rows (n, k) int32 and distances (n, k) float32, near to far.

    Parameters
    ----------
    position : (n, d) float64, d 2 or 3, n > k.
    k : neighbours of every point, itself not counted. Points at one position are neighbours at distance 0; of points
        equally far the lower rows come first.
    n_jobs : threads; -1 uses all. The result does not depend on it.

    Notes
    -----
    O(n k) for even densities with a grid of bins; very uneven sets go to `scipy.spatial.cKDTree`, where ties among
    equally far points are broken by the tree. Memory 8 bytes a neighbour and 60 a point.
    """
    n, d = position.shape
    extent = np.ptp(position, axis=0)
    wide = extent[extent > 0]
    even = max(1.0, k / 4 if d == 2 else k / 8)  # points in a bin
    grid = _Grid(position, float(np.exp((np.log(wide).sum() + np.log(even / n)) / len(wide))) if len(wide) else 1.0)
    if grid.met > CROWDED * (even + 1):
        return _nearest_by_tree(position, k, n_jobs)
    from cellgraph_clr.graphs.cell_lists import nearest

    index = np.empty((n, k), np.int32)
    distance = np.empty((n, k), np.float32)

    def work(first: int, last: int) -> None:
        nearest(grid.points, grid.order, grid.starts, grid.low, grid.size, grid.shape, k, first, last, index, distance)

    grid.in_threads(work, n_jobs)
    return index, distance


def _nearest_by_tree(position: np.ndarray, k: int, n_jobs: int) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import cKDTree

    n = len(position)
    tree = cKDTree(position, balanced_tree=False, compact_nodes=False)
    order = tree.indices  # neighbours in space follow one another: each query finds the tree warm in cache
    distance, found = tree.query(position[order], k + 1, workers=n_workers(n_jobs))
    is_self = found == order[:, None]
    is_self[~is_self.any(axis=1), -1] = True  # a point hidden behind its doubles loses the farthest instead
    back = np.argsort(order)
    index = found[~is_self].reshape(n, k)[back].astype(np.int32)
    return index, distance[~is_self].reshape(n, k)[back].astype(np.float32)


def radius_lists(position: np.ndarray, radius: float, *, n_jobs: int = -1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all other points within `radius` of every point as CSR: indptr, rows (ascending) and float32 distances.

    Position as in `nearest_lists`. O(n + neighbours) for a radius that spans few points of an even set; a grid of bins
    of that size, or for very uneven sets `scipy.spatial.cKDTree`. Empty input gives empty lists.
    """
    n = len(position)
    if n == 0:
        return np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
    from cellgraph_clr.graphs.cell_lists import fill_within

    radius = float(radius)
    grid = _Grid(position, radius)
    where = (grid.points, grid.order, grid.starts, grid.low, grid.size, grid.shape, radius)
    degree = np.empty(n, np.int64)

    def fill(indptr: np.ndarray, index: np.ndarray, distance: np.ndarray) -> None:
        grid.in_threads(lambda a, b: fill_within(*where, a, b, degree, indptr, index, distance), n_jobs)

    fill(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))  # counts only
    indptr = np.concatenate([[0], np.cumsum(degree)])
    index, distance = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    fill(indptr, index, distance)
    return indptr, index, distance


def knn(cells: CellTable, *, n_neighbors: int = 6, mutual: bool = False, n_jobs: int = -1) -> NeighborLists:
    """Return the lists of nearest neighbours: the union of both directions, or their intersection (`mutual`).

    Parameters
    ----------
    cells : positions in physical units.
    n_neighbors : neighbours of every cell, itself not counted. Cells at one and the same position are neighbours at
        distance 0 like any others.
    mutual : keep an edge only where both cells are among the neighbours of the other.

    Raises
    ------
    OptionError
        If `n_neighbors` is not a whole number of at least 1.

    Warns
    -----
    UserWarning
        If a sample has no more than `n_neighbors` cells: each is joined to all others.

    Notes
    -----
    As `nearest_lists`. A table without cells gives no edges.
    """
    if not isinstance(n_neighbors, (int, np.integer)) or n_neighbors < 1:
        raise OptionError(expected("`n_neighbors` to be a whole number >= 1", repr(n_neighbors), "6 is usual in 2D."))

    small: list[str] = []

    def build(position: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        from cellgraph_clr.graphs.cell_lists import undirected

        n = len(position)
        if n <= n_neighbors:
            small.append(name)
        if n == 1:
            return np.zeros(2, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
        return undirected(*nearest_lists(position, min(int(n_neighbors), n - 1), n_jobs=n_jobs), mutual)

    lists = lists_per_sample(cells, build)
    warn_of_small(small, f"{n_neighbors + 1} cells, which {n_neighbors} neighbours need")
    return lists


def radius(cells: CellTable, *, radius: float, n_jobs: int = -1) -> NeighborLists:
    """Return the lists of all cells within `radius` of one another (same unit as the positions).

    Raises `OptionError` if the radius is not above 0. O(n + edges); a table without cells gives no edges. Distances are compared
    in float64 as they are rounded: for cells on a lattice whose pitch is the radius, pass a radius a little larger.
    """
    check_in_range("radius", radius, low=0, low_open=True)
    return lists_per_sample(cells, lambda position, _: radius_lists(position, radius, n_jobs=n_jobs))
