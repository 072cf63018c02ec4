"""Nearest cells by cosine similarity, exact, in blocks."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_option, expected
from cellgraph_clr._core.errors import ShapeError

__all__ = ["AGGREGATES", "column_scale", "query_similarity", "standardised_directions", "top_k", "unit_rows"]

AGGREGATES = ("mean", "max")


def column_scale(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and one over the spread of every column, float64; 0 for a column that does not vary."""
    mean, spread = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    varies = spread > 1e-9 * np.maximum(np.abs(mean), 1e-12)  # else rounding would be blown up to unit spread
    return mean, np.where(varies, 1 / np.where(varies, spread, 1), 0.0)


def unit_rows(vectors: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return ``(vectors - mean) * scale`` (n, d) float32 with rows of length 1; zero rows stay zero.

    Worked out in the precision of `mean`.
    """
    scaled = (np.asarray(vectors, mean.dtype) - mean) * scale
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return (scaled / np.where(length > 0, length, 1)).astype(np.float32, copy=False)


def standardised_directions(vectors: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Return unit vectors after standardising every column by the mean and spread of `reference` (itself by default).

    Constant columns and zero rows stay zero. (n, d) float32; O(n d).
    """
    return unit_rows(vectors, *column_scale(np.asarray(vectors if reference is None else reference)))


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
