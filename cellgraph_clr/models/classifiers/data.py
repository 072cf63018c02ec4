"""What the classifiers share: classes, names of losses and heads, the out-of-fold temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelKeyError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HARD", "HEADS", "LOSSES", "class_codes", "out_of_fold_temperature"]

HEADS = ("linear", "mlp")
LOSSES = ("soft_infonce", "infonce", "soft_cross_entropy", "cross_entropy")
HARD = ("infonce", "cross_entropy")  # one-hot targets: neither smoothed nor mixed


def class_codes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes of labels y (n,) and the code (n,) of each; raises `LabelKeyError` for a single class."""
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        remedy = "Label cells of another class too."
        raise LabelKeyError(expected("at least two classes", f"one class: {classes[0]!r}", remedy))
    return classes, codes


def out_of_fold_temperature(
    codes: np.ndarray, n_classes: int, n_folds: int, logits_of: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> float:
    """Return the temperature that calibrates logits of cells left out of training; 1 when a class has one cell only.

    `logits_of(train, test)` trains on some rows and returns the logits of others. Folds are stratified, fewer than `n_folds`
    for small classes.
    """
    from sklearn.model_selection import StratifiedKFold

    from cellgraph_clr.analysis.calibration import fit_temperature

    n_folds = min(n_folds, int(np.bincount(codes).min()))
    if n_folds < 2:
        return 1.0
    logits = np.empty((len(codes), n_classes))
    for train, test in StratifiedKFold(n_folds, shuffle=True, random_state=0).split(codes, codes):
        logits[test] = logits_of(train, test)
    return fit_temperature(logits, codes)
