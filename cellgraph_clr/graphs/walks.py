"""Random walks on a graph: what a cell meets on its way, worked out by sparse products."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.parallel import n_workers, over_rows
from cellgraph_clr.graphs.aggregation import row_normalized

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["lazy_walk", "local_order", "plain_walk", "walked"]


def local_order(adjacency: csr_matrix) -> np.ndarray:
    """Return the cells (n,) in an order that keeps neighbours close (reverse Cuthill-McKee, of SciPy): products stay cached."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    return np.asarray(reverse_cuthill_mckee(adjacency, symmetric_mode=True), np.int64)


def plain_walk(weights: csr_matrix) -> csr_matrix:
    """Return ``D^-1 W`` float32: a step to a neighbour, in proportion to weights; a cell without neighbours stays where it is."""
    from scipy.sparse import diags

    alone = np.asarray(weights.sum(axis=1)).ravel() <= 0
    return row_normalized((weights + diags(alone.astype(np.float32))).tocsr())


def lazy_walk(adjacency: csr_matrix) -> csr_matrix:
    """Return ``(D + I)^-1 (A + I)`` float32 of a graph of ones: a step to a neighbour or to the cell itself, all alike."""
    from scipy.sparse import eye

    return row_normalized((adjacency + eye(adjacency.shape[0], format="csr", dtype=np.float32)).tocsr())


def walked(step: csr_matrix, values: np.ndarray, n_steps: int, *, n_jobs: int | None = None) -> np.ndarray:
    """Return ``step^n values`` (n, f) float32: the mean of values over where walks of `n_steps` end.

    O(n_steps entries f) time, in threads (the result does not depend on their number); 8 n f bytes beside the values.
    """
    from cellgraph_clr.graphs.walk_steps import step_rows

    matrix = step.indptr, step.indices, step.data.astype(np.float32, copy=False)
    out = np.ascontiguousarray(values, np.float32)
    for _ in range(n_steps):
        new = np.empty_like(out)
        over_rows(partial(step_rows, *matrix, out, new), len(out), n_threads=n_workers(n_jobs))
        out = new
    return out
