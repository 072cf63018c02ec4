"""Pairs: positives come from the relation, known ones never become noise, the cell itself is not its own noise."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from cellgraph_clr._core.errors import PairsError, ShapeError
from cellgraph_clr.models.cell_graph.pairs import (
    ClassRelation,
    MixedRelation,
    Pairs,
    Positives,
    SparseRelation,
    draw_pairs,
)


@pytest.fixture
def sparse(rng):
    dense = np.triu(rng.random((50, 50)) < 0.2, 1)
    dense[3] = dense[:, 3] = False
    return SparseRelation(csr_matrix((dense | dense.T).astype(np.float32)))


@pytest.fixture(params=["sparse", "class"])
def relation(request, sparse, rng):
    return sparse if request.param == "sparse" else ClassRelation(rng.integers(-1, 4, 50))


def related(relation):
    everything = np.arange(50)
    out = relation.known(everything, everything)
    np.fill_diagonal(out, False)
    return out


@pytest.mark.parametrize("n", [1, 3, 100])
def test_draws_are_distinct_and_related(relation, rng, n):
    anchors = rng.choice(50, 20, replace=False)
    index, rows = relation.draw(anchors, n, rng)
    truth = related(relation)
    assert truth[anchors[index], rows].all()
    assert len(set(zip(index.tolist(), rows.tolist(), strict=True))) == len(index)
    np.testing.assert_array_equal(np.bincount(index, minlength=20), np.minimum(truth[anchors].sum(1), n))


@pytest.mark.parametrize("with_self", [True, False])
def test_pairs_keep_their_promises(relation, rng, with_self):
    anchors = np.sort(rng.choice(50, 20, replace=False))
    pairs = draw_pairs(anchors, Positives(relation, 3, with_self=with_self), rng)
    truth = related(relation)[np.ix_(pairs.anchors, pairs.candidates)]
    own = pairs.anchors[:, None] == pairs.candidates[None, :]
    assert set(anchors) <= set(pairs.candidates.tolist())
    assert (pairs.positives[~own] <= truth[~own]).all()
    noise = ~pairs.positives & ~pairs.exclude
    assert not (noise & truth).any()
    assert not (noise & own).any()
    assert pairs.positives[own].all() == with_self
    assert (pairs.positives.sum(1) <= 3 + with_self).all()


def test_draws_are_seeded_and_differ(sparse):
    draw = lambda seed: sparse.draw(np.arange(20), 2, np.random.default_rng(seed))[1].tolist()  # noqa: E731
    assert draw(0) == draw(0)
    assert draw(0) != draw(1)


def test_without_a_relation_the_second_view_is_the_positive(rng):
    pairs = draw_pairs(np.array([2, 5]), Positives(None, 0, with_self=True), rng)
    np.testing.assert_array_equal(pairs.positives, np.eye(2, dtype=bool))
    assert not pairs.exclude.any()


def test_contradictions_are_refused():
    yes = np.ones((1, 1), bool)
    with pytest.raises(PairsError, match="both positive and excluded, found 1"):
        Pairs(np.arange(1), np.arange(1), yes, yes)
    with pytest.raises(ShapeError, match=r"`positives` of shape \(2, 1\)"):
        Pairs(np.arange(2), np.arange(1), yes, yes)


def test_weighted_draws_follow_the_weights(rng):
    weights = np.array([[0, 6.0, 3.0, 1.0, 0.0]])
    matrix = csr_matrix(np.vstack([weights, np.zeros((4, 5))]))
    matrix = csr_matrix((np.append(matrix.data, 0.0), np.append(matrix.indices, 4), [0, 4, 4, 4, 4, 4]), shape=(5, 5))
    relation = SparseRelation(matrix, weighted=True)
    drawn = np.concatenate([relation.draw(np.array([0]), 1, rng)[1] for _ in range(2000)])
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 2000, [0, 0.6, 0.3, 0.1, 0], atol=0.04)
    assert relation.known(np.array([0]), np.arange(5)).tolist() == [[False, True, True, True, True]]
    assert sorted(relation.draw(np.array([0]), 9, rng)[1]) == [1, 2, 3]  # 0 is known and never drawn


def test_mixtures_draw_from_all_and_fill_up(sparse, rng):
    classes = ClassRelation(np.arange(50) % 5)
    mixed = MixedRelation([sparse, classes])
    anchors = np.arange(50)
    index, rows = mixed.draw(anchors, 4, rng)
    truth = related(mixed)
    assert truth[index, rows].all()
    assert len(set(zip(index.tolist(), rows.tolist(), strict=True))) == len(index)
    np.testing.assert_array_equal(np.bincount(index, minlength=50), 4)
    assert np.bincount(index[classes.known(anchors, anchors)[index, rows]], minlength=50)[3] == 4  # no neighbours
    from_class = classes.known(anchors, anchors)[index, rows].mean()
    assert 0.45 < from_class < 0.7
    np.testing.assert_array_equal(truth, related(sparse) | related(classes))
