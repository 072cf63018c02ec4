"""`CellGraph`: cells and undirected edges with named features, the second of the four nouns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellgraph_clr.cells.table import CellTable

__all__ = ["CellGraph", "canonical_edges"]


def canonical_edges(
    edges: np.ndarray, features: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return edges as unique (low, high) rows in lexicographic order, without self-loops, features along.

    Of edges given twice (also in both directions) the features of the first are kept. Empty input gives (0, 2).
    """
    features = dict(features or {})
    pairs = np.sort(np.asarray(edges, np.int64).reshape(-1, 2), axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs = pairs[order]
    keep = pairs[:, 0] != pairs[:, 1]
    keep[1:] &= (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[keep], {k: np.asarray(v)[order][keep] for k, v in features.items()}


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
        key = e[:, 0] * max(len(self.cells), 1) + e[:, 1]
        if (e[:, 0] >= e[:, 1]).any() or (np.diff(key) <= 0).any():
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

    def adjacency(self, feature: str | None = None) -> csr_matrix:
        """Return the symmetric (n, n) float32 CSR matrix, of ones or of an edge feature (stored zeros are kept).

        Raises `MissingKeyError` for an unknown feature. O(m log m).
        """
        if feature is None:
            values = np.ones(len(self.edges), np.float32)
        else:
            check_key(feature, list(self.edge_features), where="edge_features")
            values = np.asarray(self.edge_features[feature], np.float32)
        n = len(self.cells)
        rows = np.concatenate([self.edges[:, 0], self.edges[:, 1]])
        columns = np.concatenate([self.edges[:, 1], self.edges[:, 0]])
        order = np.lexsort((columns, rows))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
        return csr_matrix((np.concatenate([values, values])[order], columns[order], indptr), shape=(n, n))
