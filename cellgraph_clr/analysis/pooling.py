"""Estimates of several samples as one, and differences between groups of samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Pooled", "false_discovery", "group_difference", "interval", "random_effects"]


class Pooled(NamedTuple):
    """Estimates (m,), their standard errors, degrees of freedom, samples that told, and the sd between samples."""

    estimate: np.ndarray
    error: np.ndarray
    dof: np.ndarray
    n_samples: np.ndarray
    spread: np.ndarray


def random_effects(estimate: np.ndarray, error: np.ndarray) -> Pooled:
    """Return the mean over samples, each weighted by the inverse of its own variance plus that between samples.

    Parameters
    ----------
    estimate, error : (samples, m); NaN where a sample tells nothing.

    Notes
    -----
    Variance between samples after DerSimonian and Laird (1986); error and t interval with samples - 1 degrees of freedom after
    Hartung and Knapp (2001), their factor never below 1 (Röver, Knapp and Friede 2015): intervals cover too much where samples
    hardly differ. With one sample it is that sample, and
    has no error: a difference between samples cannot be told. NaN without any.
    """
    told = np.isfinite(estimate) & np.isfinite(error)
    n = told.sum(axis=0)
    y = np.where(told, estimate, 0.0)
    variance = np.where(told, error, 1.0) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        w = told / variance
        fixed = (w * y).sum(axis=0) / w.sum(axis=0)
        q = (w * (y - fixed) ** 2).sum(axis=0)
        between = np.maximum(q - (n - 1), 0) / (w.sum(axis=0) - (w**2).sum(axis=0) / w.sum(axis=0))
        between = np.where(n > 1, between, 0.0)
        w = told / (variance + between)
        mean = (w * y).sum(axis=0) / w.sum(axis=0)
        factor = np.maximum((w * (y - mean) ** 2).sum(axis=0) / (n - 1), 1.0)
        error_of_mean = np.sqrt(factor / w.sum(axis=0))
    several = n > 1
    return Pooled(
        estimate=np.where(n > 0, mean, np.nan),
        error=np.where(several, error_of_mean, np.nan),
        dof=np.where(several, n - 1.0, np.nan),
        n_samples=n,
        spread=np.where(several, np.sqrt(between), np.nan),
    )


def group_difference(a: Pooled, b: Pooled) -> Pooled:
    """Return b minus a: errors add as variances, degrees of freedom after Welch (1947). `spread` is NaN."""
    variance = a.error**2 + b.error**2
    with np.errstate(invalid="ignore", divide="ignore"):
        dof = variance**2 / (a.error**4 / a.dof + b.error**4 / b.dof)
    estimate = np.where(np.isfinite(variance), b.estimate - a.estimate, np.nan)
    n = np.minimum(a.n_samples, b.n_samples)
    return Pooled(estimate, np.sqrt(variance), dof, n, np.full(len(estimate), np.nan))


def interval(
    estimate: np.ndarray, error: np.ndarray, dof: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lower and upper ends (m,) of t intervals and the two-sided p-values of 0; NaN where there is no error."""
    from scipy.stats import t

    reach = t.ppf((1 + confidence) / 2, dof) * error
    return estimate - reach, estimate + reach, 2 * t.sf(np.abs(estimate / error), dof)


def false_discovery(p_value: np.ndarray) -> np.ndarray:
    """Return p-values adjusted after Benjamini and Hochberg (1995) among those that are finite; NaN stays."""
    from scipy.stats import false_discovery_control

    out = np.full(len(p_value), np.nan)
    known = np.isfinite(p_value)
    if known.any():
        out[known] = false_discovery_control(p_value[known])
    return out
