"""Phenotypes: effect sizes, assignments, confusion, reproducibility: known values, missing ones, chance."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr.analysis.phenotypes import assignments, confusion, effect_sizes, reproducibility, sphering


def test_effect_sizes_are_differences_in_standard_deviations(rng):
    groups = np.repeat(["a", "b"], 5000)
    values = rng.normal(size=(10_000, 3)) * (1, 10, 1) + np.where(groups == "a", 0, 1)[:, None] * (2, -5, 0)
    values[::7, 0] = np.nan
    table = effect_sizes(values, groups, ["area", "light", "none"])
    np.testing.assert_allclose(table.loc["b"], [2, -0.5, 0], atol=0.06)
    np.testing.assert_allclose(table.loc["a"], -table.loc["b"])


def test_groups_of_one_and_constants_have_none():
    table = effect_sizes(np.array([[1.0, 3], [2, 3], [4, 3]]), np.array(["a", "a", "b"]), ["x", "y"])
    assert np.isnan(table.to_numpy()).all()
    with pytest.raises(ShapeError):
        effect_sizes(np.zeros((3, 1)), np.array(["a"]), ["x"])


def test_samples_come_back_or_do_not(rng):
    samples = np.repeat(np.arange(10), 4)
    near, chance = reproducibility(rng.normal(size=(10, 8))[samples] * 5 + rng.normal(size=(40, 8)) * 0.1, samples)
    assert near == pytest.approx(1)
    assert chance == pytest.approx(3 / 39)
    far, _ = reproducibility(rng.normal(size=(40, 8)), samples)
    assert far < 0.3
    assert reproducibility(np.zeros((0, 3)), np.zeros(0)) == (0, 0)


def test_groups_are_assigned_by_the_mean_of_their_windows():
    proba = pd.DataFrame({"0": [0.9, 0.2, 0.3, 0.5], "1": [0.1, 0.8, 0.7, 0.5]})
    groups = np.array(["a", "a", "b", "c"])
    table = assignments(proba, groups)
    np.testing.assert_allclose(table.loc["a", ["0", "1"]].to_numpy(float), [0.55, 0.45])
    assert table["phenotype"].tolist() == ["0", "1", "0"]
    assert table["n"].tolist() == [2, 1, 1]
    weighted = assignments(proba, groups, weights=np.array([0.1, 0.9, 1, 0]))
    assert weighted["phenotype"].tolist() == ["1", "1", ""]
    assert weighted.loc["c", ["0", "1"]].isna().all()
    assert assignments(proba.iloc[:0], np.zeros(0)).empty
    with pytest.raises(ShapeError, match="rows"):
        assignments(proba, groups[:2])
    with pytest.raises(OptionError, match="weights of 0 or above"):
        assignments(proba, groups, weights=np.array([1, 1, -1, 1]))


def test_confusion_puts_matches_on_the_diagonal():
    known = np.repeat(["x", "y", "z"], [5, 4, 3])
    found = np.array(["2", "2", "2", "2", "0", "0", "0", "0", "0", "1", "1", "3"])
    table = confusion(found, known)
    assert table.columns.tolist() == ["2", "0", "1", "3"]
    np.testing.assert_array_equal(table.to_numpy(), [[4, 1, 0, 0], [0, 4, 0, 0], [0, 0, 2, 1]])
    assert confusion(np.zeros(0), np.zeros(0)).empty
    with pytest.raises(ShapeError, match="conditions"):
        confusion(found, known[:3])


def test_sphered_samples_vary_alike_in_all_directions(rng):
    samples = np.repeat(np.arange(30), 40)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    vectors = (rng.normal(size=(30, 5))[samples] + rng.normal(size=(1200, 5)) * (10, 5, 0.2, 0.2, 0.2)) @ turn
    mean, matrix = sphering(vectors, samples)
    found = (vectors - mean) @ matrix
    within = found - np.stack([found[samples == s].mean(axis=0) for s in range(30)])[samples]
    spread = np.linalg.eigvalsh(np.cov(within.T))  # from 0.04 to 100 before; the least are shrunk
    assert spread.max() / spread.min() < 4
    assert spread.max() == pytest.approx(1, abs=0.1)
    assert reproducibility(found, samples)[0] > 2 * reproducibility(vectors, samples)[0]
    mean, matrix = sphering(vectors, np.arange(1200))
    np.testing.assert_allclose(((vectors - mean) @ matrix).std(axis=0), 1)


def test_effect_sizes_of_few_rows_are_cohens_d(rng):
    values, groups = rng.normal(size=(9, 2)), np.repeat(["a", "b", "c"], [2, 3, 4])
    values[7, 1] = np.nan
    table = effect_sizes(values, groups, ["x", "y"])
    for name in "abc":
        for j, column in enumerate("xy"):
            own, others = (v[~np.isnan(v)] for v in (values[groups == name, j], values[groups != name, j]))
            n, m = len(own), len(others)
            pooled = np.sqrt(((n - 1) * own.var(ddof=1) + (m - 1) * others.var(ddof=1)) / (n + m - 2))
            assert table.loc[name, column] == pytest.approx((own.mean() - others.mean()) / pooled)


def test_sphering_leaves_columns_that_never_vary(rng):
    samples = np.repeat(np.arange(10), 5)
    vectors = np.column_stack([rng.normal(size=(50, 2)), np.full(50, 3.0)])
    for names in (samples, np.arange(50)):
        mean, matrix = sphering(vectors, names)
        found = (vectors - mean) @ matrix
        assert np.isfinite(matrix).all()
        assert np.linalg.matrix_rank(found - found[0]) == 2
