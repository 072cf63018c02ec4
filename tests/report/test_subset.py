"""Samples of cells keep rare classes; orders keep neighbors near."""

import numpy as np

from cellgraph_clr._report.subset import LEAST, chosen_rows, near_in_order


def test_rare_classes_stay(rng):
    codes = np.r_[np.zeros(50_000, int), np.ones(40, int), np.full(900, 2), np.full(60, -1)]
    other = rng.integers(0, 3, len(codes))
    rows = chosen_rows(len(codes), [codes, other], 5000, rng)
    assert len(rows) == len(np.unique(rows)) == 5000
    assert (np.diff(rows) > 0).all()
    count = np.bincount(codes[rows][codes[rows] >= 0])
    assert count[1] == 40
    assert count[2] >= LEAST
    assert count[0] > 4000


def test_what_is_not_kept_is_drawn_alike(rng):
    codes = np.repeat([0, 1], [30_000, 10_000])
    rows = chosen_rows(40_000, [codes], 8000, rng)
    assert abs((codes[rows] == 1).mean() - 0.25) < 0.03


def test_few_cells_are_all_kept_and_many_classes_fit(rng):
    np.testing.assert_array_equal(chosen_rows(10, [], 10, rng), np.arange(10))
    assert len(chosen_rows(5000, [np.arange(5000)], 100, rng)) == 100


def test_a_seed_is_an_answer():
    codes = np.arange(1000) % 7
    one, two, other = (chosen_rows(1000, [codes], 300, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_neighbors_are_near_in_the_order(rng):
    from scipy.spatial import cKDTree

    for ndim in (2, 3):
        xyz = rng.random((3000, ndim))
        order = near_in_order(xyz, np.zeros(3000, int))
        assert sorted(order) == list(range(3000))
        place = np.argsort(order)
        near = cKDTree(xyz).query(xyz, 2)[1][:, 1]
        assert np.median(np.abs(place - place[near])) < 0.02 * 3000


def test_images_stay_together_and_odd_places_pass(rng):
    xyz = rng.random((50, 2))
    xyz[3] = np.nan
    image = rng.integers(0, 3, 50)
    assert (np.diff(image[near_in_order(xyz, image)]) >= 0).all()
    assert len(near_in_order(np.zeros((0, 2)), np.zeros(0, int))) == 0
