"""`CellGraph`: cells and undirected edges with named features, the second of the four nouns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.ids import order_of_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellgraph_clr.cells.table import CellTable

__all__ = ["CellGraph", "canonical_edges", "stored_values"]


def _is_canonical(edges: np.ndarray) -> bool:
    """Return whether edges (m, 2) are (low, high) and in lexicographic order without repeats."""
    low, high = edges[:, 0], edges[:, 1]
    if not (low < high).all():
        return False
    n = int(high.max(initial=-1)) + 1
    if low.size and (int(low.min()) < 0 or n >= 2**31):
        later = (low[1:] > low[:-1]) | ((low[1:] == low[:-1]) & (high[1:] > high[:-1]))
    else:
        key = low * np.int64(n) + high
        later = key[1:] > key[:-1]
    return bool(later.all())


def canonical_edges(
    edges: np.ndarray, features: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return edges as unique (low, high) rows in lexicographic order, without self-loops, features along.

    Of edges given twice (also in both directions) the features of the first are kept. Empty input gives (0, 2).
    """
    features = dict(features or {})
    given = np.asarray(edges).reshape(-1, 2)
    if _is_canonical(given):
        return given.astype(np.int64, copy=False), {k: np.asarray(v) for k, v in features.items()}
    pairs = np.sort(np.asarray(edges, np.int64).reshape(-1, 2), axis=1)
    order = order_of_pairs(pairs)
    pairs = pairs[order]
    keep = pairs[:, 0] != pairs[:, 1]
    keep[1:] &= (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[keep], {k: np.asarray(v)[order][keep] for k, v in features.items()}


def stored_values(matrix: Any, edges: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return the value (m,) float32 of every edge in a sparse matrix: at (low, high), else at (high, low), else `missing`.

    Stored zeros are values. O(nnz + m log degree).
    """
    stored = csr_matrix(matrix)
    if not stored.has_canonical_format:
        stored = stored.copy()
        stored.sum_duplicates()
    out = np.array(missing, np.float32)
    if len(edges) == 0 or stored.nnz == 0:
        return out
    place = csr_matrix((np.arange(1, stored.nnz + 1), stored.indices, stored.indptr), shape=stored.shape)
    for rows, columns in (edges[:, ::-1].T, edges.T):  # the last one read stands
        at = np.asarray(place[rows, columns]).ravel() - 1
        out[at >= 0] = stored.data[at[at >= 0]]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class CellGraph:
    """Cells with undirected edges.

    Parameters
    ----------
    cells : the nodes.
    edges : (m, 2) int64 rows of `cells`, canonical (low, high), lexsorted, no self-loops. Isolated cells are allowed.
    edge_features : name -> (m,) float32, e.g. "length" (unit of positions) and "contact_area" (unit squared in 3D).

    Raises
    ------
    ShapeError
        If edges are not canonical, point outside the table, or a feature has another length.
    """

    cells: CellTable
    edges: np.ndarray
    edge_features: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the invariants that every user of the graph relies on."""
        e = self.edges
        if e.ndim != 2 or e.shape[1] != 2 or e.dtype != np.int64:
            raise ShapeError(expected("edges as int64 of shape (m, 2)", f"{e.dtype} {e.shape}", "Use `from_pairs`."))
        if len(e) and (e.min() < 0 or e.max() >= len(self.cells)):
            raise ShapeError(expected(f"edges within {len(self.cells)} cells", int(e.max()), "Rebuild the graph."))
        if not _is_canonical(e):
            raise ShapeError(expected("canonical edges", "unsorted or repeated ones", "Use `CellGraph.from_pairs`."))
        for name, values in self.edge_features.items():
            if len(values) != len(e):
                raise ShapeError(expected(f"{len(e)} values of edge feature {name!r}", len(values), "One per edge."))

    @classmethod
    def from_pairs(
        cls, cells: CellTable, pairs: np.ndarray, edge_features: Mapping[str, np.ndarray] | None = None
    ) -> CellGraph:
        """Return a graph from pairs in any order or direction; the edge feature "length" is added when missing."""
        edges, features = canonical_edges(pairs, edge_features)
        if "length" not in features:
            features["length"] = np.linalg.norm(cells.position[edges[:, 0]] - cells.position[edges[:, 1]], axis=1)
        return cls(cells, edges, {k: np.asarray(v, np.float32) for k, v in features.items()})

    def __repr__(self) -> str:
        """Return one sentence."""
        names = ", ".join(self.edge_features) or "none"
        return f"<CellGraph of {len(self.cells)} cells and {len(self.edges)} edges; edge features: {names}>"

    def structure(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return indptr, indices (sorted) of the symmetric CSR matrix and the edge that each entry belongs to. O(m)."""
        n, m = len(self.cells), len(self.edges)
        small = np.int32 if 2 * m < 2**31 - 1 else np.int64
        indptr = np.concatenate([[0], np.cumsum(np.bincount(self.edges[:, 0], minlength=n))]).astype(small)
        upper = csr_matrix((np.arange(1, m + 1, dtype=small), self.edges[:, 1].astype(small), indptr), shape=(n, n))
        both = upper + upper.T.tocsr()
        return both.indptr, both.indices, both.data - 1

    def adjacency(self, feature: str | None = None) -> csr_matrix:
        """Return the symmetric (n, n) float32 CSR matrix, of ones or of an edge feature (stored zeros are kept).

        Raises `MissingKeyError` for an unknown feature. O(m).
        """
        return self.adjacencies(feature)[0]

    def adjacencies(self, *features: str | None) -> list[csr_matrix]:
        """Return `adjacency` of several features (None: ones), for the price of one sorting."""
        for name in features:
            if name is not None:
                check_key(name, list(self.edge_features), where="edge_features")
        n = len(self.cells)
        indptr, indices, edge = self.structure()
        out = []
        for k, name in enumerate(features):
            values = np.ones(len(indices), np.float32) if name is None else self.edge_features[name][edge]
            data = np.asarray(values, np.float32)
            where = (indices, indptr) if k == len(features) - 1 else (indices.copy(), indptr.copy())
            out.append(csr_matrix((data, *where), shape=(n, n)))
        return out

    def isolated(self) -> np.ndarray:
        """Return which cells (n,) bool have no neighbours."""
        alone = np.ones(len(self.cells), bool)
        alone[self.edges.ravel()] = False
        return alone
