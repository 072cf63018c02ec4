"""The cells of a pool that every cell is most alike: of all of the pool, or of its parts nearest to the cell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from cellgraph_clr._core.parallel import n_workers

__all__ = ["EXACT", "Apart", "most_alike"]

EXACT = 20_000  # cells up to which all are compared with all of the pool
N_PROBES = 8  # parts of the pool that a cell is looked for in, beyond
N_COMPRESSED = 64  # dimensions in which they are compared
N_MEASURED = 50_000  # cells that these dimensions are found on
BLOCK = 2**22  # similarities at a time


@dataclass(frozen=True, slots=True)
class Apart:
    """Which cells are near a cell, and so never among those most alike."""

    position: np.ndarray
    """(n, 2) or (n, 3)."""
    image: np.ndarray
    """(n,) number of the image; cells of other images are not near."""
    radius: np.ndarray
    """(n,) cells up to here are near; below 0: none is, but the cell itself."""

    @classmethod
    def nothing(cls, n: int) -> Apart:
        """Return that no cell is near another."""
        return cls(np.zeros((n, 2)), np.zeros(n, np.int64), np.full(n, -1.0))


def most_alike(
    directions: np.ndarray,
    pool: np.ndarray,
    k: int,
    *,
    apart: Apart,
    rng: np.random.Generator,
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k cells (n, k) int32 of the pool most alike to every cell, in no order, and the cosines (n, k) float32.

    Parameters
    ----------
    directions : (n, d) float32 unit vectors.
    pool : (m,) rows of cells that can be found, ascending.
    k : found for every cell; where fewer are alike (a cosine above 0) and not near, the rest is row 0 with cosine 0.
    apart : which cells are near.
    rng : of what is drawn where there are many cells.
    n_jobs : threads, beside those of matrix products; the result does not depend on them.

    Notes
    -----
    Up to 20,000 cells exact: O(n m d). Beyond, the pool falls into ``√m`` parts about members drawn by chance, and a cell is
    compared with its eight nearest parts, all in the 64 principal dimensions of the vectors: O(9 n √m 64) (derivation ours).
    12 n k bytes at most, and 4 · 64 n beyond 20,000 cells.
    """
    n, m = len(directions), len(pool)
    value = np.zeros((n, min(k, m)), np.float32)
    row = np.zeros((n, min(k, m)), np.int32)
    position = np.ascontiguousarray(apart.position, np.float64)
    image = np.ascontiguousarray(apart.image, np.int64)
    near = np.where(apart.radius < 0, -1.0, np.square(apart.radius) * (1 + 1e-12))  # the cell that sets it is near
    if n <= EXACT:
        meetings = [(np.arange(n), np.arange(m))]
    else:
        directions = _compressed(directions, rng)
        meetings = _meetings(directions, directions[pool], rng)
    n_shares = n_workers(n_jobs)
    with ThreadPoolExecutor(n_shares) as threads:
        for rows, members in meetings:
            columns = pool[members].astype(np.int32)
            others = directions[columns]
            size = max(1, BLOCK // max(1, len(columns)))
            for start in range(0, len(rows), size):
                some = rows[start : start + size]
                similarity = directions[some] @ others.T
                edges = np.linspace(0, len(some), n_shares + 1).astype(int)
                shares = [(similarity[a:b], some[a:b]) for a, b in pairwise(edges) if b > a]
                take = partial(_take, columns=columns, near=(position, image, near), found=(value, row))
                list(threads.map(take, shares))
    return row, value


def _take(
    share: tuple[np.ndarray, np.ndarray],
    columns: np.ndarray,
    near: tuple[np.ndarray, ...],
    found: tuple[np.ndarray, np.ndarray],
) -> None:
    from cellgraph_clr.analysis.best_rows import keep_best

    similarity, rows = share
    position, image, squared_radius = near
    value, row = found
    keep_best(similarity, rows, columns, position, image, squared_radius, value, row)


def _meetings(
    directions: np.ndarray, pool: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return, for every part of the pool, the cells that look for others in it, and its members as rows of the pool."""
    n_parts = max(1, round(len(pool) ** 0.5))
    centres = pool[rng.choice(len(pool), n_parts, replace=False)]
    part = _nearest_parts(pool, centres, 1)[:, 0]
    asked = _nearest_parts(directions, centres, min(N_PROBES, n_parts))
    members, seekers = _by_number(part, n_parts), _by_number(asked.ravel(), n_parts)
    return [(s // asked.shape[1], m) for s, m in zip(seekers, members, strict=True) if len(s) and len(m)]


def _nearest_parts(directions: np.ndarray, centres: np.ndarray, k: int) -> np.ndarray:
    out = np.empty((len(directions), k), np.int16)
    size = max(1, BLOCK // len(centres))
    for start in range(0, len(directions), size):
        part = slice(start, start + size)
        similarity = directions[part] @ centres.T
        out[part] = similarity.argmax(axis=1)[:, None] if k == 1 else np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    return out


def _by_number(number: np.ndarray, n: int) -> list[np.ndarray]:
    """Return where each of the numbers 0 to n - 1 stands."""
    order = np.argsort(number, kind="stable")
    return np.split(order, np.searchsorted(number[order], np.arange(1, n)))


def _compressed(directions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return unit vectors (n, 64) whose cosines are nearly those of wider ones: their first principal dimensions, not centred."""
    n, d = directions.shape
    if d <= N_COMPRESSED:
        return directions
    some = directions if n <= N_MEASURED else directions[np.sort(rng.choice(n, N_MEASURED, replace=False))]
    turn = np.linalg.eigh((some.T @ some).astype(np.float64))[1][:, -N_COMPRESSED:].astype(np.float32)
    out = directions @ turn
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
    return out
