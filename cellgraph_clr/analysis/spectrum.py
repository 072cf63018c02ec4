"""Slow coordinates of a cloud of vectors: tissue that hangs together in it, coarse parts first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.analysis.alike import POWER, nearest_of_all
from cellgraph_clr.analysis.most_alike import EXACT, Apart, most_alike

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["spectral_coordinates"]

N_LANDMARKS = 10_000  # that stand for all cells where these are many
N_BESIDE = 10  # landmarks that a cell takes its coordinates from
DENSE = 500  # cells up to which all eigenvectors are worked out


def spectral_coordinates(
    directions: np.ndarray,
    *,
    n_neighbors: int,
    n_vectors: int,
    power: int,
    rng: np.random.Generator,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Return ``λ_k^power ψ_k / √degree`` (n, n_vectors) float32 of the graph of nearest vectors, the constant one dropped.

    The graph joins every cell with the `n_neighbors` of highest cosine (weight cosine³, symmetrised); ψ, λ are the eigenpairs of
    ``D^-1/2 W D^-1/2``, the highest first: a diffusion map after `power` steps (Coifman and Lafon 2006, Definition 1).

    Parameters
    ----------
    directions : (n, d) float32 unit vectors.
    n_neighbors, n_vectors, power : see above; fewer vectors where there are fewer cells.
    rng : of the start of the iteration, and of landmarks.
    n_jobs : threads, beside those of matrix products; the result does not depend on them.

    Notes
    -----
    Up to 20,000 cells of all cells, beyond of 10,000 landmarks drawn by chance: a cell takes its coordinates from the ten
    nearest, weighted by cosine³ (derivation ours). The sign of a column is that of its largest entry.
    """
    from scipy.sparse import csr_matrix

    n = len(directions)
    some = np.arange(n) if n <= EXACT else np.sort(rng.choice(n, N_LANDMARKS, replace=False))
    graph = nearest_of_all(directions[some], min(n_neighbors, len(some) - 1), rng=rng)
    own = _diffusion_map(graph, n_vectors, power, rng)
    if n <= EXACT:
        return own
    row, cosine = most_alike(directions, some, N_BESIDE, apart=Apart.nothing(n), rng=rng, n_jobs=n_jobs)
    weight = cosine**POWER
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    entries = weight.ravel(), np.searchsorted(some, row.ravel()), np.arange(n + 1) * row.shape[1]
    return np.asarray(csr_matrix(entries, shape=(n, len(some))) @ own, np.float32)


def _diffusion_map(graph: csr_matrix, n_vectors: int, power: int, rng: np.random.Generator) -> np.ndarray:
    from scipy.sparse import diags
    from scipy.sparse.linalg import LinearOperator, eigsh

    n = graph.shape[0]
    degree = np.asarray(graph.sum(axis=1), np.float64).ravel()
    root = np.sqrt(np.maximum(degree, 1e-12))
    scaled = (diags(1 / root) @ graph.astype(np.float64) @ diags(1 / root)).tocsr()
    first = root / np.linalg.norm(root)  # its eigenvector of the eigenvalue 1, which says nothing
    k = min(n_vectors, n - 1)
    if n <= DENSE:
        value, vector = np.linalg.eigh(scaled.toarray() - np.outer(first, first))
    else:

        def product(v: np.ndarray) -> np.ndarray:
            v = v.ravel()
            return scaled @ v - first * (first @ v)

        operator = LinearOperator((n, n), matvec=product, dtype=np.float64)
        value, vector = eigsh(operator, k=k, which="LA", v0=rng.normal(size=n), tol=1e-4)
    order = np.argsort(-value)[:k]
    value, vector = np.clip(value[order], 0, 1), vector[:, order]
    vector *= np.where(vector[np.abs(vector).argmax(axis=0), np.arange(k)] < 0, -1, 1)
    return np.asarray(vector / root[:, None] * value**power * np.sqrt(degree.sum()), np.float32)
