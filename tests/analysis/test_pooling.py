"""Pooling: a worked example, coverage of the mean over samples, one sample, differences, Benjamini and Hochberg by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_ind

from cellgraph_clr.analysis.pooling import false_discovery, group_difference, interval, random_effects


def test_equal_errors_give_the_mean_and_its_standard_error():
    y = np.array([[1.0], [2.0], [4.0], [7.0]])
    found = random_effects(y, np.full_like(y, 0.1))
    assert found.estimate[0] == pytest.approx(3.5)
    assert found.error[0] == pytest.approx(y.std(ddof=1) / 2)
    assert found.dof[0] == 3
    assert found.spread[0] ** 2 == pytest.approx(y.var(ddof=1) - 0.01)


def test_der_simonian_and_laird_by_their_formula():
    y, se = np.array([0.1, 0.9, 0.4, 1.6]), np.array([0.2, 0.3, 0.1, 0.5])
    w = se**-2.0
    q = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
    between = max(0, (q - 3) / (w.sum() - (w**2).sum() / w.sum()))
    w = 1 / (se**2 + between)
    mean = (w * y).sum() / w.sum()
    factor = max(1, (w * (y - mean) ** 2).sum() / 3)
    found = random_effects(y[:, None], se[:, None])
    assert found.estimate[0] == pytest.approx(mean)
    assert found.error[0] == pytest.approx(np.sqrt(factor / w.sum()))


def test_samples_that_agree_are_weighted_by_their_precision():
    y, se = np.array([[1.0], [1.02]]), np.array([[0.1], [0.2]])
    found = random_effects(y, se)
    assert found.estimate[0] == pytest.approx((1.0 / 0.01 + 1.02 / 0.04) / (1 / 0.01 + 1 / 0.04))
    assert found.error[0] == pytest.approx((1 / 0.01 + 1 / 0.04) ** -0.5)  # the factor is not below 1


def test_what_is_missing_is_left_out():
    y = np.array([[1.0, np.nan, np.nan], [2.0, 3.0, np.nan], [3.0, np.nan, np.nan]])
    found = random_effects(y, np.full_like(y, 0.5))
    np.testing.assert_array_equal(found.n_samples, [3, 1, 0])
    np.testing.assert_allclose(found.estimate, [2, 3, np.nan])
    np.testing.assert_array_equal(np.isfinite(found.error), [True, False, False])


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_intervals_cover_the_mean_of_samples(spread):
    rng = np.random.default_rng(0)
    se = rng.uniform(0.1, 0.6, (8, 3000))
    y = 0.3 + rng.normal(0, spread, se.shape) + rng.normal(0, se)
    found = random_effects(y, se)
    low, high, p = interval(found.estimate, found.error, found.dof, 0.95)
    covered = ((low < 0.3) & (high > 0.3)).mean()
    assert 0.93 < covered < 0.995
    assert low[0] == pytest.approx(2 * found.estimate[0] - high[0])
    narrow = interval(found.estimate, found.error, found.dof, 0.5)
    assert (narrow[1] - narrow[0] < high - low).all()


def test_a_difference_is_welchs_where_errors_are_small():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, (6, 1)), rng.normal(1, 2, (9, 1))
    tiny = 1e-4
    found = group_difference(random_effects(a, np.full_like(a, tiny)), random_effects(b, np.full_like(b, tiny)))
    low, high, p = interval(found.estimate, found.error, found.dof, 0.95)
    want = ttest_ind(b[:, 0], a[:, 0], equal_var=False)
    assert p[0] == pytest.approx(want.pvalue, rel=1e-4)
    assert found.dof[0] == pytest.approx(want.df, rel=1e-4)
    assert found.estimate[0] == pytest.approx(b.mean() - a.mean(), rel=1e-6)
    one = group_difference(random_effects(a[:1], a[:1] * 0 + 1), random_effects(b, b * 0 + 1))
    assert np.isnan([one.estimate[0], one.error[0]]).all()


def test_false_discovery_of_benjamini_and_hochberg():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    np.testing.assert_allclose(false_discovery(p), [0.04, np.nan, 0.16 / 3, 0.16 / 3, 0.5])
    assert np.isnan(false_discovery(np.array([np.nan]))).all()
