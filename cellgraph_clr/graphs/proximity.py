"""Edges from positions: nearest neighbours and fixed radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_in_range, expected
from cellgraph_clr._core.errors import GeometryError, OptionError
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.samples import edges_per_sample

if TYPE_CHECKING:
    from cellgraph_clr.cells.table import CellTable

__all__ = ["knn", "radius"]


def _tree(position: np.ndarray) -> Any:
    from scipy.spatial import cKDTree

    return cKDTree(position, balanced_tree=False, compact_nodes=False)


def knn(cells: CellTable, *, n_neighs: int = 6, mutual: bool = False, n_jobs: int = -1) -> CellGraph:
    """Return the graph of nearest neighbours: the union of both directions, or their intersection (`mutual`).

    Parameters
    ----------
    cells : positions in physical units.
    n_neighs : neighbours of every cell, itself not counted. Cells at one and the same position are neighbours at
        distance 0 like any others; ties are broken by the tree.
    mutual : keep an edge only where both cells are among the neighbours of the other.

    Raises
    ------
    OptionError
        If `n_neighs` is not a whole number of at least 1.
    GeometryError
        If a sample has no more than `n_neighs` cells.

    Notes
    -----
    O(n log n) with `scipy.spatial.cKDTree`, queried in tree order. A table without cells gives a graph without edges.
    """
    if not isinstance(n_neighs, (int, np.integer)) or n_neighs < 1:
        raise OptionError(expected("`n_neighs` to be a whole number >= 1", repr(n_neighs), "6 is usual in 2D."))

    def build(position: np.ndarray, name: str) -> np.ndarray:
        n = len(position)
        if n <= n_neighs:
            raise GeometryError(
                expected(
                    f"more than {n_neighs} cells{f' in sample {name!r}' if name else ''}",
                    n,
                    f"Lower `n_neighs` to {max(n - 1, 1)} at the most or leave the sample out.",
                )
            )
        tree = _tree(position)
        order = tree.indices  # neighbours in space follow one another: each query finds the tree warm in cache
        _, found = tree.query(position[order], n_neighs + 1, workers=n_jobs)
        found = found[np.argsort(order)]
        is_self = found == np.arange(n)[:, None]
        is_self[~is_self.any(axis=1), -1] = True  # a cell hidden behind its doubles loses the farthest instead
        neighbours = found[~is_self].reshape(n, n_neighs)
        edges = np.stack([np.repeat(np.arange(n), n_neighs), neighbours.ravel()], axis=1)
        if not mutual:
            return edges
        key = np.sort(edges, axis=1) @ np.array([n, 1])
        unique, count = np.unique(key, return_counts=True)
        both = unique[count == 2]
        return np.stack([both // n, both % n], axis=1)

    return CellGraph.from_pairs(cells, edges_per_sample(cells, build))


def radius(cells: CellTable, *, radius: float) -> CellGraph:
    """Return the graph of all pairs of cells within `radius` of one another (same unit as the positions).

    Raises `OptionError` if the radius is not above 0. O(n + edges); a table without cells gives no edges.
    """
    check_in_range("radius", radius, low=0, low_open=True)
    return CellGraph.from_pairs(
        cells,
        edges_per_sample(cells, lambda position, _: _tree(position).query_pairs(radius, output_type="ndarray")),
    )
