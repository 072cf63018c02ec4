"""Clusters of vectors: Gaussian mixtures with the number chosen by BIC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_in_range, expected
from cellgraph_clr._core.errors import NoCellsError

__all__ = ["Mixture", "gaussian_mixture"]

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
