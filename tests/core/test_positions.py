"""Positions at the door: arrays and tables of numbers are taken, others named; extents whose distances are lost too."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from cellgraph_clr._core.errors import CellGraphError, GeometryError, NonFiniteError, ShapeError
from cellgraph_clr._core.positions import FARTHEST, NEAREST, as_positions, check_positions


@pytest.mark.parametrize("d", [2, 3])
def test_arrays_and_tables_of_two_or_three_coordinates_are_taken(d):
    given = np.arange(4 * d).reshape(4, d)
    for values in (given, pd.DataFrame(given), given.astype(object), given.tolist()):
        found = as_positions(values)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 4), (4, 2, 1), (0, 0)])
def test_other_shapes_are_named(shape):
    with pytest.raises(ShapeError, match=r"places of shape \(n, 2\) or \(n, 3\)"):
        as_positions(np.zeros(shape), "places")


@pytest.mark.parametrize("given", [csr_matrix(np.eye(2)), [["a", "b"]], np.ones((2, 2)) * 1j])
def test_what_is_no_array_of_numbers_is_named(given):
    with pytest.raises(CellGraphError, match="places"):
        as_positions(given, "places")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_positions_are_finite(value):
    with pytest.raises(NonFiniteError, match="positions, found 1 values"):
        check_positions(np.array([[0, value], [1, 1]]))


@pytest.mark.parametrize("extent", [2 * FARTHEST, 1e200, 1.7e308, NEAREST / 2, 1e-200])
def test_extents_whose_distances_are_lost_are_named(extent):
    with pytest.raises(GeometryError, match="extent between 1e-31 and 1e"):
        check_positions(np.array([[0, -extent / 2], [1e-300, extent / 2]]))


@pytest.mark.parametrize("extent", [0, NEAREST, 1, FARTHEST])
def test_extents_with_distances_pass(extent):
    check_positions(np.array([[0, 0], [0, extent]]))
    check_positions(np.zeros((0, 2)))
