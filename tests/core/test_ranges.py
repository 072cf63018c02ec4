"""Ranges one after the other."""

import numpy as np

from cellgraph_clr._core.ranges import joined_ranges


def test_ranges_follow_one_another_and_may_be_empty():
    found = joined_ranges(np.array([5, 0, 9]), np.array([3, 0, 2], np.int32))
    assert found.tolist() == [5, 6, 7, 9, 10]
    assert joined_ranges(np.zeros(0, int), np.zeros(0, int)).tolist() == []
