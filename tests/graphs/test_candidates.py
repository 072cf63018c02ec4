"""Candidates: all pairs by brute force, contacts always among them, images apart, 2D and 3D."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from cellgraph_clr._core.errors import NoGraphError, OptionError
from cellgraph_clr.graphs.candidates import candidates_within, contact_lengths, usual_radius


@pytest.mark.parametrize("ndim", [2, 3])
def test_they_are_the_near_and_the_contacts_of_the_image(ndim):
    rng = np.random.default_rng(0)
    n = 120
    xyz = rng.uniform(0, 100, (n, ndim))
    images = [np.arange(0, 60, 2), np.arange(1, 100, 2)]
    image = np.full(n, -1)
    for i, rows in enumerate(images):
        image[rows] = i
    upper = np.triu(rng.random((n, n)) < 0.03, 1) & (image[:, None] == image)
    contact = upper | upper.T
    found = candidates_within(xyz, csr_matrix(contact.astype(np.float32)), images, 25.0)
    apart = cdist(xyz, xyz)
    same = (image[:, None] == image) & (image >= 0) & ~np.eye(n, dtype=bool)
    want = same & ((apart <= 25) | contact)
    assert (same & contact & (apart > 25)).any()
    for i in range(n):
        at = slice(found.indptr[i], found.indptr[i + 1])
        np.testing.assert_array_equal(found.rows[at], np.flatnonzero(want[i]))
        np.testing.assert_array_equal(found.contact[at], contact[i, want[i]])
        np.testing.assert_allclose(found.distance[at], apart[i, want[i]])
    np.testing.assert_array_equal(found.anchors, np.repeat(np.arange(n), want.sum(axis=1)))


def test_nobody_and_a_radius_of_nothing():
    nobody = candidates_within(np.zeros((0, 2)), csr_matrix((0, 0)), [], 1.0)
    assert len(nobody.rows) == 0
    with pytest.raises(OptionError, match="radius"):
        candidates_within(np.zeros((2, 2)), csr_matrix((2, 2)), [np.arange(2)], 0.0)


def test_the_usual_radius_is_twice_the_median_or_holds_most_contacts():
    assert usual_radius(np.array([1.0, 2.0, 3.0])) == 4.0
    wide = np.concatenate([np.ones(80), np.full(20, 9.0)])
    assert usual_radius(wide) == 9.0
    with pytest.raises(NoGraphError, match="radius"):
        usual_radius(np.zeros(3))
    with pytest.raises(NoGraphError):
        usual_radius(np.zeros(0))
    edges = csr_matrix(np.array([[0, 1.0, 0], [1, 0, 1], [0, 1, 0]]))
    np.testing.assert_allclose(contact_lengths(np.array([[0, 0], [3, 4], [3, 5.0]]), edges), [5, 1])
