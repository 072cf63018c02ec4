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


@pytest.mark.parametrize("k", [1, 4])
def test_votes_equal_a_loop_of_weighted_voters(rng, k):
    """Each voter weighs its similarity over that of the next nearest; where all are equal, they count alike."""
    reference, codes = rng.normal(size=(30, 3)), rng.integers(0, 4, 30)
    reference[:8] = reference[0]  # queries at this place have voters that are all alike
    queries = np.concatenate([rng.normal(size=(6, 3)), reference[:1]])
    vote = nearest_vote(queries, reference, codes, 4, k=k)
    unit = lambda v: (v - reference.mean(0)) / reference.std(0)  # noqa: E731
    cosine = [
        [unit(q) @ unit(r) / np.linalg.norm(unit(q)) / np.linalg.norm(unit(r)) for r in reference] for q in queries
    ]
    for i, row in enumerate(np.array(cosine)):
        order = np.argsort(-row.round(6), kind="stable")
        weight = row[order[:k]] - row[order[k]]
        weight = weight if weight.max() > 1e-6 else np.ones(k)
        expected = [weight[codes[order[:k]] == c].sum() / weight.sum() for c in range(4)]
        np.testing.assert_allclose(vote.proba[i], expected, atol=1e-4)
        assert vote.similarity[i] == pytest.approx(row.max(), abs=1e-6)
    own = np.array(
        [[unit(a) @ unit(b) / np.linalg.norm(unit(a)) / np.linalg.norm(unit(b)) for b in reference] for a in reference]
    )
    np.fill_diagonal(own, -np.inf)
    assert vote.far == pytest.approx(np.quantile(own.max(1), 0.01), abs=1e-6)


def test_scales_that_are_weights_stay(rng):
    reference = rng.normal(size=(40, 4)) * [5, 1, 1, 0.1]
    queries, codes = rng.normal(size=(9, 4)) * [5, 1, 1, 0.1], rng.integers(0, 3, 40)
    vote = nearest_vote(queries, reference, codes, 3, k=1, standardize=False)
    to_unit = lambda v: (v - reference.mean(0)) / np.linalg.norm(v - reference.mean(0), axis=1, keepdims=True)  # noqa: E731
    cosine = to_unit(queries) @ to_unit(reference).T
    assert vote.proba.argmax(1).tolist() == codes[cosine.argmax(1)].tolist()
    np.testing.assert_allclose(vote.similarity, cosine.max(1), atol=1e-5)
