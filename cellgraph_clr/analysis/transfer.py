"""Labels handed over from a reference by a vote of the nearest cells, with the right to refuse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_same_length
from cellgraph_clr.analysis.index import VectorIndex

__all__ = ["Transfer", "nearest_vote"]

FAR_QUANTILE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """Votes (n, classes) that sum to 1, similarity (n,) of the nearest reference cell, and the similarity called far."""

    proba: np.ndarray
    similarity: np.ndarray
    far: float


def nearest_vote(
    vectors: np.ndarray,
    reference: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    k: int = 15,
    standardize: bool = True,
) -> Transfer:
    """Return the vote of the k nearest labelled reference cells for every cell.

    Parameters
    ----------
    vectors : (n, d) cells to label.
    reference : (m, d) labelled cells, m above k, in the same space.
    codes : (m,) their classes, 0 to n_classes - 1.
    n_classes : columns of the vote.
    k : voters. A vote weighs its similarity less that of the (k + 1)-th (a kernel of distance that ends there).
    standardize : divide columns by their spread over the reference; False only centres them, where their scales are weights.

    Returns
    -------
    `Transfer`; `far` is the similarity to their nearest other reference cell that 1 % of the reference cells fall below:
    cells farther from everything are like nothing in the reference.

    Raises
    ------
    ShapeError, OptionError, NonFiniteError, NoCellsError
        As `VectorIndex`; OptionError also if k is not below the number of reference cells.

    Notes
    -----
    Exact, O(n m d) in blocks. Weighted nearest-neighbour vote: Dudani 1976.
    """
    check_same_length(len(reference), len(codes), what_a="reference vectors", what_b="labels", remedy="One per cell.")
    check_in_range("k", k, low=1, high=max(len(reference) - 1, 1))
    index = VectorIndex.build(reference, standardize=standardize)
    near, similarity = index.query(vectors, k + 1)
    kernel = (similarity[:, :k] - similarity[:, k:]).astype(np.float64)
    kernel = np.where(kernel.max(axis=1, keepdims=True) > 0, kernel, 1.0)
    proba = np.zeros((len(near), n_classes))
    np.add.at(proba, (np.arange(len(near))[:, None], codes[near[:, :k]]), kernel)
    own = index.query(reference, 2)[1][:, 1]  # the first is the cell itself
    return Transfer(proba / proba.sum(axis=1, keepdims=True), similarity[:, 0], float(np.quantile(own, FAR_QUANTILE)))
