"""What the classifiers share: classes, names of losses and heads, folds and their temperature."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ArgumentKindError, CellGraphError, LabelKeyError, NonFiniteError, ShapeError
from cellgraph_clr._core.notices import warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sklearn.base import BaseEstimator

__all__ = [
    "HARD",
    "HEADS",
    "LOSSES",
    "calibration_folds",
    "class_codes",
    "features_and_labels",
    "features_like",
    "out_of_fold_temperature",
]

HEADS = ("linear", "mlp")
LOSSES = ("soft_infonce", "infonce", "soft_cross_entropy", "cross_entropy")
HARD = ("infonce", "cross_entropy")  # one-hot targets: neither smoothed nor mixed


def features_and_labels(estimator: BaseEstimator, features: object, labels: object) -> tuple[np.ndarray, np.ndarray]:
    """Return features (n, f) float32 and labels (n,), checked as scikit-learn does.

    Raises `NonFiniteError`, `ShapeError`, `ArgumentKindError` or `CellGraphError`, in its words, where it raises `ValueError` or
    `TypeError`.
    """
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import validate_data

    with _named():
        x, y = validate_data(estimator, features, labels, dtype=np.float32)
        check_classification_targets(y)
    return x, y


def features_like(estimator: BaseEstimator, features: object) -> np.ndarray:
    """Return features (n, f) float32 of as many columns as were learned from; raises as `features_and_labels`."""
    from sklearn.utils.validation import validate_data

    with _named():
        return np.asarray(validate_data(estimator, features, dtype=np.float32, reset=False))


@contextmanager
def _named() -> Iterator[None]:
    """Turn the errors of scikit-learn's checks into named ones."""
    try:
        yield
    except CellGraphError:
        raise
    except (ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        kind: type[CellGraphError] = CellGraphError
        if isinstance(error, TypeError):
            kind = ArgumentKindError
        elif "NaN" in text or "infinity" in text:
            kind = NonFiniteError
        elif any(word in text for word in ("dim", "shape", "sample", "feature")):
            kind = ShapeError
        remedy = "Pass numbers, one row a cell, and one class a row."
        raise kind(expected("features X (n, f) and labels y (n,)", f"others: {text.rstrip('.')}", remedy)) from error


def class_codes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes of labels y (n,) and the code (n,) of each; raises `LabelKeyError` for a single class."""
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        remedy = "Label cells of another class too."
        raise LabelKeyError(expected("at least two classes", f"one class: '{classes[0]}'", remedy))
    return classes, codes


def calibration_folds(codes: np.ndarray, n_folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return rows to train and to test on, stratified: every class is among those to train on.

    The only cell of a class is trained on in every fold. No folds, and a UserWarning, where no class has two cells.
    """
    from sklearn.model_selection import StratifiedKFold

    count = np.bincount(codes)
    rows, alone = np.flatnonzero(count[codes] > 1), np.flatnonzero(count[codes] == 1)
    n_folds = min(n_folds, int(count.max()))
    if n_folds < 2:
        warn("No class has two labelled cells: confidences cannot be calibrated.")
        return []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        folds = list(StratifiedKFold(n_folds, shuffle=True, random_state=0).split(rows, codes[rows]))
    return [(np.sort(np.concatenate([rows[train], alone])), rows[test]) for train, test in folds]


def out_of_fold_temperature(
    codes: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]], logits: Iterable[np.ndarray]
) -> float:
    """Return the temperature that calibrates `logits` (t, k) of the cells that each fold left out; 1 without folds."""
    from cellgraph_clr.analysis.calibration import fit_temperature

    if not folds:
        return 1.0
    return fit_temperature(np.concatenate(list(logits)), codes[np.concatenate([test for _, test in folds])])
