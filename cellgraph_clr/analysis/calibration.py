"""Is a confidence worth its number? Temperature scaling, expected calibration error, reliability bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from cellgraph_clr._core.checks import check_option, check_same_length, expected
from cellgraph_clr._core.errors import ShapeError

__all__ = ["Reliability", "expected_calibration_error", "fit_temperature", "reliability"]

LOG_TEMPERATURE_RANGE = (-4.0, 4.0)


def fit_temperature(logits: np.ndarray, codes: np.ndarray) -> float:
    """Return the temperature that minimises the negative log-likelihood of held-out labels.

    Parameters
    ----------
    logits : (n, k) of cells not trained on.
    codes : (n,) true class of each, 0 … k - 1.

    Returns
    -------
    Temperature in [exp(-4), exp(4)]; 1 for no cells.

    Raises
    ------
    ShapeError
        If both have different lengths.

    Notes
    -----
    The likelihood is unimodal in 1 / T; a bounded scalar search finds it. O(n k) an evaluation.
    Source: Guo et al. 2017, section 4.2.
    """
    check_same_length(len(logits), len(codes), what_a="logits", what_b="labels", remedy="Give one label per row.")
    if len(codes) == 0:
        return 1.0
    rows = np.arange(len(codes))

    def nll(log_t: float) -> float:
        return float(-log_softmax(logits / np.exp(log_t), axis=1)[rows, codes].mean())

    return float(np.exp(minimize_scalar(nll, bounds=LOG_TEMPERATURE_RANGE, method="bounded").x))


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Bins of confidence: mean confidence, accuracy and number of cells in each (bins without cells are left out)."""

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean of |accuracy - confidence| over cells; 0 for no cells."""
        total = self.count.sum()
        return float((self.count * np.abs(self.accuracy - self.confidence)).sum() / max(total, 1))


def reliability(
    confidence: np.ndarray, correct: np.ndarray, *, n_bins: int = 15, binning: str = "width"
) -> Reliability:
    """Return the reliability bins of top-label confidences.

    Parameters
    ----------
    confidence : (n,) in [0, 1].
    correct : (n,) bool.
    n_bins : number of bins.
    binning : "width" (equal width) or "mass" (equal number of cells).

    Raises
    ------
    ShapeError
        If both have different lengths, or a confidence is outside [0, 1].
    OptionError
        For another binning.
    """
    check_option("binning", binning, ("width", "mass"))
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, bool)
    check_same_length(len(confidence), len(correct), what_a="confidences", what_b="outcomes", remedy="One per cell.")
    if len(confidence) and not (confidence.min() >= 0 and confidence.max() <= 1 + 1e-6):
        raise ShapeError(expected("confidences in [0, 1]", (confidence.min(), confidence.max()), "Pass probabilities."))
    if binning == "width":
        which = np.ceil(confidence * n_bins).clip(1, n_bins).astype(int) - 1
    else:
        which = np.empty(len(confidence), int)
        which[np.argsort(confidence, kind="stable")] = np.arange(len(confidence)) * n_bins // max(len(confidence), 1)
    count = np.bincount(which, minlength=n_bins)
    used = count > 0
    mean_confidence = np.bincount(which, weights=confidence, minlength=n_bins)[used] / count[used]
    accuracy = np.bincount(which, weights=correct, minlength=n_bins)[used] / count[used]
    return Reliability(mean_confidence, accuracy, count[used])


def expected_calibration_error(
    proba: np.ndarray, codes: np.ndarray, *, n_bins: int = 15, binning: str = "width"
) -> float:
    """Return the top-label ECE of probabilities (n, k) against true classes (n,). Source: Naeini et al. 2015."""
    proba = np.asarray(proba, float)
    if len(proba) == 0:
        return 0.0
    return reliability(proba.max(axis=1), proba.argmax(axis=1) == codes, n_bins=n_bins, binning=binning).ece
