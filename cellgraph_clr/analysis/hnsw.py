"""A graph of near neighbours that finds most of the nearest directions in little time (HNSW, by `usearch`)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import MissingDependencyError
from cellgraph_clr._core.ranges import joined_ranges

__all__ = ["DirectionGraph"]

RACED = 10_000  # vectors below which one thread builds: among few, threads that race leave some without links
ALONE = 32  # queries below which one thread answers


class DirectionGraph:
    """Unit vectors linked to others near them, and walked from one to the next towards a query.

    Equal vectors are one node: linked to each other alone, some hundred of them would be an island that no walk leaves.

    Made by `build` or from `arrays`.
    """

    def __init__(self, index: Any, node: np.ndarray) -> None:
        self._index, self._node = index, node
        self._rows = np.argsort(node, kind="stable")  # by node
        self._count = np.bincount(node)
        self._first = np.cumsum(self._count) - self._count

    @classmethod
    def build(cls, directions: np.ndarray) -> DirectionGraph:
        """Return the graph of unit vectors (n, d) float32, n at least 1. O(n d log n); needs `usearch`."""
        rows = np.ascontiguousarray(directions) + np.float32(0)  # -0 and 0 are equal and must look it
        as_bytes = rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel()
        _, first, node = np.unique(as_bytes, return_index=True, return_inverse=True)
        order = np.argsort(first)  # as they come: links are better than those of sorted vectors
        index = _new_index(rows.shape[1])
        index.add(np.arange(len(first)), rows[first[order]], threads=1 if len(first) < RACED else 0)
        return cls(index, np.argsort(order)[node.ravel()])

    @classmethod
    def from_arrays(cls, stored: np.ndarray, node: np.ndarray, d: int) -> DirectionGraph:
        """Return the graph of vectors of width d whose `arrays` are given."""
        index = _new_index(d)
        index.load(stored.tobytes())
        return cls(index, node)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the graph as bytes (m,) uint8, and the node of every row (n,)."""
        return np.frombuffer(self._index.save(), np.uint8), self._node

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return which queries (q,) were answered, and the rows (a, k) and similarities (a, k) float32 of those that were.

        `queries` (q, d) unit vectors, k at most n. About O(d log n) a query. A walk asked for nearly all rows may not reach them.
        """
        wanted = min(k, len(self._count))
        threads = 1 if len(queries) < ALONE else 0  # starting threads takes longer than a few queries
        hits = self._index.search(queries, wanted, threads=threads)
        answered = np.reshape(getattr(hits, "counts", len(hits.keys)), -1) == wanted  # a single query has no counts
        if not answered.any():
            return answered, np.zeros((0, k), np.int64), np.zeros((0, k), np.float32)
        nodes = np.atleast_2d(hits.keys)[answered].astype(np.int64)
        similarity = 1 - np.atleast_2d(hits.distances)[answered]
        count = self._count[nodes]
        before = np.cumsum(count, axis=1) - count
        taken = np.clip(k - before, 0, count).ravel()  # the rows of each node, up to k in all
        slots = joined_ranges(self._first[nodes].ravel(), taken)
        return answered, self._rows[slots].reshape(-1, k), np.repeat(similarity.ravel(), taken).reshape(-1, k)


def _new_index(d: int) -> Any:
    if find_spec("usearch") is None:
        remedy = "pip install 'cellgraph-clr[ann]'"
        raise MissingDependencyError(expected("`usearch` for an approximate index", "not installed", remedy))
    from usearch.index import Index

    return Index(ndim=d, metric="ip", dtype="f32", connectivity=16, expansion_add=128, expansion_search=32)
