"""Nuclei go to the cell that holds most of them."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.cells.compartments import match_nuclei


def test_most_of_a_nucleus_decides():
    cells = np.array([[1, 1, 1, 2, 2, 0, 0]])
    nuclei = np.array([[0, 9, 9, 9, 4, 7, 7]])
    ids, inside, share = match_nuclei(cells, nuclei)
    assert ids.tolist() == [4, 7, 9]
    assert inside.tolist() == [2, 0, 1]
    np.testing.assert_allclose(share, [1, 1, 2 / 3])


def test_no_nucleus_gives_nothing():
    assert [len(x) for x in match_nuclei(np.ones((2, 2), int), np.zeros((2, 2), int))] == [0, 0, 0]


def test_other_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"shape of the cells \(2, 2\), found \(2, 3\)"):
        match_nuclei(np.ones((2, 2), int), np.ones((2, 3), int))
