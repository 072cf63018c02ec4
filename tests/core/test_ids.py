import numpy as np
import pytest

from cellgraph_clr._core.ids import order_of_pairs, rows_of


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
