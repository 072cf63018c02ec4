"""Folds that keep samples, or blocks of the tissue, together, and what out-of-fold logits say of a method."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from cellgraph_clr.analysis.calibration import fit_temperature
from cellgraph_clr.analysis.splits import blocks

__all__ = ["Folds", "clear_gain", "comparison_folds", "drawn_rows", "out_of_fold_scores"]

N_FOLDS = 5
BLOCKS_PER_FOLD = 4  # a fold is several blocks here and there, so that most classes stay on both sides


class Folds(NamedTuple):
    """Parts of labelled cells: `parts` of rows to train and rows to test on, `group` (n,) int64, `by` what the groups are."""

    by: str
    group: np.ndarray
    parts: list[tuple[np.ndarray, np.ndarray]]


def comparison_folds(
    codes: np.ndarray, sample: np.ndarray, position: np.ndarray | None, *, seed: int, n_folds: int = N_FOLDS
) -> Folds | None:
    """Return folds of labelled cells by sample, else by block of the tissue, else by cell.

    Parameters
    ----------
    codes : (n,) classes, 0 and above.
    sample : (n,) names of the samples.
    position : (n, d), or None where cells have none.
    seed : of what is drawn.
    n_folds : at most; fewer where there are fewer samples, or fewer cells in every class.

    Returns
    -------
    The first of the three that can test half of the cells whose class has two or more; None where none can. A cell is tested
    where others of its class are trained on, in other groups than its own: a class that one group holds alone is not tested, and
    the only cell of a class is trained on, or left out with its group. Blocks do not cross samples.

    Notes
    -----
    O(n log n). Blocks are of about equal numbers of cells, four for each fold.
    """
    several = np.bincount(codes)[codes] > 1 if len(codes) else np.zeros(0, bool)
    ways = {"cell": np.arange(len(codes))}
    names, which = np.unique(sample, return_inverse=True)
    if position is not None:
        ways = {"block": _blocks(which, position, n_folds * BLOCKS_PER_FOLD), **ways}
    if len(names) > 1:
        ways = {"sample": which, **ways}
    for by, group in ways.items():
        parts = _parts(codes, group, n_folds, seed)
        tested = sum(len(test) for _, test in parts)
        if len(parts) > 1 and tested >= several.sum() / 2:
            return Folds(by, group, parts)
    return None


def _blocks(sample: np.ndarray, position: np.ndarray, n_blocks: int) -> np.ndarray:
    """Return the block (n,) int64 of every cell; a sample gets blocks by its share of the cells, one at least."""
    out = np.zeros(len(sample), np.int64)
    for code in np.unique(sample):
        rows = np.flatnonzero(sample == code)
        n = max(1, round(n_blocks * len(rows) / len(sample)))
        out[rows] = blocks(position[rows], n) + out.max() + 1
    return out


def _parts(codes: np.ndarray, group: np.ndarray, n_folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return stratified folds of whole groups, less the cells of classes that are not trained on."""
    from sklearn.model_selection import StratifiedGroupKFold

    most = int(np.bincount(codes).max()) if len(codes) else 0
    n = min(n_folds, len(np.unique(group)), most)
    if n < 2:
        return []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
        split = list(splitter.split(codes[:, None], codes, group))
    kept = [(train, test[np.isin(codes[test], codes[train])]) for train, test in split]
    return [(train, test) for train, test in kept if len(test) and len(np.unique(codes[train])) > 1]


def out_of_fold_scores(logits: np.ndarray, codes: np.ndarray, folds: Folds) -> tuple[np.ndarray, np.ndarray]:
    """Return log-likelihood (nats) and correctness (n,) float64 of every cell, NaN where it is in no test.

    `logits` (n, k) are out of fold. Those of a fold are divided by the temperature that calibrates the *other* folds, so that
    methods whose votes are timid are not behind those that are bold, and no cell has a say in its own.
    """
    value, right = np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    tests = [test for _, test in folds.parts]
    for i, test in enumerate(tests):
        others = np.concatenate([t for j, t in enumerate(tests) if j != i])
        log_proba = log_softmax(logits[test] / fit_temperature(logits[others], codes[others]), axis=1)
        value[test] = log_proba[np.arange(len(test)), codes[test]]
        right[test] = log_proba.argmax(axis=1) == codes[test]
    return value, right


def clear_gain(value: np.ndarray, reference: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Return the mean difference of two log-likelihoods (n,) over the tested cells, and its standard error.

    Cells of a group (n,) may err together: the error is that of a mean over G clusters,
    ``sqrt(G / (G - 1) sum_g (sum_i in g (d_i - d))^2) / n`` (Liang and Zeger 1986). It is infinite for a single group.
    """
    tested = np.isfinite(value)
    apart = (value - reference)[tested]
    codes = np.unique(group[tested], return_inverse=True)[1]
    sums = np.bincount(codes, weights=apart - apart.mean())
    if len(sums) < 2:
        return float(apart.mean()), np.inf
    return float(apart.mean()), float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(apart))


def drawn_rows(codes: np.ndarray, most: int, rng: np.random.Generator, *, least: int = N_FOLDS) -> np.ndarray:
    """Return sorted rows, about `most` of them: every class by its share, `least` of it at least where it has as many."""
    if len(codes) <= most:
        return np.arange(len(codes))
    rows = []
    for code in np.unique(codes):
        mine = rng.permutation(np.flatnonzero(codes == code))
        rows.append(mine[: max(least, round(most * len(mine) / len(codes)))])
    return np.sort(np.concatenate(rows))
