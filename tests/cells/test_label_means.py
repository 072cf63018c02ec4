"""Means over labels."""

import numpy as np

from cellgraph_clr.cells.label_means import label_means


def test_means_are_those_of_the_pixels():
    ids, means = label_means(np.array([7, 2, 7, 7]), np.array([[1.0, 5, 2, 3], [0, 1, 0, 3]]))
    assert ids.tolist() == [2, 7]
    np.testing.assert_allclose(means, [[5, 1], [2, 1]])
    ids, means = label_means(np.zeros(0, int), np.zeros((3, 0)))
    assert means.shape == (0, 3)
