"""The graph of directions: equal vectors, all rows asked, arrays there and back."""

import numpy as np
import pytest

from cellgraph_clr.analysis.hnsw import DirectionGraph
from cellgraph_clr.analysis.retrieval import standardised_directions


@pytest.fixture
def doubled(rng):
    """Three vectors three hundred times each, as far apart as can be, in no order."""
    return np.eye(3, dtype=np.float32)[rng.permutation(np.repeat(np.arange(3), 300))]


@pytest.mark.parametrize("k", [1, 10, 300, 450, 900])
def test_equal_vectors_are_all_found_before_any_other(doubled, k):
    answered, rows, similarity = DirectionGraph.build(doubled).search(np.eye(3, dtype=np.float32), k)
    assert answered.all()
    for i in range(3):
        assert len(set(rows[i].tolist())) == k
        assert (doubled[rows[i], i] == 1).sum() == min(k, 300)
        np.testing.assert_allclose(similarity[i], doubled[rows[i], i], atol=1e-6)


def test_zero_and_minus_zero_are_one_node():
    graph = DirectionGraph.build(np.float32([[0, 1], [-0.0, 1], [1, 0]]))
    assert len(set(graph.arrays()[1].tolist())) == 2


def test_arrays_come_back(rng):
    directions = standardised_directions(rng.normal(size=(500, 6)))
    graph = DirectionGraph.build(directions)
    back = DirectionGraph.from_arrays(*graph.arrays(), 6)
    for a, b in zip(graph.search(directions[:40], 7), back.search(directions[:40], 7), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_single_query_is_answered_like_many(rng):
    directions = standardised_directions(rng.normal(size=(500, 6)))
    graph = DirectionGraph.build(directions)
    many = graph.search(directions[:50], 7)
    for alone, row in zip(graph.search(directions[:1], 7), many, strict=True):
        np.testing.assert_array_equal(alone[0], row[0])
    assert graph.search(directions[:0], 7)[1].shape == (0, 7)
