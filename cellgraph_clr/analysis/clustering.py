"""Clusters of vectors: Gaussian mixtures with the number chosen by BIC or stability, and Leiden through scanpy.

Both are learned on a random subset at the most, and hand their clusters to the other cells in blocks, so that millions of
cells are clustered in flat memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_in_range, check_option, expected
from cellgraph_clr._core.errors import CellGraphError, NoCellsError, OptionError
from cellgraph_clr.analysis.retrieval import BLOCK_ROWS

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

__all__ = ["SELECTIONS", "Mixture", "gaussian_mixture", "leiden"]

SELECTIONS = ("bic", "stability")
NEAREST, FARTHEST = 1e-15, 1e15  # extents of vectors
SCALE = "Scale the features: `cgc.pp.scale_features(adata)`."
N_SPLITS = 5  # pairs of halves that stability compares


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Clusters (n,) numbered by size, probabilities (n, k) float32, and what every number tried scored.

    Of "bic" the lowest is chosen, of "stability" the highest.
    """

    labels: np.ndarray
    proba: np.ndarray
    scores: dict[int, float]


def gaussian_mixture(
    vectors: np.ndarray,
    *,
    n_clusters: int | tuple[int, ...],
    select: Literal["bic", "stability"] = "bic",
    n_dims: int = 16,
    n_fit: int = 50_000,
    random_state: int = 0,
) -> Mixture:
    """Return a Gaussian mixture over the leading principal components.

    Parameters
    ----------
    vectors : (n, d) finite.
    n_clusters : a number, or several of which one is chosen.
    select : "bic" takes the number of lowest Bayesian information criterion: as many Gaussians as the density asks for, often
        more than there are groups. "stability" takes the number whose clusters come back when they are learned again: five
        times, mixtures of two random halves cluster all cells of the subset, and the mean adjusted Rand index between them is
        the score (Ben-Hur et al. 2002); of numbers within one standard error of the best the largest is taken.
    n_dims : principal components kept (all when d is smaller).
    n_fit : cells of the random subset that is learned from; all cells are assigned.
    random_state : seed.

    Raises
    ------
    OptionError
        If a number of clusters is below 1 or above the number of cells (for stability: half of them), or `select` is wrong.
    NonFiniteError, NoCellsError
        For NaN, or no cells at all.
    CellGraphError
        For vectors so far apart, or so near, that float32 does not hold their squared distances or covariances.

    Notes
    -----
    O(n_fit n_dims**2 k) a step of EM for each number tried, ten times that for stability; assignment in blocks of 65,536
    cells, 4 n k bytes.
    """
    from sklearn.decomposition import PCA

    if len(vectors) == 0:
        raise NoCellsError(expected("cells to cluster", "none", "Check the selection before."))
    check_option("select", select, SELECTIONS)
    check_finite(np.asarray(vectors), what="vectors", remedy="Repair or drop these cells first.")
    _check_extent(vectors)
    numbers = (n_clusters,) if isinstance(n_clusters, (int, np.integer)) else tuple(n_clusters)
    chooses = select == "stability" and len(numbers) > 1
    for k in numbers:
        check_in_range("n_clusters", k, low=1, high=len(vectors) // 2 if chooses else len(vectors))
    rng = np.random.default_rng(random_state)
    some = rng.choice(len(vectors), min(n_fit, len(vectors)), replace=False)
    reduce = PCA(min(n_dims, vectors.shape[1], len(some)), random_state=random_state).fit(vectors[some])
    x = reduce.transform(vectors[some])
    if chooses:
        stability = {k: _stability(x, k, rng) for k in numbers}
        top, error = max(stability.values(), key=lambda found: found[0])
        k = max(n for n, (mean, _) in stability.items() if mean >= top - error)
        best, scores = _fitted(x, k, random_state), {n: mean for n, (mean, _) in stability.items()}
    else:
        models = {k: _fitted(x, k, random_state) for k in numbers}
        scores = {k: float(m.bic(x)) for k, m in models.items()}
        best = models[min(scores, key=lambda k: scores[k])]
    proba = np.empty((len(vectors), best.n_components), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        proba[part] = best.predict_proba(reduce.transform(vectors[part]))
    order = np.argsort(-np.bincount(proba.argmax(axis=1), minlength=best.n_components), kind="stable")
    proba = proba[:, order]
    return Mixture(proba.argmax(axis=1), proba, scores)


def _fitted(x: np.ndarray, k: int, seed: int) -> GaussianMixture:
    from sklearn.mixture import GaussianMixture

    try:
        return GaussianMixture(k, random_state=seed, reg_covar=1e-4).fit(x)
    except ValueError as error:  # covariances that float32 cannot invert
        remedy = f"{SCALE} Or use `method='leiden'`."
        found = f"an extent of {float(np.ptp(x, axis=0).max()):.3g} ({error})"
        raise CellGraphError(expected(f"vectors that {k} Gaussians can be fitted to", found, remedy)) from error


def _check_extent(vectors: np.ndarray) -> None:
    """Raise `CellGraphError` for vectors whose squared distances float32 does not hold, or cannot tell apart."""
    extent = float(np.max(np.ptp(np.asarray(vectors, np.float64), axis=0), initial=0))
    if extent and not NEAREST <= extent <= FARTHEST:
        what = f"vectors with an extent between {NEAREST:g} and {FARTHEST:g}, whose squares float32 holds"
        raise CellGraphError(expected(what, f"{extent:.3g}", SCALE))


def _stability(x: np.ndarray, k: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the mean agreement of the clusters learned on two halves, and its standard error."""
    from sklearn.metrics import adjusted_rand_score

    found = []
    for _ in range(N_SPLITS):
        halves = np.array_split(rng.permutation(len(x)), 2)
        one, other = (_fitted(x[h], k, int(rng.integers(2**31))).predict(x) for h in halves)
        found.append(adjusted_rand_score(one, other))
    return float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(N_SPLITS))


def leiden(
    vectors: np.ndarray,
    n_clusters: int | Literal["auto"],
    *,
    resolution: float,
    n_neighbors: int,
    n_fit: int = 50_000,
    random_state: int = 0,
) -> tuple[np.ndarray, float]:
    """Return Leiden labels (n,) as text and the resolution used.

    Parameters
    ----------
    vectors : (n, d) finite, at least three cells.
    n_clusters : "auto" clusters at `resolution`; a number searches the resolution that gives it, by bisection.
    resolution, n_neighbors : of Leiden (scanpy's, igraph flavour) and its nearest-neighbour graph.
    n_fit : with more cells than this, a random subset of this size is clustered and the others take the vote of their
        `n_neighbors` nearest in it (`analysis.transfer.nearest_vote`).
    random_state : seed.

    Raises
    ------
    OptionError
        If no resolution tried gives the number asked for.
    CellGraphError
        For vectors so far apart, or so near, that float32 does not hold their squared distances.
    """
    _check_extent(vectors)
    if n_fit >= len(vectors):
        return _leiden(vectors, n_clusters, resolution, n_neighbors, random_state)
    from cellgraph_clr.analysis.transfer import nearest_vote

    some = np.random.default_rng(random_state).choice(len(vectors), n_fit, replace=False)
    own, value = _leiden(vectors[some], n_clusters, resolution, n_neighbors, random_state)
    codes = own.astype(int)
    votes = nearest_vote(vectors, vectors[some], codes, int(codes.max()) + 1, k=n_neighbors)
    labels = votes.proba.argmax(axis=1)
    labels[some] = codes
    return labels.astype(str), value


def _leiden(
    vectors: np.ndarray, n_clusters: int | Literal["auto"], resolution: float, n_neighbors: int, seed: int
) -> tuple[np.ndarray, float]:
    import scanpy as sc
    from anndata import AnnData

    from cellgraph_clr.analysis.neighbor_weights import fuzzy_neighbors

    work = AnnData(X=vectors)
    graph = fuzzy_neighbors(vectors, min(n_neighbors, work.n_obs - 1))

    def at(value: float) -> np.ndarray:
        options = {"flavor": "igraph", "n_iterations": 2, "directed": False, "random_state": seed, "key_added": "c"}
        sc.tl.leiden(work, resolution=value, adjacency=graph, **options)
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
