"""Is a confidence worth its number? Temperature scaling, expected calibration error, reliability bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, check_option, check_same_length, check_whole, expected
from cellgraph_clr._core.errors import OptionError, ShapeError

__all__ = [
    "Reliability",
    "classwise_calibration_error",
    "expected_calibration_error",
    "fit_temperature",
    "reliability",
    "risk_coverage",
    "wilson_interval",
]

CLASSES = "Leave cells without a class (-1) out."
LOG_TEMPERATURE_RANGE = (-4.0, 4.0)


def true_classes(table: np.ndarray, codes: np.ndarray, *, what: str = "probabilities") -> np.ndarray:
    """Return classes (n,) int64 of the rows of a table (n, k).

    Raises `ShapeError` for other shapes, `NonFiniteError` for NaN in the table, `OptionError` unless they are whole numbers from
    0 to k - 1.
    """
    found, given = np.asarray(table), np.asarray(codes)
    if found.ndim != 2 or given.ndim != 1:
        raise ShapeError(
            expected(f"{what} (n, k) and classes (n,)", f"{found.shape}, {given.shape}", "One row per cell.")
        )
    check_same_length(len(found), len(given), what_a=what, what_b="labels", remedy="One per cell.")
    check_finite(found, what=what, remedy="Leave these cells out.")
    if len(given) and (given.dtype.kind not in "iub" or given.min() < 0 or given.max() >= found.shape[1]):
        raise OptionError(expected(f"classes from 0 to {found.shape[1] - 1}", f"others ({given.dtype})", CLASSES))
    return given.astype(np.int64)


@checked
def fit_temperature(logits: np.ndarray, codes: np.ndarray, *, offset: np.ndarray | None = None) -> float:
    """Return the temperature that minimises the negative log-likelihood of held-out labels, each of which may be wrong.

    Parameters
    ----------
    logits : numpy.ndarray
        (n, k) of cells not trained on.
    codes : numpy.ndarray
        (n,) true class of each, 0 … k - 1.
    offset : numpy.ndarray or None, default None
        (k,) added to the logits after they are divided, e.g. log prior ratios of classes that were drawn unevenly.

    Returns
    -------
    float
        Temperature in [exp(-4), exp(4)]; 1 for no cells or a single class.

    Raises
    ------
    ShapeError
        If both have different lengths.

    Notes
    -----
    With n cells the true class is aimed at with ``(n + 1) / (n + 2)``, not 1: labels that are told apart without a fault, as
    few of them often are, would else ask for a temperature of 0 and promise what n cells cannot show. A bounded scalar search;
    O(n k) an evaluation.
    Source: Guo et al. 2017, section 4.2 (the temperature); Platt 1999, section 2.1 (the targets), here for the true class
    against all others.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> logits = np.array([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 0.0]])
    >>> cgc.metrics.fit_temperature(logits, np.array([0, 1, 1, 0])) > 1  # too sure of itself
    True
    """
    codes = true_classes(logits, codes, what="logits")
    n, k = np.shape(logits)
    if n == 0 or k < 2:
        return 1.0
    own = np.zeros((n, k), bool)
    own[np.arange(n), codes] = True
    shift = 0.0 if offset is None else offset
    doubt = 1 / (n + 2)

    def nll(log_t: float) -> float:
        z = np.asarray(logits) / np.exp(log_t) + shift
        true, others = z[own], logsumexp(np.where(own, -np.inf, z), axis=1)
        return float(np.logaddexp(true, others).mean() - (1 - doubt) * true.mean() - doubt * others.mean())

    return float(np.exp(minimize_scalar(nll, bounds=LOG_TEMPERATURE_RANGE, method="bounded").x))


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Bins of confidence: mean confidence, accuracy and number of cells in each (bins without cells are left out).

    Parameters
    ----------
    confidence : numpy.ndarray
        (b,) mean confidence of each bin.
    accuracy : numpy.ndarray
        (b,) share of correct answers in it.
    count : numpy.ndarray
        (b,) cells in it.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> bins = cgc.metrics.reliability(np.array([0.9, 0.8, 0.6]), np.array([True, True, False]), n_bins=5)
    >>> bins.count.tolist()
    [1, 1, 1]
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean over cells of the gap between accuracy and confidence; 0 for no cells.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> bins = cgc.metrics.reliability(np.array([0.75, 0.75, 0.75, 0.75]), np.array([True, True, False, False]))
        >>> bins.ece  # 0.75 said, 0.5 true
        0.25
        """
        total = self.count.sum()
        return float((self.count * np.abs(self.accuracy - self.confidence)).sum() / max(total, 1))


@checked
def reliability(
    confidence: np.ndarray, correct: np.ndarray, *, n_bins: int = 15, binning: str = "width"
) -> Reliability:
    """Return the reliability bins of top-label confidences.

    Parameters
    ----------
    confidence : numpy.ndarray
        (n,) in [0, 1].
    correct : numpy.ndarray
        (n,) bool.
    n_bins : int, default 15
        Number of bins.
    binning : str, default "width"
        "width" (equal width) or "mass" (equal number of cells).

    Returns
    -------
    Reliability
        The reliability bins of top-label confidences.

    Raises
    ------
    ShapeError
        If both have different lengths, or a confidence is outside [0, 1].
    OptionError
        For another binning, or less than one bin.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> bins = cgc.metrics.reliability(np.array([0.9, 0.8, 0.6]), np.array([True, True, False]), n_bins=5)
    >>> bins.count.tolist()
    [1, 1, 1]
    """
    check_option("binning", binning, ("width", "mass"))
    check_whole("n_bins", n_bins, high=2**20)
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


def wilson_interval(successes: np.ndarray, n: np.ndarray, *, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds (m,) of a share, `successes` of `n` > 0; 95 % for the default `z`.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    n = np.asarray(n, float)
    share = np.asarray(successes, float) / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half


@checked
def expected_calibration_error(
    proba: np.ndarray, codes: np.ndarray, *, n_bins: int = 15, binning: str = "width"
) -> float:
    """Return the top-label ECE of probabilities (n, k) against true classes (n,); 0 for no cells.

    Raises `ShapeError` for different lengths, `OptionError` for another binning. Source: Naeini et al. 2015.

    Parameters
    ----------
    proba : numpy.ndarray
        (n, k) rows that sum to 1.
    codes : numpy.ndarray
        (n,) true classes, 0 to k - 1.
    n_bins : int, default 15
        Number of bins.
    binning : str, default "width"
        As in `reliability`.

    Returns
    -------
    float
        The top-label ECE of probabilities (n, k) against true classes (n,).

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> proba = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    >>> codes = np.array([0, 1, 1, 0])
    >>> round(float(cgc.metrics.expected_calibration_error(proba, codes)), 3)
    0.3
    """
    proba = np.asarray(proba, float)
    codes = true_classes(proba, codes)
    if len(proba) == 0:
        return 0.0
    return reliability(proba.max(axis=1), proba.argmax(axis=1) == codes, n_bins=n_bins, binning=binning).ece


@checked
def classwise_calibration_error(
    proba: np.ndarray, codes: np.ndarray, *, n_bins: int = 15, binning: str = "width"
) -> np.ndarray:
    """Return the calibration error (k,) of the probability of each class, whether it is the largest or not.

    `proba` (n, k), `codes` (n,). 0 for no cells. Source: Kull et al. 2019, eq. 3 (their classwise ECE is the mean).

    Parameters
    ----------
    proba : numpy.ndarray
        (n, k) rows that sum to 1.
    codes : numpy.ndarray
        (n,) true classes, 0 to k - 1.
    n_bins : int, default 15
        Number of bins.
    binning : str, default "width"
        As in `reliability`.

    Returns
    -------
    numpy.ndarray
        The calibration error (k,) of the probability of each class, whether it is the largest or not.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> proba = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    >>> codes = np.array([0, 1, 1, 0])
    >>> cgc.metrics.classwise_calibration_error(proba, codes).shape
    (2,)
    """
    proba = np.asarray(proba, float)
    codes = true_classes(proba, codes)
    return np.array(
        [reliability(p, codes == c, n_bins=n_bins, binning=binning).ece for c, p in enumerate(proba.T.clip(0, 1))]
    )


@checked
def risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return, for every number of cells kept by falling confidence, the share kept, the error among them, and the mean error.

    Parameters
    ----------
    confidence : numpy.ndarray
        (n,) cells of equal confidence come or go together.
    correct : numpy.ndarray
        (n,) bool.

    Returns
    -------
    tuple of numpy.ndarray, numpy.ndarray, float
        Coverage (m,), risk (m,) at the m different confidences, and the area under the curve (AURC); 0 for no cells.

    Raises
    ------
    ShapeError
        If both have different lengths.

    Notes
    -----
    Source: Geifman and El-Yaniv 2017; AURC as the mean risk over cells.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> coverage, risk, area = cgc.metrics.risk_coverage(np.array([0.9, 0.8, 0.6]), np.array([True, True, False]))
    >>> risk.round(2).tolist()
    [0.0, 0.0, 0.33]
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, bool)
    check_same_length(len(confidence), len(correct), what_a="confidences", what_b="outcomes", remedy="One per cell.")
    n = len(confidence)
    if n == 0:
        return np.zeros(0), np.zeros(0), 0.0
    order = np.argsort(-confidence, kind="stable")
    last = np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True))
    kept = last + 1
    risk = np.cumsum(~correct[order])[last] / kept
    return kept / n, risk, float((risk * np.diff(kept, prepend=0)).sum() / n)
