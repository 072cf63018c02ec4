"""Statistics over neighbours on a CSR graph: one or several hops, weighted or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import MOST_HOPS, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_matrix

__all__ = ["AGGREGATIONS", "aggregate", "row_normalized"]

AGGREGATIONS = ("mean", "std", "max", "min", "sum")


def row_normalized(adjacency: csr_matrix) -> csr_matrix:
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
        For an unknown aggregation, none at all, or `n_hops` that is no whole number between 1 and 100.
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
    check_whole("n_hops", n_hops, high=MOST_HOPS)
    values = np.asarray(values, np.float32)
    if len(values) != adjacency.shape[0]:
        raise ShapeError(expected(f"{adjacency.shape[0]} rows of values", len(values), "Use the AnnData of the graph."))
    step = row_normalized(adjacency)
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
