"""The nearest-neighbour graph that Leiden clusters, with the weights of UMAP, and without its compilation.

Importing `umap` compiles for more than ten seconds in every process. Its weights are a few lines: those of every cell fall with
the distance beyond its nearest neighbour, at a rate that makes them sum to log2(k) (McInnes, Healy and Melville 2018,
arXiv:1802.03426, algorithm 3), and the two directions of an edge are joined as probabilities, a + b - a b (section 3.1).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

__all__ = ["fuzzy_neighbors"]

N_HALVINGS = 64
CLOSE = 1e-5  # to the wanted sum
LEAST_RATE = 1e-3  # of the mean distance: no smaller scale, so that equal cells have one


def fuzzy_neighbors(vectors: np.ndarray, n_neighbors: int) -> csr_matrix:
    """Return the symmetric weights (n, n) float32 in 0 … 1 of the nearest neighbours of every cell, by Euclidean distance.

    Parameters
    ----------
    vectors : (n, d) finite, n at least 2.
    n_neighbors : of every cell, itself among them as in scanpy, 2 to n.

    Notes
    -----
    Those of `umap` for exact neighbours, to rounding. Exact at any size, O(n² d) in blocks; memory O(n k). `scanpy.pp.neighbors`
    with exact neighbours has others where the distance of a cell to itself is rounded to more than 0.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(vectors)
    search = NearestNeighbors(n_neighbors=n_neighbors - 1, algorithm="brute").fit(vectors)
    column = search.kneighbors(return_distance=False)  # without the cell itself
    distance = _distances(np.asarray(vectors), column)
    weight = _weights(distance, np.log2(n_neighbors))
    one_way = csr_matrix(
        (weight.ravel().astype(np.float32), column.ravel(), np.arange(n + 1) * (n_neighbors - 1)), shape=(n, n)
    )
    other = one_way.T.tocsr()
    both = (one_way + other - one_way.multiply(other)).tocsr()
    both.eliminate_zeros()
    both.sort_indices()
    return both


def _distances(vectors: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the distances (n, k) of cells to others: differences first, so that equal vectors have none."""
    out = np.empty(column.shape)
    step = max(1, 2**22 // max(column.shape[1] * vectors.shape[1], 1))
    for start in range(0, len(vectors), step):
        some = slice(start, start + step)
        out[some] = np.linalg.norm(vectors[some, None].astype(np.float64) - vectors[column[some]], axis=2)
    return out


def _weights(distance: np.ndarray, wanted: float) -> np.ndarray:
    """Return the weights (n, k) of neighbours at these distances, whose sum is `wanted` where a scale gives it."""
    positive = np.where(distance > 0, distance, np.inf).min(axis=1, initial=np.inf)
    nearest = np.where(np.isfinite(positive), positive, 0.0)[:, None]
    beyond = np.maximum(distance - nearest, 0.0)
    low, high, scale = np.zeros(len(distance)), np.full(len(distance), np.inf), np.ones(len(distance))
    for _ in range(N_HALVINGS):
        total = np.exp(-beyond / scale[:, None]).sum(axis=1)
        far = np.abs(total - wanted) >= CLOSE
        if not far.any():
            break
        wide = far & (total > wanted)
        narrow = far & ~wide
        high[wide], low[narrow] = scale[wide], scale[narrow]
        middle = np.where(np.isinf(high), 2 * scale, (low + np.minimum(high, 1e300)) / 2)
        scale = np.where(far, middle, scale)
    own = np.c_[np.zeros(len(distance)), distance]  # the mean counts the cell itself
    mean = np.where(nearest[:, 0] > 0, own.mean(axis=1), own.mean())
    scale = np.maximum(scale, LEAST_RATE * mean)
    return np.exp(-beyond / np.where(scale > 0, scale, 1.0)[:, None])
