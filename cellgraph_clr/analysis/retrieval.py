"""Nearest cells by cosine similarity, exact, in blocks."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_option, expected
from cellgraph_clr._core.errors import ShapeError

__all__ = ["AGGREGATES", "query_similarity", "standardised_directions", "top_k"]

AGGREGATES = ("mean", "max")


def standardised_directions(vectors: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Return unit vectors after standardising every column by the mean and spread of `reference` (itself by default).

    Constant columns and zero rows stay zero. (n, d) float32; O(n d).
    """
    base = np.asarray(vectors if reference is None else reference, np.float64)
    mean, spread = base.mean(axis=0), base.std(axis=0)
    varies = spread > 1e-9 * np.maximum(np.abs(mean), 1e-12)  # else rounding would be blown up to unit spread
    scaled = np.where(varies, (np.asarray(vectors, np.float64) - mean) / np.where(varies, spread, 1), 0.0)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return (scaled / np.where(length > 0, length, 1)).astype(np.float32)


def query_similarity(directions: np.ndarray, query: np.ndarray, *, aggregate: str = "mean") -> np.ndarray:
    """Return the similarity (n,) of every cell to a query of unit vectors.

    "mean" is the cosine to the mean direction of the query, "max" that to its nearest member. Raises `ShapeError` for
    another width and `OptionError` for another aggregate.
    """
    check_option("aggregate", aggregate, AGGREGATES)
    if query.ndim != 2 or query.shape[1] != directions.shape[1]:
        raise ShapeError(expected(f"query vectors of width {directions.shape[1]}", query.shape, "Use one embedding."))
    if aggregate == "mean":
        centre = query.mean(axis=0)
        return directions @ (centre / max(float(np.linalg.norm(centre)), 1e-12))
    out = np.full(len(directions), -np.inf, np.float32)
    block = max(1, 2**24 // max(len(directions), 1))
    for start in range(0, len(query), block):
        np.maximum(out, (directions @ query[start : start + block].T).max(axis=1), out=out)
    return out


def top_k(scores: np.ndarray, k: int, *, allowed: np.ndarray | None = None) -> np.ndarray:
    """Return the rows of the k highest scores, best first (ties by row); fewer when fewer are allowed.

    Raises `OptionError` if k is below 1.
    """
    check_in_range("k", k, low=1)
    rows = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
    if k < len(rows):
        part = np.argpartition(-scores[rows], k - 1)[:k]
        limit = scores[rows[part]].min()
        above = rows[scores[rows] > limit]
        level = rows[scores[rows] == limit][: k - len(above)]
        rows = np.concatenate([above, level])
    return rows[np.lexsort((rows, -scores[rows]))]
