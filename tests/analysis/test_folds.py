"""Folds that keep samples and blocks whole, and scores of what was left out."""

import numpy as np
import pytest
from scipy.special import log_softmax

from cellgraph_clr.analysis.folds import clear_gain, comparison_folds, drawn_rows, out_of_fold_scores


def cells(n=240, n_classes=4, n_samples=6, seed=0):
    rng = np.random.default_rng(seed)
    sample = np.array([f"s{k}" for k in rng.integers(n_samples, size=n)])
    return rng.integers(n_classes, size=n), sample, rng.uniform(size=(n, 2)) * 100


def times_tested(folds, n):
    return np.bincount(np.concatenate([test for _, test in folds.parts]), minlength=n)


@pytest.mark.parametrize("seed", range(3))
def test_no_sample_is_on_both_sides(seed):
    codes, sample, position = cells(seed=seed)
    folds = comparison_folds(codes, sample, position, seed=seed)
    assert folds.by == "sample"
    assert (times_tested(folds, len(codes)) == 1).all()
    for train, test in folds.parts:
        assert not set(sample[train]) & set(sample[test])
        assert set(codes[test]) <= set(codes[train])


def test_one_sample_is_left_out_by_blocks_that_stay_whole():
    codes, _, position = cells()
    folds = comparison_folds(codes, np.full(len(codes), "one"), position, seed=0)
    assert folds.by == "block"
    assert len(np.unique(folds.group)) == 20
    assert (times_tested(folds, len(codes)) == 1).all()
    for train, test in folds.parts:
        assert not set(folds.group[train]) & set(folds.group[test])
    for group in np.unique(folds.group):  # a block is one place
        assert np.ptp(position[folds.group == group], axis=0).max() < 60


def test_samples_with_types_of_their_own_are_left_out_by_blocks_within_them():
    codes, _, position = cells(n_classes=2)
    sample = np.where(codes == 0, "a", "b")
    folds = comparison_folds(codes, sample, position, seed=0)
    assert folds.by == "block"
    assert all(len(set(sample[folds.group == g])) == 1 for g in np.unique(folds.group))


def test_cells_without_positions_are_left_out_one_by_one():
    codes, _, _ = cells()
    folds = comparison_folds(codes, np.full(len(codes), ""), None, seed=0)
    assert folds.by == "cell"
    assert (times_tested(folds, len(codes)) == 1).all()


@pytest.mark.parametrize("n_each", [1, 2, 3])
def test_few_labels(n_each):
    codes = np.repeat(np.arange(5), n_each)
    position = np.random.default_rng(0).uniform(size=(len(codes), 2))
    folds = comparison_folds(codes, np.full(len(codes), ""), position, seed=0)
    if n_each == 1:
        assert folds is None
        return
    assert times_tested(folds, len(codes)).sum() >= len(codes) / 2
    assert all(set(codes[test]) <= set(codes[train]) for train, test in folds.parts)


def test_the_only_cell_of_a_class_is_never_tested():
    codes = np.append(np.arange(40) % 2, 2)
    folds = comparison_folds(codes, np.full(41, ""), np.random.default_rng(0).uniform(size=(41, 3)), seed=0)
    assert all(40 not in test for _, test in folds.parts)
    assert comparison_folds(np.zeros(0, int), np.zeros(0, str), None, seed=0) is None


def test_a_class_of_one_sample_is_not_tested_there():
    codes, sample, position = cells()
    codes[sample == "s0"] = 4
    folds = comparison_folds(codes, sample, position, seed=0)
    assert folds.by == "sample"
    times = times_tested(folds, len(codes))
    assert (times[codes == 4] == 0).all()
    assert (times[codes != 4] == 1).all()


def test_scores_are_those_of_the_temperature_of_the_other_folds():
    from cellgraph_clr.analysis.calibration import fit_temperature

    codes, sample, position = cells()
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(len(codes), 4)) + 2 * np.eye(4)[codes]
    folds = comparison_folds(codes, sample, position, seed=0)
    value, right = out_of_fold_scores(logits, codes, folds)
    for _, test in folds.parts:
        others = np.setdiff1d(np.arange(len(codes)), test)
        shown = log_softmax(logits[test] / fit_temperature(logits[others], codes[others]), axis=1)
        np.testing.assert_allclose(value[test], shown[np.arange(len(test)), codes[test]])
    np.testing.assert_array_equal(right, logits.argmax(1) == codes)
    bold, _ = out_of_fold_scores(7 * logits, codes, folds)  # how bold logits are does not matter
    np.testing.assert_allclose(bold, value, atol=1e-3)


def test_labels_of_a_fold_have_no_say_in_its_temperature():
    codes, sample, position = cells()
    logits = np.random.default_rng(1).normal(size=(len(codes), 4)) + 2 * np.eye(4)[codes]
    folds = comparison_folds(codes, sample, position, seed=0)
    value, _ = out_of_fold_scores(logits, codes, folds)
    test = folds.parts[0][1]
    other = codes.copy()
    other[test[1:]] = (codes[test[1:]] + 1) % 4
    changed, _ = out_of_fold_scores(logits, other, folds)
    assert changed[test[0]] == pytest.approx(value[test[0]], abs=1e-12)


def test_the_error_of_a_gain_knows_clusters():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 30)
    spread = []
    for _ in range(300):
        shared = rng.normal(size=20)[group]
        gain, error = clear_gain(shared + 0.1 * rng.normal(size=600), np.zeros(600), group)
        spread.append((gain, error))
    gains, errors = np.transpose(spread)
    assert np.mean(errors) == pytest.approx(gains.std(), rel=0.1)  # cell by cell it would be a fifth
    assert clear_gain(np.ones(4), np.zeros(4), np.zeros(4, int)) == (1.0, np.inf)
    value = np.array([np.nan, 1.0, 3.0])
    assert clear_gain(value, np.zeros(3), np.arange(3))[0] == 2.0


def test_rows_are_drawn_by_class():
    codes = np.repeat([0, 1, 2], [9000, 990, 10])
    rows = drawn_rows(codes, 1000, np.random.default_rng(0))
    assert (np.diff(rows) > 0).all()
    assert np.bincount(codes[rows]).tolist() == [900, 99, 5]
    np.testing.assert_array_equal(drawn_rows(codes, 10_000, np.random.default_rng(0)), np.arange(10_000))
