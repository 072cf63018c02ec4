"""Neighbours on a graph: those of some cells, all within several hops, how many they are and how far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from cellgraph_clr._core.ranges import joined_ranges

if TYPE_CHECKING:
    from cellgraph_clr.graphs.graph import CellGraph

__all__ = [
    "hop_relation",
    "packing",
    "row_entries",
    "row_slots",
    "typical_length",
]


def row_slots(matrix: csr_matrix, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every stored entry of the given rows, its place in `rows` and in `matrix.data`; row after row."""
    start = matrix.indptr[rows]
    degree = matrix.indptr[rows + 1] - start
    return np.repeat(np.arange(len(rows)), degree), joined_ranges(start, degree)


def row_entries(matrix: csr_matrix, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every stored entry of the given rows, its place in `rows` and its column; row after row."""
    index, at = row_slots(matrix, rows)
    return index, matrix.indices[at]


def _mean_length(graph: CellGraph) -> np.ndarray:
    """Return the mean length (n,) of the edges of every cell, float64; 0 for isolated ones."""
    degree = np.bincount(graph.edges.ravel(), minlength=len(graph.cells))
    length = np.zeros(len(degree))
    np.add.at(length, graph.edges, graph.edge_features["length"].astype(np.float64)[:, None])
    return length / np.maximum(degree, 1)


def typical_length(graph: CellGraph) -> float:
    """Return the median over cells of their mean edge length, those of 0 left out; 1 when there are none."""
    mean = _mean_length(graph)
    return float(np.median(mean[mean > 0])) if (mean > 0).any() else 1.0


def packing(graph: CellGraph, typical: float | None = None) -> np.ndarray:
    """Return, per cell, the log of its mean edge length and of 1 + its degree: (n, 2) float32.

    Both stay as they are under rotation and translation. Isolated cells get the `typical` length, by default that of this graph.
    """
    typical = typical_length(graph) if typical is None else typical
    mean = _mean_length(graph)
    degree = np.bincount(graph.edges.ravel(), minlength=len(graph.cells))
    return np.column_stack([np.log(np.where(mean > 0, mean, typical)), np.log1p(degree)]).astype(np.float32)


def hop_relation(adjacency: csr_matrix, n_hops: int) -> csr_matrix:
    """Return the pattern (data 1, no diagonal, sorted) of all pairs of cells within `n_hops` steps of one another."""
    if n_hops == 1 and (adjacency.data != 0).all() and not adjacency.diagonal().any():
        ones = np.ones(adjacency.nnz, np.float32)
        return csr_matrix((ones, adjacency.indices, adjacency.indptr), shape=adjacency.shape)
    pattern = (adjacency != 0).astype(np.int32)
    reach = pattern
    for _ in range(n_hops - 1):
        farther = ((reach @ pattern + reach) > 0).astype(np.int32)
        if farther.nnz == reach.nnz:  # no cell is left to reach
            break
        reach = farther
    reach = csr_matrix(reach).tocoo()
    off = reach.row != reach.col
    out = csr_matrix((np.ones(off.sum(), np.float32), (reach.row[off], reach.col[off])), shape=adjacency.shape)
    out.sort_indices()
    return out
