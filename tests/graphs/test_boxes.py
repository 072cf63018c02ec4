"""Boxes near one another against all pairs, and how many pairs are looked at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellgraph_clr.graphs.boxes import candidate_pairs, near_boxes


def by_all_pairs(low, high, reach):
    gap = np.maximum(np.maximum(low[:, None] - high[None], low[None] - high[:, None]), 0)
    near = np.linalg.norm(gap, axis=-1) <= reach * (1 + 1e-9)
    return {(a, b) for a, b in np.argwhere(near).tolist() if a < b}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999), st.integers(2, 3), st.sampled_from([0.5, 1.0, 7.0]), st.booleans())
def test_equal_all_pairs(seed, d, reach, whole):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    low, side = rng.random((n, d)) * 30, rng.exponential(2.0, (n, d)) ** 2
    if whole:  # many exact ties, and boxes with one centre
        low, side = np.rint(low / 3) * 3, 2 * np.rint(side / 2)
    found = near_boxes(low, low + side, reach)
    assert len(found) == len({tuple(sorted(p)) for p in found.tolist()})
    assert {tuple(sorted(p)) for p in found.tolist()} == by_all_pairs(low, low + side, reach)


def grid_of_boxes(n, d):
    low = np.stack(np.meshgrid(*[np.arange(n) * 10.0] * d, indexing="ij"), -1).reshape(-1, d)
    return low, low + 7.0


@pytest.mark.parametrize(("n", "d"), [(20, 2), (60, 2), (6, 3), (14, 3)])
def test_a_cell_across_the_image_meets_all_others_and_they_do_not(n, d):
    low, high = grid_of_boxes(n, d)
    alone = sum(map(len, candidate_pairs(low, high, 3.0)))
    assert alone <= 5**d * len(low) / 2
    low, high = np.append(low, [[0.0] * d], 0), np.append(high, [[10.0 * n] * d], 0)
    assert sum(map(len, candidate_pairs(low, high, 3.0))) <= alone + len(low)


def test_no_box():
    assert near_boxes(np.zeros((0, 2)), np.zeros((0, 2)), 1.0).shape == (0, 2)
