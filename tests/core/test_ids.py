import numpy as np
import pytest

from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr._core.ids import as_whole, order_of_pairs, rows_of


@pytest.mark.parametrize("far", [20, 2**62])  # dense ids use a table, sparse ones a search
def test_rows_of_ids_in_any_order(far):
    ids = np.array([7, far, 3, 5])
    wanted = np.array([[3, far], [4, 5], [far - 1, 7]])
    assert rows_of(ids, wanted).tolist() == [[2, 1], [-1, 3], [-1, 0]]


@pytest.mark.parametrize("far", [20, 2**62])
def test_rows_of_ids_that_no_cell_has(far):
    ids = np.array([7, far, 3, 5, 0])
    assert rows_of(ids, np.array([-1, far, -far, -5, 0, -(2**63)])).tolist() == [-1, 1, -1, -1, 4, -1]
    assert rows_of(ids, np.array([2**63, 2**64 - 1, far, 2**62 + 1], np.uint64)).tolist() == [-1, -1, 1, -1]
    assert rows_of(np.array([-2, 4]), np.array([-2, -1, 4])).tolist() == [0, -1, 1]


def test_rows_of_nothing():
    assert rows_of(np.zeros(0, np.int64), np.array([1, 2])).tolist() == [-1, -1]
    assert rows_of(np.array([1]), np.zeros((0, 2), np.int64)).shape == (0, 2)


@pytest.mark.parametrize("scale", [1, 2**40])
def test_order_of_pairs_is_that_of_lexsort(scale):
    pairs = np.random.default_rng(0).integers(0, 9, (200, 2)) * scale
    assert (order_of_pairs(pairs) == np.lexsort((pairs[:, 1], pairs[:, 0]))).all()
    assert len(order_of_pairs(pairs[:0])) == 0


@pytest.mark.parametrize(
    "values",
    [[0, 3], np.array([0, 3], np.uint8), np.array([0.0, 3]), np.array([0, 3.0], object), [0, np.int64(3)]],
)
def test_whole_numbers_are_taken_in_any_form(values):
    found = as_whole(values, "ids", remedy="")
    assert found.dtype == np.int64
    assert found.tolist() == [0, 3]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([np.inf, np.nan, 2]), "whole numbers in ids, found inf, nan. Do"),
        (np.array([1.5, 2]), "whole numbers in ids, found 1.5"),
        (["1", 2], "whole numbers in ids, found '1'"),
        (np.array([True]), "whole numbers in ids, found dtype bool"),
        (np.array([True], object), "whole numbers in ids, found True"),
        (np.array([[1]]), r"whole numbers in ids, found shape \(1, 1\)"),
        (np.array([2.0**53 + 2, 1]), r"ids up to 2\*\*53, .* found 9007199254740994.0"),
        (np.array([2**63 + 5], np.uint64), r"ids up to 2\*\*63 - 1, found 9223372036854775813"),
        ([2**70], r"ids up to 2\*\*63 - 1, found 1180591620717411303424"),
        (-np.arange(9), "ids of 0 and above, found -1, -2, -3, -4, -5 and 3 more"),
    ],
)
def test_the_first_that_are_not_whole_are_listed(values, said):
    with pytest.raises(CellGraphError, match=said):
        as_whole(values, "ids", remedy="Do.")


def test_whole_numbers_to_their_limits():
    assert as_whole(np.array([2.0**53]), "ids", remedy="").tolist() == [2**53]
    assert as_whole(np.array([2**63 - 1]), "ids", remedy="").tolist() == [2**63 - 1]
    assert as_whole([-4], "ids", low=None, remedy="").tolist() == [-4]
