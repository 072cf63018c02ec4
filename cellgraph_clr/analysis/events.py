"""How well events are found: scores of every class, errors by time, and maxima among overlapping places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr.analysis.calibration import true_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["brier_skill", "errors_over_time", "event_scores", "local_maxima"]

SCORES = ("precision", "recall", "f1", "average_precision", "share")


@checked
def event_scores(proba: np.ndarray, codes: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall, F1, average precision and share (its chance) of every class.

    Parameters
    ----------
    proba : numpy.ndarray
        (n, k).
    codes : numpy.ndarray
        (n,) true class of each, 0 … k - 1.
    classes : sequence of str
        The k names.

    Returns
    -------
    pandas.DataFrame
        Precision, recall, F1, average precision and share (its chance) of every class.

    Notes
    -----
    Precision without a prediction and scores of a class that never occurs are NaN. O(n k log n).

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> proba = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    >>> codes = np.array([0, 1, 1, 0])
    >>> table = cgc.metrics.event_scores(proba, codes, ["none", "division"])
    >>> list(table.columns)
    ['precision', 'recall', 'f1', 'average_precision', 'share']
    """
    import pandas as pd
    from sklearn.metrics import precision_recall_fscore_support

    from cellgraph_clr.analysis.scores import average_precision

    codes = true_classes(proba, codes)
    numbers = np.arange(len(classes))
    if len(codes) == 0:
        return pd.DataFrame(np.nan, index=list(classes), columns=list(SCORES))
    precision, recall, f1, count = precision_recall_fscore_support(
        codes, proba.argmax(axis=1), labels=numbers, zero_division=np.nan
    )
    occurs = count > 0
    found = [average_precision(codes == k, proba[:, k]) if occurs[k] else np.nan for k in numbers]
    columns = (precision, recall, np.where(occurs, f1, np.nan), found, count / len(codes))
    return pd.DataFrame(dict(zip(SCORES, columns, strict=True)), index=list(classes))


@checked
def brier_skill(proba: np.ndarray, codes: np.ndarray) -> float:
    """Return 1 - Brier score / that of always saying the shares of the classes; 0 is no skill, 1 perfect.

    NaN for no places, or where but one class occurs.

    Parameters
    ----------
    proba : numpy.ndarray
        (n, k) rows that sum to 1.
    codes : numpy.ndarray
        (n,) true classes, 0 to k - 1.

    Returns
    -------
    float
        1 - Brier score / that of always saying the shares of the classes.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> proba = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    >>> codes = np.array([0, 1, 1, 0])
    >>> round(float(cgc.metrics.brier_skill(proba, codes)), 3)
    0.5
    """
    codes = true_classes(proba, codes)
    if len(codes) == 0:
        return float("nan")
    true = np.eye(proba.shape[1])[codes]
    base = ((true.mean(axis=0) - true) ** 2).sum(axis=1).mean()
    return float(1 - ((proba - true) ** 2).sum(axis=1).mean() / base) if base > 0 else float("nan")


@checked
def errors_over_time(frame: np.ndarray, truth: np.ndarray, found: np.ndarray) -> pd.DataFrame:
    """Return by frame how many places truly hold an event, are found rightly, are false alarms, or are missed.

    `frame` (n,) whole numbers, `truth` and `found` (n,) bool. Frames without places are not listed; O(n log n).

    Parameters
    ----------
    frame : numpy.ndarray
        (n,) frame of every place.
    truth : numpy.ndarray
        (n,) bool: it holds an event.
    found : numpy.ndarray
        (n,) bool: an event was found.

    Returns
    -------
    pandas.DataFrame
        By frame how many places truly hold an event, are found rightly, are false alarms, or are missed.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> frame, truth, found = np.array([0, 0, 1]), np.array([True, False, True]), np.array([True, True, False])
    >>> table = cgc.metrics.errors_over_time(frame, truth, found)
    >>> list(table.columns)
    ['events', 'found', 'false_alarms', 'missed']
    """
    import pandas as pd

    frames, inverse = np.unique(frame, return_inverse=True)
    kinds = {"events": truth, "found": truth & found, "false_alarms": ~truth & found, "missed": truth & ~found}
    counts = {
        name: np.bincount(inverse, weights=rows, minlength=len(frames)).astype(int) for name, rows in kinds.items()
    }
    return pd.DataFrame(counts, index=pd.Index(frames, name="frame"))


def local_maxima(frame: np.ndarray, position: np.ndarray, score: np.ndarray, *, reach: float) -> np.ndarray:
    """Return the rows whose score is the highest within `reach` in their frame and the frames beside it, best first.

    Parameters
    ----------
    frame : (n,). position : (n, d). score : (n,).
    reach : distance within which one event is seen by several places, in the unit of positions.

    Notes
    -----
    Greedy, from the highest on. O(n log n + pairs within reach). Nothing gives nothing.
    """
    from scipy.spatial import cKDTree

    if len(score) == 0:
        return np.zeros(0, np.int64)
    frame = np.asarray(frame)
    near = cKDTree(position).query_ball_point(position, reach)
    free = np.ones(len(score), bool)
    out = []
    for row in np.argsort(-score, kind="stable"):
        if free[row]:
            out.append(row)
            beside = np.array(near[row])
            free[beside[np.abs(frame[beside] - frame[row]) <= 1]] = False
    return np.array(out, np.int64)
