import numpy as np
import pytest

from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.analysis.priors import estimated_prior, shifted_proba


def posterior(x, prior):
    likelihood = np.exp(-0.5 * (x[:, None] - np.array([-1.0, 0.5, 2.0])) ** 2)
    joint = likelihood * prior
    return joint / joint.sum(1, keepdims=True)


def test_shifting_is_bayes_with_the_other_prior(rng):
    x = rng.normal(size=50)
    old, new = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8])
    np.testing.assert_allclose(shifted_proba(posterior(x, old), old, new), posterior(x, new))


def test_the_shares_of_unlabelled_cells_are_found(rng):
    true = np.array([0.1, 0.2, 0.7])
    kind = rng.choice(3, 20000, p=true)
    x = np.array([-1.0, 0.5, 2.0])[kind] + rng.normal(size=20000)
    even = np.full(3, 1 / 3)
    found = estimated_prior(posterior(x, even), even)
    np.testing.assert_allclose(found, true, atol=0.03)
    better = shifted_proba(posterior(x, even), even, found).argmax(1)
    assert (better == kind).mean() > (posterior(x, even).argmax(1) == kind).mean() + 0.03


def test_nobody_and_wrong_shapes():
    np.testing.assert_allclose(estimated_prior(np.zeros((0, 2)), np.array([3, 1])), [0.75, 0.25])
    with pytest.raises(ShapeError, match="2 shares of classes, the old ones above 0"):
        shifted_proba(np.ones((1, 2)) / 2, np.array([1.0, 0]), np.array([0.5, 0.5]))


def test_the_shares_are_found_from_uneven_training_too(rng):
    true, old = np.array([0.1, 0.2, 0.7]), np.array([0.6, 0.3, 0.1])
    x = np.array([-1.0, 0.5, 2.0])[rng.choice(3, 20000, p=true)] + rng.normal(size=20000)
    np.testing.assert_allclose(estimated_prior(posterior(x, old), old), true, atol=0.03)
    same = np.array([-1.0, 0.5, 2.0])[rng.choice(3, 20000, p=old)] + rng.normal(size=20000)
    np.testing.assert_allclose(estimated_prior(posterior(same, old), old), old, atol=0.03)
