"""Nearest and near points against all distances: even, gridded, flat, clustered and coincident sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellgraph_clr.graphs import proximity
from cellgraph_clr.graphs.proximity import nearest_lists, radius_lists

SETS = {
    "even": lambda rng, n, d: rng.random((n, d)),
    "grid with ties and doubles": lambda rng, n, d: rng.integers(0, 4, (n, d)).astype(float),
    "flat": lambda rng, n, d: np.c_[rng.random((n, 1)), np.zeros((n, d - 1))],
    "clustered": lambda rng, n, d: rng.random((n, d)) ** 6 * [1, 1000, 1][:d],
    "one point": lambda rng, n, d: np.ones((n, d)),
}


def all_distances(x):
    full = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))
    np.fill_diagonal(full, np.inf)
    return full


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(SETS)), st.integers(2, 3), st.integers(12, 150), st.integers(1, 11), st.integers(0, 99))
def test_equal_all_distances(kind, d, n, k, seed):
    rng = np.random.default_rng(seed)
    x = SETS[kind](rng, n, d)
    full = all_distances(x)
    index, distance = nearest_lists(x, k)
    np.testing.assert_allclose(distance, np.sort(full, axis=1)[:, :k], atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(full, index.astype(int), 1), distance, atol=1e-6, rtol=1e-6)
    radius = float(rng.choice([0.05, 0.3, 1.0, 5.0]))
    indptr, rows, lengths = radius_lists(x, radius)
    where = np.nonzero(full <= radius)
    np.testing.assert_array_equal(np.repeat(np.arange(n), np.diff(indptr)), where[0])
    np.testing.assert_array_equal(rows, where[1])
    np.testing.assert_allclose(lengths, full[where], rtol=1e-6)


def test_the_tree_gives_the_same_distances(monkeypatch, rng):
    x = rng.random((400, 2))
    _, grid = nearest_lists(x, 7)
    monkeypatch.setattr(proximity, "CROWDED", 0)
    index, tree = nearest_lists(x, 7)
    np.testing.assert_allclose(tree, grid, rtol=1e-6)
    assert (index != np.arange(400)[:, None]).all()


def test_threads_change_nothing(rng):
    x = np.round(rng.random((5000, 3)), 1)
    for one, two in zip(nearest_lists(x, 5, n_jobs=1), nearest_lists(x, 5, n_jobs=2), strict=True):
        np.testing.assert_array_equal(one, two)


def test_of_equally_far_points_the_lower_rows_come_first():
    x = np.array([[0.0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    assert nearest_lists(x, 2)[0][0].tolist() == [1, 2]


def test_no_points():
    assert [len(a) for a in radius_lists(np.zeros((0, 2)), 1.0)] == [1, 0, 0]
    with pytest.raises(ValueError):
        nearest_lists(np.zeros((0, 2)), 1)
