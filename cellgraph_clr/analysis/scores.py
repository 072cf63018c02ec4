"""Figures of merit, each with its chance level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, check_same_length, expected
from cellgraph_clr._core.errors import EmptyQueryError
from cellgraph_clr._core.rng import RandomState, as_rng, as_seed
from cellgraph_clr.analysis.retrieval import compared_directions

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["average_precision", "bilateral_score", "mask_retrieval", "partner_rank", "probe_accuracy"]


@checked
def average_precision(relevant: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision of a ranking by `scores` (ties share the precision at their end).

    `relevant` (n,) bool, `scores` (n,). 0 when nothing is relevant. The chance level is the share of relevant cells.

    Parameters
    ----------
    relevant : numpy.ndarray
        (n,) bool.
    scores : numpy.ndarray
        (n,) the higher, the earlier in the ranking.

    Returns
    -------
    float
        The average precision of a ranking by `scores` (ties share the precision at their end).

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> relevant = np.array([True, False, True])
    >>> round(float(cgc.metrics.average_precision(relevant, np.array([0.9, 0.8, 0.1]))), 3)
    0.833
    """
    check_same_length(len(relevant), len(scores), what_a="relevances", what_b="scores", remedy="One per cell.")
    check_finite(np.asarray(scores, float), what="scores", remedy="Leave these cells out.")
    relevant = np.asarray(relevant, bool)
    n_relevant = int(relevant.sum())
    if n_relevant == 0:
        return 0.0
    order = np.argsort(-np.asarray(scores, float), kind="stable")
    hits, ranked = relevant[order], np.asarray(scores, float)[order]
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    found = np.cumsum(hits)[last]
    return float((np.diff(found, prepend=0) / n_relevant * found / (last + 1)).sum())


@checked
def mask_retrieval(
    vectors: np.ndarray,
    masks: Mapping[str, np.ndarray],
    *,
    n_queries: int = 30,
    standardize: bool = True,
    random_state: RandomState = 0,
) -> dict[str, tuple[float, float]]:
    """Return, per mask, the mean average precision of finding its other cells from one of them, and chance.

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d); similarity is the cosine.
    masks : mapping of str to numpy.ndarray
        Name -> (n,) bool; every cell of the mask but the query itself is relevant.
    n_queries : int, default 30
        Query cells drawn per mask (all when there are fewer).
    standardize : bool, default True
        Divide columns by their spread; False only centres them, where their scales are weights (`tl.context`).
    random_state : int, numpy.random.Generator or None, default 0
        Seed, or a generator, of the drawing.

    Returns
    -------
    dict of str to tuple of float, float
        Name → mean average precision and chance.

    Raises
    ------
    EmptyQueryError
        If a mask holds fewer than two cells.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> rng = np.random.default_rng(0)
    >>> mask = np.arange(40) < 10
    >>> vectors = rng.normal(size=(40, 4)) + 5 * mask[:, None]
    >>> table = cgc.metrics.mask_retrieval(vectors, {"organ": mask}, n_queries=5, random_state=0)
    """
    rng = as_rng(random_state)
    directions = compared_directions(vectors, weighted=not standardize)
    out = {}
    for name, mask in masks.items():
        members = np.flatnonzero(mask)
        if len(members) < 2:
            raise EmptyQueryError(expected(f"at least two cells in mask {name!r}", len(members), "Leave it out."))
        queries = rng.choice(members, min(n_queries, len(members)), replace=False)
        similarity = directions[queries] @ directions.T
        values = []
        for row, query in zip(similarity, queries, strict=True):
            others = np.arange(len(mask)) != query
            values.append(average_precision(mask[others], row[others]))
        out[name] = (float(np.mean(values)), float((len(members) - 1) / (len(mask) - 1)))
    return out


@checked
def partner_rank(
    vectors: np.ndarray, cell: np.ndarray, candidate: np.ndarray, *, standardize: bool = True, block: int = 512
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, per cell with candidates, the best rank of a candidate partner among all other cells, and chance.

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d); distance is Euclidean, of standardised columns (as in the published protocol).
    cell, candidate : numpy.ndarray
        (m,) rows; one line per candidate partner of a cell.
    standardize : bool, default True
        False takes the cosine of columns as they are, centred, where their scales are weights (`tl.context`).
    block : int, default 512
        Cells compared at a time.

    Returns
    -------
    tuple of numpy.ndarray, numpy.ndarray, numpy.ndarray
        Rows : (k,) cells that have candidates. rank : (k,) int64, 1 for a candidate that is the nearest other cell of
        all. chance : (k,) expected rank under random order, n / (number of candidates + 1).

    Notes
    -----
    O(k n d) in blocks. Empty input gives empty arrays.
    Source: MorphoFeatures (Zinchenko et al. 2023), bilateral analysis.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> vectors = np.array([[0.0], [0.1], [5.0], [9.0]])
    >>> rows, rank, chance = cgc.metrics.partner_rank(vectors, np.array([0]), np.array([1]))
    >>> rank.tolist()
    [1]
    """
    x = np.asarray(vectors, np.float64)
    x = x - x.mean(axis=0)
    scale = x.std(axis=0) if standardize else np.linalg.norm(x, axis=1, keepdims=True)
    x = x / np.where(scale > 0, scale, 1)
    rows, inverse, count = np.unique(cell, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    partners = np.split(np.asarray(candidate)[order], np.cumsum(count)[:-1]) if len(rows) else []
    square = (x**2).sum(axis=1)
    rank = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), block):
        some = rows[start : start + block]
        distance = square[None, :] - 2 * x[some] @ x.T
        distance[np.arange(len(some)), some] = np.inf
        for i in range(len(some)):
            nearest = distance[i, partners[start + i]].min()
            rank[start + i] = 1 + int((distance[i] < nearest).sum())
    return rows, rank, len(x) / (count + 1)


@checked
def bilateral_score(
    clusters: np.ndarray,
    cell: np.ndarray,
    candidate: np.ndarray,
    *,
    n_permutations: int = 20,
    random_state: RandomState = 0,
) -> tuple[float, float]:
    """Return the share of cells with a candidate partner in their own cluster, and that under permuted clusters.

    Parameters
    ----------
    clusters : numpy.ndarray
        (n,) cluster of every cell, numbers or names.
    cell, candidate : numpy.ndarray
        (m,) rows; one line per candidate partner of a cell.
    n_permutations : int, default 20
        Whose mean is the chance; large clusters make it high.
    random_state : int, numpy.random.Generator or None, default 0
        Seed, or a generator, of the permutations.

    Returns
    -------
    tuple of float, float
        The share of cells with a candidate partner in their own cluster, and that under permuted clusters.

    Notes
    -----
    O(n_permutations (n + m)). Without candidates both are 0.
    Source: Zinchenko et al. 2023, who give no chance level.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> cells, partners = np.array([0, 1]), np.array([2, 3])
    >>> score, chance = cgc.metrics.bilateral_score(np.array([0, 1, 0, 1]), cells, partners)
    >>> score
    1.0
    """
    if len(cell) == 0:
        return 0.0, 0.0
    rng = as_rng(random_state)
    rows, inverse = np.unique(cell, return_inverse=True)
    codes = np.unique(clusters, return_inverse=True)[1]

    def share(codes: np.ndarray) -> float:
        same = codes[cell] == codes[candidate]
        return float((np.bincount(inverse, weights=same, minlength=len(rows)) > 0).mean())

    return share(codes), float(np.mean([share(rng.permutation(codes)) for _ in range(n_permutations)]))


@checked
def probe_accuracy(
    vectors: np.ndarray, labels: np.ndarray, *, n_splits: int = 5, n_repeats: int = 5, random_state: RandomState = 0
) -> np.ndarray:
    """Return the accuracies of a linear probe, one per fold: standardise, logistic regression with C = 1.

    Everything is fitted inside the fold; folds are stratified and repeated. `n_repeats` 0 gives the published protocol:
    one round of folds without shuffling.

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d).
    labels : numpy.ndarray
        (n,) classes.
    n_splits : int, default 5
        Number of folds.
    n_repeats : int, default 5
        How often the folds are drawn; 0 for one round without shuffling.
    random_state : int, numpy.random.Generator or None, default 0
        Seed of the folds.

    Returns
    -------
    numpy.ndarray
        The accuracies of a linear probe, one per fold: standardise, logistic regression with C = 1.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(40) % 2
    >>> vectors = rng.normal(size=(40, 3)) + 4 * labels[:, None]
    >>> accuracies = cgc.metrics.probe_accuracy(vectors, labels)  # one per fold and repeat
    >>> accuracies.shape
    (25,)
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = (
        RepeatedStratifiedKFold(n_splits=n_splits, n_repeats=n_repeats, random_state=as_seed(random_state))
        if n_repeats
        else StratifiedKFold(n_splits)
    )
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
    return cross_val_score(probe, vectors, labels, cv=folds)
