"""Figures of merit of labels, predicted or clustered, each beside its chance level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_same_length, expected
from cellgraph_clr._core.errors import NoCellsError, ShapeError
from cellgraph_clr.analysis.calibration import expected_calibration_error

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Score", "classification_scores", "clustering_scores", "neighborhood_purity", "precision_at_k", "silhouette"]


@dataclass(frozen=True, slots=True)
class Score:
    """A figure of merit, and what chance gives.

    Parameters
    ----------
    value : float
        What was measured.
    chance : float
        What guessing would reach.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cgc.metrics.Score(value=0.9, chance=0.25)
    Score(value=0.9, chance=0.25)
    """

    value: float
    chance: float

    def __str__(self) -> str:
        """Return both, as for a table."""
        return f"{self.value:.3f} (chance {self.chance:.3f})"


@checked
def classification_scores(proba: np.ndarray, codes: np.ndarray) -> dict[str, Score]:
    """Return accuracy, balanced accuracy, macro AUC and ECE of probabilities.

    Parameters
    ----------
    proba : numpy.ndarray
        (n, k) rows that sum to 1.
    codes : numpy.ndarray
        (n,) true classes, 0 to k - 1.

    Returns
    -------
    dict of str to Score
        Name -> `Score`. Chance: always the commonest class for accuracy, 1 / (classes that occur) for balanced
        accuracy, 0.5 for macro AUC (one class against the rest, classes that occur; NaN for a single one). The chance
        of ECE is its mean when outcomes are drawn from the probabilities themselves: what a perfectly calibrated model
        of this size reads.

    Raises
    ------
    ShapeError, NoCellsError
        For lengths or classes that do not fit, or no cells.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> proba = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    >>> codes = np.array([0, 1, 1, 0])
    >>> scores = cgc.metrics.classification_scores(proba, codes)
    >>> scores["accuracy"].value, scores["accuracy"].chance
    (0.75, 0.5)
    """
    from sklearn.metrics import roc_auc_score

    proba, codes = np.asarray(proba, float), np.asarray(codes)
    check_same_length(len(proba), len(codes), what_a="probabilities", what_b="labels", remedy="One per cell.")
    if len(codes) == 0:
        raise NoCellsError(expected("labelled cells to score", "none", "Check the split before."))
    if codes.min() < 0 or codes.max() >= proba.shape[1]:
        found = f"{codes.min()} to {codes.max()}"
        raise ShapeError(expected(f"classes 0 to {proba.shape[1] - 1}", found, "Leave unlabelled cells out."))
    occurring, count = np.unique(codes, return_counts=True)
    correct = proba.argmax(axis=1) == codes
    recall = [correct[codes == c].mean() for c in occurring]
    auc = [roc_auc_score(codes == c, proba[:, c]) for c in occurring] if len(occurring) > 1 else [np.nan]
    rng = np.random.default_rng(0)
    below = np.cumsum(proba, axis=1)
    drawn = [(rng.random(len(proba))[:, None] * below[:, -1:] > below).sum(axis=1) for _ in range(20)]
    calibrated = np.mean([expected_calibration_error(proba, d) for d in drawn])
    return {
        "accuracy": Score(float(correct.mean()), float(count.max() / len(codes))),
        "balanced_accuracy": Score(float(np.mean(recall)), 1 / len(occurring)),
        "macro_auc": Score(float(np.mean(auc)), 0.5),
        "ece": Score(expected_calibration_error(proba, codes), float(calibrated)),
    }


@checked
def clustering_scores(clusters: np.ndarray, truth: np.ndarray) -> dict[str, Score]:
    """Return adjusted Rand index and normalised mutual information of clusters (n,) with known labels (n,).

    Chance of the adjusted index is 0 by construction; that of mutual information is its mean over 20 shuffles, since it is not
    adjusted for the number of clusters. Raises `ShapeError` for different lengths. Both are 1 for no cells.

    Parameters
    ----------
    clusters : numpy.ndarray
        (n,) names or numbers of clusters.
    truth : numpy.ndarray
        (n,) known labels.

    Returns
    -------
    dict of str to Score
        Adjusted Rand index and normalised mutual information of clusters (n,) with known labels (n,).

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> scores = cgc.metrics.clustering_scores(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
    >>> sorted(scores)
    ['ari', 'nmi']
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    check_same_length(len(clusters), len(truth), what_a="clusters", what_b="labels", remedy="One per cell.")
    rng = np.random.default_rng(0)
    shuffled = [normalized_mutual_info_score(truth, rng.permutation(clusters)) for _ in range(20)]
    return {
        "ari": Score(float(adjusted_rand_score(truth, clusters)), 0.0),
        "nmi": Score(float(normalized_mutual_info_score(truth, clusters)), float(np.mean(shuffled))),
    }


@checked
def silhouette(vectors: np.ndarray, labels: np.ndarray, *, max_cells: int = 5000) -> Score:
    """Return the mean silhouette width of labels (n,) in vectors (n, d), on at most `max_cells` cells; chance by shuffling them.

    Between -1 and 1; 0 unless there are between 2 and n - 1 different labels. Rousseeuw 1987. Raises `ShapeError` for
    different lengths. O(max_cells^2 d).

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d).
    labels : numpy.ndarray
        (n,) clusters.
    max_cells : int, default 5000
        More cells than this are subsampled.

    Returns
    -------
    Score
        The mean silhouette width of labels (n,) in vectors (n, d), on at most `max_cells` cells.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> vectors = np.array([[0.0], [0.1], [5.0], [5.1]])
    >>> round(float(cgc.metrics.silhouette(vectors, np.array([0, 0, 1, 1])).value), 2)
    0.98
    """
    from sklearn.metrics import silhouette_score

    check_same_length(len(vectors), len(labels), what_a="vectors", what_b="labels", remedy="One per cell.")
    rng = np.random.default_rng(0)
    rows = rng.choice(len(labels), min(max_cells, len(labels)), replace=False)
    some, names = np.asarray(vectors)[rows], np.asarray(labels)[rows]
    if not 1 < len(np.unique(names)) < len(names):
        return Score(0.0, 0.0)
    return Score(float(silhouette_score(some, names)), float(silhouette_score(some, rng.permutation(names))))


@checked
def neighborhood_purity(adjacency: csr_matrix, labels: np.ndarray) -> Score:
    """Return the share of neighbours that have a cell's own label, averaged over cells with neighbours.

    Chance is the probability that two different cells drawn at random agree. 0 without edges. O(edges).

    Parameters
    ----------
    adjacency : csr_matrix
        (n, n) graph.
    labels : numpy.ndarray
        (n,) label of every cell.

    Returns
    -------
    Score
        The share of neighbours that have a cell's own label, averaged over cells with neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> from scipy.sparse import csr_matrix
    >>> adjacency = csr_matrix(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    >>> cgc.metrics.neighborhood_purity(adjacency, np.array(["a", "a", "b"]))
    Score(value=0.5, chance=0.3333333333333333)
    """
    labels = np.asarray(labels)
    n = len(labels)
    rows = np.repeat(np.arange(n), np.diff(adjacency.indptr))
    same = np.bincount(rows, weights=labels[rows] == labels[adjacency.indices], minlength=n)
    degree = np.diff(adjacency.indptr)
    has = degree > 0
    count = np.unique(labels, return_counts=True)[1] if n else np.zeros(0)
    chance = float((count * (count - 1)).sum() / max(n * (n - 1), 1))
    return Score(float((same[has] / degree[has]).mean()) if has.any() else 0.0, chance)


@checked
def precision_at_k(relevant: np.ndarray, scores: np.ndarray, k: int) -> Score:
    """Return the share of relevant cells among the k of highest score (ties by row); chance is their share among all.

    `relevant` (n,) bool, `scores` (n,). Raises `ShapeError` for different lengths and `OptionError` unless 1 <= k <= n.

    Parameters
    ----------
    relevant : numpy.ndarray
        (n,) bool.
    scores : numpy.ndarray
        (n,) the higher, the earlier in the ranking.
    k : int
        How many are looked at.

    Returns
    -------
    Score
        The share of relevant cells among the k of highest score (ties by row).

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> relevant = np.array([True, False, True])
    >>> cgc.metrics.precision_at_k(relevant, np.array([0.9, 0.8, 0.1]), 2)
    Score(value=0.5, chance=0.6666666666666666)
    """
    check_same_length(len(relevant), len(scores), what_a="relevances", what_b="scores", remedy="One per cell.")
    check_in_range("k", k, low=1, high=len(scores))
    best = np.argsort(-np.asarray(scores, float), kind="stable")[:k]
    relevant = np.asarray(relevant, bool)
    return Score(float(relevant[best].mean()), float(relevant.mean()))
