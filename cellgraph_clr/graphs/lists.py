"""`NeighborLists`: a graph as a search finds it, whom every cell is joined with; matrices come from it without a sorting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.samples import groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellgraph_clr.cells.table import CellTable

__all__ = ["NeighborLists", "lists_per_sample"]


@dataclass(frozen=True, slots=True, eq=False)
class NeighborLists:
    """Cells with the rows that each is joined with and how far they lie, every edge in both of its lists.

    Parameters
    ----------
    cells : the nodes.
    indptr : (n + 1,) integers, where the list of each cell starts.
    indices : (entries,) int32 rows, ascending within a list.
    length : (entries,) float32, in the unit of positions; the same in both lists of an edge.

    Raises
    ------
    ShapeError
        If there is not a list for every cell, or a length for every entry.
    """

    cells: CellTable
    indptr: np.ndarray
    indices: np.ndarray
    length: np.ndarray

    def __post_init__(self) -> None:
        """Check the sizes."""
        found = (len(self.indptr) - 1, len(self.indices), len(self.length))
        if found != (len(self.cells), self.indptr[-1], self.indptr[-1]):
            wanted = f"lists of {len(self.cells)} cells with {self.indptr[-1]} entries and lengths"
            raise ShapeError(expected(wanted, found, "Build the lists of all cells."))

    @property
    def edge_features(self) -> dict[str, np.ndarray]:
        """Name -> values (entries,)."""
        return {"length": self.length}

    def isolated(self) -> np.ndarray:
        """Return which cells (n,) bool have no neighbours."""
        return np.diff(self.indptr) == 0

    def graph(self) -> CellGraph:
        """Return the same as cells and edges. O(entries)."""
        low = np.repeat(np.arange(len(self.cells)), np.diff(self.indptr))
        upper = self.indices > low
        return CellGraph(
            self.cells, np.stack([low[upper], self.indices[upper]], axis=1), {"length": self.length[upper]}
        )

    def adjacencies(self, *features: str | None) -> list[csr_matrix]:
        """Return symmetric (n, n) float32 CSR matrices of "length" or ones (None); the last has the arrays of the lists.

        Raises `MissingKeyError` for another feature. O(entries).
        """
        for name in features:
            if name is not None:
                check_key(name, list(self.edge_features), where="edge_features")
        shape = (len(self.cells),) * 2
        out = []
        for k, name in enumerate(features):
            data = np.ones(len(self.indices), np.float32) if name is None else self.edge_features[name]
            last = k == len(features) - 1
            where = (self.indices, self.indptr) if last else (self.indices.copy(), self.indptr.copy())
            out.append(csr_matrix((data if last or name is None else data.copy(), *where), shape=shape))
        return out


def lists_per_sample(
    cells: CellTable, build: Callable[[np.ndarray, str], tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> NeighborLists:
    """Return the lists of all samples; `build(position, name)` gives indptr, local rows and lengths of one.

    O(entries). A table without cells gives none.
    """
    parts = [(g.rows, *build(cells.position[g.rows], g.name)) for g in groups(cells)]
    if len(parts) == 1:  # its rows are all, ascending
        return NeighborLists(cells, _small(parts[0][1]), *parts[0][2:])
    degree = np.zeros(len(cells) + 1, np.int64)
    for rows, indptr, *_ in parts:
        degree[rows + 1] = np.diff(indptr)
    starts = np.cumsum(degree)
    indices, length = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    for rows, indptr, local, far in parts:
        place = np.repeat(starts[rows] - indptr[:-1], np.diff(indptr)) + np.arange(indptr[-1])
        indices[place] = rows[local]
        length[place] = far
    return NeighborLists(cells, _small(starts), indices, length)


def _small(indptr: np.ndarray) -> np.ndarray:
    """Return `indptr` as int32 where it fits, as SciPy keeps it beside int32 indices."""
    return indptr.astype(np.int32 if indptr[-1] < 2**31 else np.int64)
