"""Sums over neighbours on a CSR graph: one or several hops, weighted or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from cellgraph_clr._core.checks import check_option, expected
from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr._core.ranges import joined_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr.graphs.graph import CellGraph

__all__ = [
    "AGGREGATIONS",
    "aggregate",
    "hop_relation",
    "packing",
    "row_entries",
    "row_normalised",
    "row_slots",
    "typical_length",
]

AGGREGATIONS = ("mean", "std", "max", "min", "sum")


def row_slots(matrix: csr_matrix, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every stored entry of the given rows, its place in `rows` and in `matrix.data`; row after row."""
    start = matrix.indptr[rows]
    degree = matrix.indptr[rows + 1] - start
    return np.repeat(np.arange(len(rows)), degree), joined_ranges(start, degree)


def row_entries(matrix: csr_matrix, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every stored entry of the given rows, its place in `rows` and its column; row after row."""
    index, at = row_slots(matrix, rows)
    return index, matrix.indices[at]


def row_normalised(adjacency: csr_matrix) -> csr_matrix:
    """Return the matrix with rows that sum to 1; rows without weight stay empty (zero neighbour means)."""
    out = adjacency.astype(np.float32, copy=True)
    total = np.asarray(out.sum(axis=1)).ravel()
    out.data /= np.repeat(np.where(total > 0, total, 1), np.diff(out.indptr))
    return out


def _extreme(values: np.ndarray, adjacency: csr_matrix, function: np.ufunc) -> np.ndarray:
    out = np.zeros_like(values)
    has = np.flatnonzero(np.diff(adjacency.indptr) > 0)
    if len(has):
        out[has] = function.reduceat(values[adjacency.indices], adjacency.indptr[has], axis=0)
    return out


def aggregate(
    values: np.ndarray, adjacency: csr_matrix, *, n_hops: int = 1, aggregations: Sequence[str] = ("mean",)
) -> np.ndarray:
    """Return own values and, hop by hop, the chosen statistics over neighbours.

    Parameters
    ----------
    values : (n, f) finite features.
    adjacency : (n, n) weights; the mean and std are weighted by them, sum, max and min use the pattern (sum: weights).
    n_hops : the statistics of hop h are those of the means of hop h - 1 (as in SIGN), h = 1 … n_hops.
    aggregations : any of mean, std, max, min, sum.

    Returns
    -------
    (n, f * (1 + n_hops * len(aggregations))) float32: own first, then hop by hop in the order given. Isolated cells
    have zeros.

    Raises
    ------
    OptionError
        For an unknown aggregation, none at all, or `n_hops` below 1.
    ShapeError
        If `values` and `adjacency` are for different numbers of cells.

    Notes
    -----
    O(edges * f) per hop and aggregation.
    """
    if len(aggregations) == 0 or isinstance(aggregations, str):
        raise OptionError(expected("`aggregations` as a sequence of names", repr(aggregations), "Pass ('mean',)."))
    for name in aggregations:
        check_option("aggregations", name, AGGREGATIONS)
    if not isinstance(n_hops, (int, np.integer)) or n_hops < 1:
        raise OptionError(expected("`n_hops` to be a whole number >= 1", repr(n_hops), "1 is the direct neighbours."))
    values = np.asarray(values, np.float32)
    if len(values) != adjacency.shape[0]:
        raise ShapeError(expected(f"{adjacency.shape[0]} rows of values", len(values), "Use the AnnData of the graph."))
    step = row_normalised(adjacency)
    blocks, current = [values], values
    for _ in range(n_hops):
        mean = step @ current
        for name in aggregations:
            if name == "mean":
                blocks.append(mean)
            elif name == "std":
                centred = current - current.mean(axis=0)  # else squares of large values cancel in float32
                blocks.append(np.sqrt(np.maximum(step @ centred**2 - (step @ centred) ** 2, 0)))
            elif name == "sum":
                blocks.append(adjacency.astype(np.float32) @ current)
            else:
                blocks.append(_extreme(current, adjacency, np.maximum if name == "max" else np.minimum))
        current = mean
    return np.concatenate(blocks, axis=1).astype(np.float32)


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
        reach = ((reach @ pattern + reach) > 0).astype(np.int32)
    reach = csr_matrix(reach).tocoo()
    off = reach.row != reach.col
    out = csr_matrix((np.ones(off.sum(), np.float32), (reach.row[off], reach.col[off])), shape=adjacency.shape)
    out.sort_indices()
    return out
