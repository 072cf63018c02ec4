"""Cells alike that lie elsewhere: in another part of the tissue, or in another sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.analysis.most_alike import EXACT, Apart, most_alike

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["alike_elsewhere", "near_radius", "nearest_of_all"]

N_POOL = 50_000  # cells that can be found, drawn by chance where there are more
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
    n_jobs: int | None = None,
) -> csr_matrix:
    """Return a graph (n, n) that joins every cell with the k most alike that are not near it, weighted by cosine³.

    Symmetric up to 50,000 cells; of more, 50,000 drawn by chance are those that can be found.

    Parameters
    ----------
    directions : (n, d) float32 unit vectors.
    position : (n, 2) or (n, 3).
    image : (n,) number of the image (sample and frame) of every cell; cells of other images are elsewhere.
    k : cells a cell is joined with; fewer where fewer are elsewhere, or alike at all (cosine above 0).
    n_apart : the nearest so many cells of the same image are not elsewhere.
    rng : of what is drawn where there are many cells.
    n_jobs : threads, beside those of matrix products; the result does not depend on them.

    Notes
    -----
    Up to 20,000 cells exact; the search of `most_alike`, and 12 n k bytes.
    """
    n = len(directions)
    pool = np.arange(n) if n <= N_POOL else np.sort(rng.choice(n, N_POOL, replace=False))
    apart = Apart(position, image, near_radius(position, image, n_apart, rng=rng))
    found = _weighted(most_alike(directions, pool, k, apart=apart, rng=rng, n_jobs=n_jobs))
    return found.maximum(found.T).tocsr() if n <= N_POOL else found


def nearest_of_all(directions: np.ndarray, k: int, *, rng: np.random.Generator) -> csr_matrix:
    """Return a symmetric graph (n, n) that joins every cell with the k most alike, near or not, weighted by cosine³."""
    n = len(directions)
    found = _weighted(most_alike(directions, np.arange(n), k, apart=Apart.nothing(n), rng=rng))
    return found.maximum(found.T).tocsr()


def _weighted(found: tuple[np.ndarray, np.ndarray]) -> csr_matrix:
    """Return the graph of what was found, cosine³ as weights."""
    from scipy.sparse import csr_matrix

    row, weight = found
    n, k = row.shape
    np.power(weight, POWER, out=weight)
    graph = csr_matrix((weight.ravel(), row.ravel(), np.arange(n + 1) * k), shape=(n, n))
    graph.eliminate_zeros()
    graph.sort_indices()
    return graph
