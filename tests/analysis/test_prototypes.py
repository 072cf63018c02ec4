"""Soft types against their formula."""

import numpy as np
import pytest
from sklearn.cluster import MiniBatchKMeans

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis.prototypes import soft_types


def test_the_formula():
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    centres = MiniBatchKMeans(5, random_state=2, n_init=3, batch_size=2048).fit(x).cluster_centers_
    distance = ((x[:, None] - centres) ** 2).sum(axis=2)
    extra = distance - distance.min(axis=1, keepdims=True)
    wanted = np.exp(-extra / (0.15 * np.median(extra[extra > 1e-6])))
    found = soft_types(x, 5, random_state=2)
    np.testing.assert_allclose(found, wanted / wanted.sum(1, keepdims=True), rtol=2e-2, atol=1e-4)
    np.testing.assert_array_equal(found.argmax(axis=1), distance.argmin(axis=1))


def test_few_cells():
    assert soft_types(np.zeros((0, 3)), 8).shape == (0, 8)
    np.testing.assert_array_equal(soft_types(np.ones((5, 3)), 8), 1)
    two = soft_types(np.repeat([[0.0], [1.0]], 3, axis=0), 8)
    assert two.shape == (6, 2)
    np.testing.assert_allclose(two.sum(axis=1), 1, rtol=1e-6)
    with pytest.raises(OptionError):
        soft_types(np.zeros((4, 2)), 0)
