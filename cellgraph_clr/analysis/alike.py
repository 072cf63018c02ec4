"""Cells alike that lie elsewhere: in another part of the tissue, or in another sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cellgraph_clr.analysis.retrieval import nearest

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["alike_elsewhere", "near_radius", "nearest_of_all"]

EXACT = 20_000  # cells up to which all are compared with all
PER_PART = 500  # cells that are compared with those of a few parts, beyond
N_PARTS = 4  # in which a cell is looked for
N_PROJECTED = 64  # dimensions in which parts are told apart and compared
THINNED = 16  # of so many cells one stands for the others where the radius of many is measured
POWER = 3  # of the cosine, as weight


def near_radius(position: np.ndarray, image: np.ndarray, n_near: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return how far (n,) the `n_near` nearest cells of the same image lie; infinite where the image has fewer.

    Exact in images of up to 20,000 cells; in larger ones measured on one cell in 16. O(n log n).
    """
    from scipy.spatial import cKDTree

    out = np.full(len(position), np.inf)
    for number in np.unique(image):
        rows = np.flatnonzero(image == number)
        if len(rows) <= n_near + 1:
            continue
        some, k = rows, n_near + 1
        if len(rows) > EXACT:
            some, k = rng.choice(rows, len(rows) // THINNED, replace=False), max(1, round(n_near / THINNED))
        out[rows] = cKDTree(position[some]).query(position[rows], [k], workers=-1)[0][:, 0]
    return out


def alike_elsewhere(
    directions: np.ndarray,
    position: np.ndarray,
    image: np.ndarray,
    k: int,
    *,
    n_apart: int,
    rng: np.random.Generator,
) -> csr_matrix:
    """Return a symmetric graph (n, n) that joins every cell with the k most alike that are not near it, weighted by cosine³.

    Parameters
    ----------
    directions : (n, d) float32 unit vectors.
    position : (n, 2) or (n, 3).
    image : (n,) number of the image (sample and frame) of every cell; cells of other images are elsewhere.
    k : cells a cell is joined with; fewer where fewer are elsewhere, or alike at all (cosine above 0).
    n_apart : the nearest so many cells of the same image are not elsewhere.
    rng : of what is drawn where there are many cells.

    Notes
    -----
    Up to 20,000 cells exact, O(n² d). Beyond, cells are compared, in a random projection to 64 dimensions, with those of four of
    n / 500 parts, around cells drawn by chance: O(n (n / 500 + 2,000)) and 12 n k bytes (derivation ours).
    """
    radius = near_radius(position, image, n_apart, rng=rng)
    n = len(directions)
    if n <= EXACT:
        found = _of_all(directions, position, image, radius, k, n_apart)
    else:
        found = _by_parts(directions, position, image, radius, k, 2 * n_apart, rng)
    return _joined(n, found)


def nearest_of_all(directions: np.ndarray, k: int, *, rng: np.random.Generator) -> csr_matrix:
    """Return a symmetric graph (n, n) that joins every cell with the k most alike, near or not, weighted by cosine³."""
    n = len(directions)
    nowhere = np.zeros((n, 2)), np.zeros(n, np.int64), np.full(n, -1.0)
    found = _of_all(directions, *nowhere, k, 0) if n <= EXACT else _by_parts(directions, *nowhere, k, 0, rng)
    return _joined(n, found)


Hits: TypeAlias = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Rows (m,), columns (m, k) and cosines (m, k)."""


def _is_near(
    rows: np.ndarray, others: np.ndarray, position: np.ndarray, image: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """Return whether cells `others` (m, j) are a cell of `rows` (m,) itself, or lie near it in its image."""
    distance = np.linalg.norm(position[others] - position[rows][:, None], axis=2)
    near = (image[others] == image[rows][:, None]) & (distance <= radius[rows][:, None])
    return near | (others == rows[:, None])


def _of_all(
    directions: np.ndarray, position: np.ndarray, image: np.ndarray, radius: np.ndarray, k: int, n_apart: int
) -> Hits:
    """Yield the most alike of all cells: among the first k + n_apart + 1, no more than n_apart + 1 are near."""
    n = len(directions)
    wanted = min(n, k + n_apart + 1)
    for start in range(0, n, 1024):
        rows = np.arange(start, min(start + 1024, n))
        others, cosine = nearest(directions[rows], directions, wanted)
        cosine[_is_near(rows, others, position, image, radius)] = -1
        yield rows, *_best(others, cosine, k)


def _best(others: np.ndarray, cosine: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k columns of the highest cosine in every row; all where there are fewer."""
    if others.shape[1] <= k:
        return others, cosine
    first = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
    return np.take_along_axis(others, first, axis=1), np.take_along_axis(cosine, first, axis=1)


def _by_parts(
    directions: np.ndarray,
    position: np.ndarray,
    image: np.ndarray,
    radius: np.ndarray,
    k: int,
    n_near: int,
    rng: np.random.Generator,
) -> Hits:
    """Yield the most alike of the cells in the parts next to a cell, part by part; about `n_near` of them may lie near it."""
    n, d = directions.shape
    if d > N_PROJECTED:
        turn = rng.normal(size=(d, N_PROJECTED)).astype(np.float32) / np.sqrt(N_PROJECTED)
        directions = directions @ turn
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    centres = directions[rng.choice(n, n // PER_PART, replace=False)]
    part = np.concatenate([(directions[a : a + 4096] @ centres.T).argmax(axis=1) for a in range(0, n, 4096)])
    order = np.argsort(part, kind="stable")
    starts = np.searchsorted(part[order], np.arange(len(centres) + 1))
    beside = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :N_PARTS]
    for number, near in enumerate(beside):
        mine = order[starts[number] : starts[number + 1]]
        pool = np.concatenate([order[starts[p] : starts[p + 1]] for p in near])
        for a in range(0, len(mine), 2048):
            rows = mine[a : a + 2048]
            others = np.broadcast_to(pool, (len(rows), len(pool)))
            cosine = directions[rows] @ directions[pool].T
            others, cosine = _best(others, cosine, k + n_near + 1)
            cosine[_is_near(rows, others, position, image, radius)] = -1
            yield rows, *_best(others, cosine, k)


def _joined(n: int, found: Hits) -> csr_matrix:
    """Return the symmetric graph of hits; those with a cosine of 0 or below are none."""
    from scipy.sparse import coo_matrix

    rows, columns, weights = [], [], []
    for row, others, cosine in found:
        keep = cosine > 0
        rows.append(np.repeat(row, keep.sum(axis=1)).astype(np.int32))
        columns.append(others[keep].astype(np.int32))
        weights.append((cosine[keep] ** POWER).astype(np.float32))
    at = np.concatenate(rows), np.concatenate(columns)
    graph = coo_matrix((np.concatenate(weights), at), shape=(n, n)).tocsr()
    return graph.maximum(graph.T).tocsr()
