"""Pairs of boxes near one another, whatever mixture of sizes they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["candidate_pairs", "near_boxes"]

ROUNDING = 1 + 1e-9


def candidate_pairs(low: np.ndarray, high: np.ndarray, reach: float) -> Iterator[np.ndarray]:
    """Yield pairs of rows (m, 2), every pair once, among them all whose boxes are at most `reach` (above 0) apart.

    Boxes are put into classes by their longest side, each twice as long as the one before, and the centres of every two
    classes are compared within what their sides allow. So a few long boxes meet all others, and the others only those
    around them.
    """
    from scipy.spatial import cKDTree

    centre, side = (low + high) / 2, (high - low).max(axis=1, initial=0.0)
    size_class = np.ceil(np.log2(np.maximum(side, reach) / reach)).astype(int)
    classes = [np.flatnonzero(size_class == c) for c in np.unique(size_class)]
    trees = [cKDTree(centre[rows]) for rows in classes]
    longest = [side[rows].max() for rows in classes]
    for i, tree in enumerate(trees):
        within = (reach + longest[i]) * ROUNDING
        yield classes[i][tree.query_pairs(within, p=np.inf, output_type="ndarray")]
        for j in range(i + 1, len(trees)):
            within = (reach + (longest[i] + longest[j]) / 2) * ROUNDING
            found = tree.sparse_distance_matrix(trees[j], within, p=np.inf, output_type="ndarray")
            yield np.stack([classes[i][found["i"]], classes[j][found["j"]]], axis=1)


def near_boxes(low: np.ndarray, high: np.ndarray, reach: float) -> np.ndarray:
    """Return the pairs of rows (m, 2) whose boxes are at most `reach` (above 0) apart, in no order.

    Parameters
    ----------
    low, high : (n, d) corners of the boxes.
    """
    out = [np.zeros((0, 2), np.int64)]
    for pairs in candidate_pairs(low, high, reach):
        a, b = pairs.T
        gap = np.maximum(np.maximum(low[a] - high[b], low[b] - high[a]), 0)
        out.append(pairs[np.linalg.norm(gap, axis=1) <= reach * ROUNDING].astype(np.int64))
    return np.concatenate(out)
