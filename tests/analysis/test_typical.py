"""Typical members of groups, and rows along a range."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis.typical import rows_along, typical_rows


def test_typical_is_the_middle_of_the_group(rng):
    codes = np.repeat([0, 1, 2], 50)
    vectors = np.eye(3)[codes] * 5 + rng.normal(size=(150, 3))
    vectors[[10, 60, 110]] = np.eye(3) * 5
    found = typical_rows(vectors, codes, 3)
    assert [len(f) for f in found] == [3, 3, 3]
    assert all((codes[f] == i).all() for i, f in enumerate(found))
    assert all(member in typical_rows(vectors, codes, 12)[i] for i, member in enumerate((10, 60, 110)))


def test_groups_may_be_small_empty_or_none():
    found = typical_rows(np.array([[0.0, 1], [1, 0], [1, 1]]), np.array([2, 0, -1]), 5)
    assert [f.tolist() for f in found] == [[1], [], [0]]
    assert typical_rows(np.zeros((0, 2)), np.zeros(0, int), 5) == []


def test_rows_lie_along_the_range_and_nan_is_left_out(rng):
    values = rng.permutation(101).astype(float)
    assert values[rows_along(values, 3)].tolist() == [5, 50, 95]
    values[values == 50] = np.nan
    assert np.isfinite(values[rows_along(values, 7)]).all()
    assert rows_along(np.array([3.0, np.nan, 1.0]), 5).tolist() == [2, 0]
    assert rows_along(values, 1).shape == (1,)
    with pytest.raises(OptionError):
        rows_along(values, 0)
