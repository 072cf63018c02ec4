"""Calibration: a planted temperature, loops."""

import numpy as np
import pytest
import scipy

from cellgraph_clr import metrics
from cellgraph_clr._core.errors import ShapeError


def overconfident(rng, n=4000, factor=3.0):
    logits = rng.normal(size=(n, 4)) * 1.5
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    codes = (p.cumsum(1) < rng.random((n, 1))).sum(1)
    return logits * factor, codes, p


def test_the_planted_temperature_is_found(rng):
    logits, codes, _ = overconfident(rng)
    assert metrics.fit_temperature(logits, codes) == pytest.approx(3.0, rel=0.1)
    assert metrics.fit_temperature(np.zeros((0, 4)), np.zeros(0, int)) == 1.0


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_calibration_error_is_small_for_true_probabilities_only(rng, binning):
    logits, codes, p = overconfident(rng)
    sharp = np.exp(logits - logits.max(1, keepdims=True))
    sharp /= sharp.sum(1, keepdims=True)
    assert metrics.expected_calibration_error(p, codes, binning=binning) < 0.03
    assert metrics.expected_calibration_error(sharp, codes, binning=binning) > 0.15


def test_reliability_equals_a_loop(rng):
    confidence, correct = rng.random(500), rng.random(500) < 0.5
    bins = metrics.reliability(confidence, correct, n_bins=10)
    ece = 0.0
    for i in range(10):
        inside = (confidence > i / 10) & (confidence <= (i + 1) / 10)
        if inside.any():
            ece += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert bins.ece == pytest.approx(ece)
    assert bins.count.sum() == 500
    with pytest.raises(ShapeError, match=r"confidences in \[0, 1\]"):
        metrics.reliability(confidence + 1, correct)


def test_an_offset_is_added_after_the_temperature(rng):
    codes = (rng.random(20_000) < 0.05).astype(int)
    x = 2 * codes - 1 + rng.normal(size=20_000)  # one Gaussian a class: the log-likelihoods differ by 2 x
    logits, prior = np.stack([-x, x], axis=1), np.log([0.95, 0.05])
    assert metrics.fit_temperature(3 * logits, codes, offset=prior) == pytest.approx(3, rel=0.1)
    wrong = metrics.fit_temperature(3 * logits, codes, offset=np.array([0.0, 4.0]))
    assert wrong != pytest.approx(3, rel=0.3)


def test_wilsons_interval_is_that_of_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    from cellgraph_clr.analysis.calibration import wilson_interval

    n = np.array([1, 1, 3, 10, 40, 1000])
    successes = np.array([0, 1, 2, 5, 39, 17])
    reference = proportion_confint(successes, n, alpha=0.05, method="wilson")
    np.testing.assert_allclose(wilson_interval(successes, n, z=1.959963984540054), reference, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("ties", [True, False])
def test_risk_and_coverage_equal_a_loop_over_confidences(rng, ties):
    confidence, correct = rng.random(60), rng.random(60) < 0.6
    if ties:
        confidence = confidence.round(1)
    coverage, risk, area = metrics.risk_coverage(confidence, correct)
    limits = sorted(set(confidence), reverse=True)
    assert coverage.tolist() == [(confidence >= limit).mean() for limit in limits]
    np.testing.assert_allclose(risk, [(~correct[confidence >= limit]).mean() for limit in limits])
    each = [
        (~correct[confidence >= c]).mean() for c in confidence
    ]  # of cells that come together, the risk they come at
    assert area == pytest.approx(np.mean(each))


@pytest.mark.parametrize("n", [10, 40, 400])
def test_labels_told_apart_without_a_fault_promise_no_more_than_they_show(rng, n):
    """The rule of succession: n of n right, and the next one is with (n + 1) / (n + 2), whatever the logits are."""
    codes = rng.integers(3, size=n)
    for margin in (0.3, 3.0, 30.0):
        logits = margin * np.eye(3)[codes]
        logits[:, 2] -= 0.3 * margin * (codes != 2)  # a far class changes little
        proba = scipy.special.softmax(logits / metrics.fit_temperature(logits, codes), axis=1)
        assert 1 - proba[np.arange(n), codes].mean() == pytest.approx(1 / (n + 2), rel=0.25)
