"""Nearest cells by cosine similarity, exact, in blocks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_option, expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.parallel import n_workers

__all__ = [
    "AGGREGATES",
    "centred_directions",
    "column_scale",
    "compared_directions",
    "nearest",
    "query_similarity",
    "standardised_directions",
    "top_k",
    "unit_rows",
]

AGGREGATES = ("mean", "max")
BLOCK_ENTRIES = 2**22  # similarities held at a time, 16 MiB
BLOCK_QUERIES = 1024
BLOCK_ROWS = 2**16  # vectors brought to unit length at a time


def column_scale(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and one over the spread of every column, float64; 0 for a column that does not vary. In blocks of rows."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for start in range(0, len(vectors), BLOCK_ROWS):
        squares += ((vectors[start : start + BLOCK_ROWS] - mean) ** 2).sum(axis=0)
    spread = np.sqrt(squares / len(vectors))
    varies = spread > 1e-9 * np.maximum(np.abs(mean), 1e-12)  # else rounding would be blown up to unit spread
    return mean, np.where(varies, 1 / np.where(varies, spread, 1), 0.0)


def unit_rows(vectors: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return ``(vectors - mean) * scale`` (n, d) float32 with rows of length 1; zero rows stay zero.

    Worked out in the precision of `mean`, in blocks of rows.
    """
    out = np.empty(np.shape(vectors), np.float32)
    for start in range(0, len(out), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        scaled = (np.asarray(vectors[part], mean.dtype) - mean) * scale
        length = np.linalg.norm(scaled, axis=1, keepdims=True)
        out[part] = scaled / np.where(length > 0, length, 1)
    return out


def standardised_directions(vectors: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Return unit vectors after standardising every column by the mean and spread of `reference` (itself by default).

    Constant columns and zero rows stay zero. (n, d) float32; O(n d).
    """
    return unit_rows(vectors, *column_scale(np.asarray(vectors if reference is None else reference)))


def centred_directions(vectors: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Return unit vectors about the mean of `reference` (itself by default), columns as they are: their scales are weights."""
    mean = np.asarray(vectors if reference is None else reference).mean(axis=0, dtype=np.float64)
    return unit_rows(vectors, mean, np.ones_like(mean))


def compared_directions(vectors: np.ndarray, reference: np.ndarray | None = None, *, weighted: bool) -> np.ndarray:
    """Return the unit vectors that searches compare: centred alone where scales of columns are weights, else standardised."""
    return (centred_directions if weighted else standardised_directions)(vectors, reference)


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


def nearest(
    queries: np.ndarray, directions: np.ndarray, k: int, *, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (q, k) int64 of the directions most similar to each query, best first, and similarities, float32.

    Parameters
    ----------
    queries, directions : (q, d) and (n, d) float32 unit vectors.
    k : at most as many as there are allowed rows. Of equals the first rows are taken.
    allowed : (n,) bool; None allows all.

    Notes
    -----
    Exact. One matrix product in blocks of 16 MiB, whose best entries are kept in a heap a query: O(q n d) and one pass over
    each block; 16 MiB and 12 q k bytes.
    """
    value = np.full((len(queries), k), -np.inf, np.float32)
    row = np.full((len(queries), k), len(directions), np.int64)
    with ThreadPoolExecutor(n_workers(None)) as pool:
        for start in range(0, len(queries), BLOCK_QUERIES):
            part = slice(start, start + BLOCK_QUERIES)
            _keep_nearest(queries[part], directions, allowed, value[part], row[part], pool)
    order = np.lexsort((row, -value), axis=1)
    return np.take_along_axis(row, order, axis=1), np.take_along_axis(value, order, axis=1)


def _keep_nearest(
    queries: np.ndarray,
    directions: np.ndarray,
    allowed: np.ndarray | None,
    value: np.ndarray,
    row: np.ndarray,
    pool: ThreadPoolExecutor,
) -> None:
    from cellgraph_clr.analysis.best_rows import NOWHERE, keep_best

    n, size = len(directions), max(1, BLOCK_ENTRIES // len(queries))
    similarity = np.empty((len(queries), min(size, n)), np.float32)
    edges = np.linspace(0, len(queries), n_workers(None) + 1).astype(int)
    shares = [np.arange(a, b) for a, b in pairwise(edges) if b > a]
    for start in range(0, n, size):
        block = similarity[:, : min(size, n - start)]
        np.matmul(queries, directions[start : start + size].T, out=block)
        if allowed is not None:
            block[:, ~allowed[start : start + size]] = -np.inf
        columns = np.arange(start, start + block.shape[1])

        def keep(rows: np.ndarray, b: np.ndarray = block, columns: np.ndarray = columns) -> None:
            keep_best(b[rows[0] : rows[-1] + 1], rows, columns, *NOWHERE, value, row)

        list(pool.map(keep, shares))


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
