"""Numbers at the door: what is none is named, and what float32 cannot hold or tell apart."""

import warnings

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import CellGraphError, NonFiniteError
from cellgraph_clr._core.numbers import as_float32, as_numbers


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "?", "O"])
def test_numbers_of_any_kind_are_taken(dtype):
    given = np.array([[1, 0], [0, 1]], dtype)
    found = as_numbers(given, "features")
    assert found.dtype == (np.float64 if dtype == "O" else dtype)
    np.testing.assert_array_equal(found, [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    "given", [["a"], [1 + 1j], [[1], [1, 2]], pd.to_datetime(["2020"]), np.array([None, "x"], object)]
)
def test_what_is_no_number_is_named(given):
    with pytest.raises(CellGraphError, match="numbers as features of X"):
        as_numbers(given, "features of X")


def test_float32_is_taken_as_it_is():
    given = np.ones((2, 1), np.float32)
    assert as_float32(given, ["a"]) is given
    assert as_float32(np.ones((2, 1), np.float16), ["a"]).dtype == np.float32


def test_values_beyond_float32_are_named_and_infinities_stay():
    with pytest.raises(NonFiniteError, match=r"features up to 3.4e\+38.*larger ones in b\. "):
        as_float32(np.array([[1.0, 1e39], [np.nan, 0]]), ["a", "b"])
    assert np.isinf(as_float32(np.array([[np.inf]]), ["a"])[0, 0])


@pytest.mark.parametrize(
    "column",
    [
        1e9 + np.linspace(0, 1, 9),
        2**40 + np.arange(4),
        2**62 + np.arange(4),
        np.append(1e9 + np.linspace(0, 1, 9), np.nan),
    ],
    ids=["offset", "whole", "large", "with NaN"],
)
def test_values_that_become_one_are_warned_of_by_name(column):
    other = np.linspace(0, 1, len(column)).astype(column.dtype)
    with pytest.warns(UserWarning, match="several that differ in b. Subtract") as seen:
        as_float32(np.stack([other, column], axis=1), ["a", "b"])
    assert [w.filename for w in seen] == [__file__]


@pytest.mark.parametrize(
    "column",
    [
        np.random.default_rng(0).normal(size=10_000) * 1e6,  # some merge, all within a thousandth of the spread
        np.arange(2**24, 2**24 + 100_000),
        0.7 + 1e-16 * np.arange(9),  # equal but for the rounding of sums
        np.full(5, 1e9),
        np.array([np.nan, np.nan]),
        np.array([np.inf, -np.inf]),
    ],
    ids=["many", "counts", "rounding", "constant", "NaN", "infinite"],
)
def test_rounding_that_does_no_harm_is_not_warned_of(column):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_float32(column[:, None], ["a"])
