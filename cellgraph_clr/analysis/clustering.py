"""Clusters of vectors: Gaussian mixtures with the number chosen by BIC, and Leiden through scanpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_in_range, expected
from cellgraph_clr._core.errors import NoCellsError, OptionError

__all__ = ["Mixture", "gaussian_mixture", "leiden"]

FIT_CELLS = 50_000  # fitted on a random subset of this size at the most; all cells are assigned


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Clusters (n,) numbered by size, probabilities (n, k), and the BIC of every number tried (lower is better)."""

    labels: np.ndarray
    proba: np.ndarray
    bic: dict[int, float]


def gaussian_mixture(
    vectors: np.ndarray, *, n_clusters: int | tuple[int, ...], n_dims: int = 16, random_state: int = 0
) -> Mixture:
    """Return a Gaussian mixture over the leading principal components.

    Parameters
    ----------
    vectors : (n, d) finite.
    n_clusters : a number, or several of which the one of lowest BIC is taken.
    n_dims : principal components kept (all when d is smaller).

    Raises
    ------
    OptionError
        If a number of clusters is below 1 or above the number of cells.
    NonFiniteError, NoCellsError
        For NaN, or no cells at all.
    """
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    if len(vectors) == 0:
        raise NoCellsError(expected("cells to cluster", "none", "Check the selection before."))
    check_finite(np.asarray(vectors), what="vectors", remedy="Repair or drop these cells first.")
    numbers = (n_clusters,) if isinstance(n_clusters, (int, np.integer)) else tuple(n_clusters)
    for k in numbers:
        check_in_range("n_clusters", k, low=1, high=len(vectors))
    rng = np.random.default_rng(random_state)
    some = rng.choice(len(vectors), min(FIT_CELLS, len(vectors)), replace=False)
    dims = min(n_dims, vectors.shape[1], len(some))
    reduce = PCA(dims, random_state=random_state).fit(vectors[some])
    x = reduce.transform(vectors)
    models = {k: GaussianMixture(k, random_state=random_state, reg_covar=1e-4).fit(x[some]) for k in numbers}
    bic = {k: float(m.bic(x[some])) for k, m in models.items()}
    best = models[min(bic, key=lambda k: bic[k])]
    proba = best.predict_proba(x)
    order = np.argsort(-np.bincount(proba.argmax(axis=1), minlength=best.n_components), kind="stable")
    proba = proba[:, order]
    return Mixture(proba.argmax(axis=1), proba, bic)


def leiden(
    vectors: np.ndarray,
    n_clusters: int | Literal["auto"],
    *,
    resolution: float,
    n_neighbors: int,
    random_state: int = 0,
) -> tuple[np.ndarray, float]:
    """Return Leiden labels (n,) as text and the resolution used.

    Parameters
    ----------
    vectors : (n, d) finite, at least three cells.
    n_clusters : "auto" clusters at `resolution`; a number searches the resolution that gives it, by bisection.
    resolution, n_neighbors : of Leiden (scanpy's, igraph flavour) and its nearest-neighbour graph.

    Raises
    ------
    OptionError
        If no resolution tried gives the number asked for.
    """
    import scanpy as sc
    from anndata import AnnData

    work = AnnData(X=vectors)
    sc.pp.neighbors(work, n_neighbors=min(n_neighbors, work.n_obs - 1), use_rep="X", random_state=random_state)

    def at(value: float) -> np.ndarray:
        sc.tl.leiden(
            work,
            resolution=value,
            flavor="igraph",
            n_iterations=2,
            directed=False,
            random_state=random_state,
            key_added="c",
        )
        return work.obs["c"].to_numpy().astype(str)

    if n_clusters == "auto":
        return at(resolution), resolution
    low, high, tried = 1e-4, 100.0, []
    value = resolution
    for _ in range(24):
        labels = at(value)
        n = len(set(labels))
        tried.append(n)
        if n == n_clusters:
            return labels, value
        low, high = (value, high) if n < n_clusters else (low, value)
        value = float(np.sqrt(low * high))
    raise OptionError(
        expected(f"a resolution that gives {n_clusters} clusters", f"{sorted(set(tried))}", "Use `method='gmm'`.")
    )
