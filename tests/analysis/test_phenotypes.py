"""Effect sizes and reproducibility: known values, missing ones, chance."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.analysis.phenotypes import effect_sizes, reproducibility


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
