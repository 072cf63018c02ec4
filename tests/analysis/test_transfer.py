import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis.transfer import nearest_vote


def test_votes_follow_the_clusters_and_strangers_are_far(rng):
    centres = np.array([[6.0, 0, 0], [0, 6, 0], [-6, -6, 0]])
    codes = rng.integers(3, size=600)
    reference = centres[codes] + rng.normal(size=(600, 3)) * [1, 1, 0.3]
    truth = rng.integers(3, size=200)
    vote = nearest_vote(centres[truth] + rng.normal(size=(200, 3)) * [1, 1, 0.3], reference, codes, 3)
    assert (vote.proba.argmax(1) == truth).mean() > 0.97
    np.testing.assert_allclose(vote.proba.sum(1), 1)
    stranger = nearest_vote(np.array([[0.0, 0, 50]]), reference, codes, 3)
    assert stranger.similarity[0] < stranger.far
    assert (vote.similarity < vote.far).mean() < 0.08


def test_equal_voters_vote_alike():
    vote = nearest_vote(np.ones((1, 2)), np.ones((4, 2)), np.array([0, 0, 1, 1]), 2, k=3)
    np.testing.assert_allclose(vote.proba, [[2 / 3, 1 / 3]])
    with pytest.raises(OptionError, match="`k`"):
        nearest_vote(np.ones((1, 2)), np.ones((4, 2)), np.array([0, 0, 1, 1]), 2, k=4)
