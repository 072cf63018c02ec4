"""Regions: connected, ranked, large enough."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse import random as sparse_random
from scipy.sparse.csgraph import connected_components

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis import regions


def chain(n):
    i = np.arange(n - 1)
    upper = csr_matrix((np.ones(n - 1), (i, i + 1)), shape=(n, n))
    return (upper + upper.T).tocsr()


def test_regions_are_connected_ranked_and_large_enough():
    scores = np.array([9, 9, 9, 0, 5, 5, 5, 5, 0, 8.0])
    found = regions.find_regions(scores, chain(10), threshold=4, min_cells=2)
    assert [(r.rows.tolist(), r.score) for r in found] == [([0, 1, 2], 9.0), ([4, 5, 6, 7], 5.0)]
    assert regions.find_regions(scores, chain(10), threshold=10, min_cells=1) == []
    blocked = np.arange(10) < 3
    assert [r.rows[0] for r in regions.find_regions(scores, chain(10), threshold=4, min_cells=1, blocked=blocked)] == [
        9,
        4,
    ]


def test_the_rim_of_what_is_blocked_is_no_other_place():
    scores = np.ones(12)
    blocked = np.isin(np.arange(12), [3, 4, 5])
    beside = chain(12) @ blocked > 0

    def rows(**options):
        found = regions.find_regions(scores, chain(12), threshold=1, min_cells=1, blocked=blocked, **options)
        return [r.rows.tolist() for r in found]

    assert rows(beside=beside) == [[0, 1, 2], [6, 7, 8, 9, 10, 11]]  # one cell of each is beside
    scores[[1, 8]] = 0
    assert rows(beside=beside) == [
        [0],
        [6, 7],
        [9, 10, 11],
    ]  # the lone cell 2 is rim; half of 6 and 7 is not more than half
    assert rows() == [[0], [2], [6, 7], [9, 10, 11]]


def test_smoothing_keeps_isolated_cells():
    adjacency = csr_matrix((3, 3))
    np.testing.assert_array_equal(regions.region_scores(np.arange(3.0), adjacency), np.arange(3.0))
    np.testing.assert_allclose(regions.region_scores(np.array([1.0, 0, 0]), chain(3)), [0.5, 0.25, 0])


def test_regions_grow_from_the_top_to_their_limit():
    scores = np.array([3, 5, 9, 8, 7, 6, 2, 1, 4, 9.5, 4])
    found = regions.find_regions(scores, chain(11), threshold=1, min_cells=1, max_cells=3)
    assert [r.rows.tolist() for r in found] == [[2, 3, 4], [8, 9, 10]]  # 5, 1 and what follows them are rim
    assert [r.rows.tolist() for r in regions.find_regions(scores, chain(11), threshold=1, min_cells=1)] == [
        list(range(11))
    ]
    with pytest.raises(OptionError, match="`max_cells`"):
        regions.find_regions(scores, chain(11), threshold=1, min_cells=5, max_cells=3)


def test_without_a_limit_they_are_connected_components(rng):
    adjacency = sparse_random(200, 200, 0.008, random_state=0)
    adjacency = (adjacency + adjacency.T).tocsr()
    scores = rng.normal(size=200)
    found = regions.find_regions(scores, adjacency, threshold=0, min_cells=1)
    rows = np.flatnonzero(scores >= 0)
    n, component = connected_components(adjacency[rows][:, rows], directed=False)
    assert len(found) == n
    assert all(len(set(component[np.searchsorted(rows, r.rows)])) == 1 for r in found)
    limited = regions.find_regions(scores, adjacency, threshold=0, min_cells=2, max_cells=4)
    assert all(2 <= len(r.rows) <= 4 for r in limited)


def test_the_threshold_is_what_most_of_the_query_reaches(rng):
    query = np.arange(101)
    scores = np.concatenate([np.linspace(0, 1, 101), [0.99, 0.99, 0.99]])  # the others are alike: no classes of them
    assert regions.similarity_threshold(scores, query) == pytest.approx(0.25)
    assert regions.similarity_threshold(scores, query, share=0.9) == pytest.approx(0.1)
    kinds = np.concatenate([c + rng.normal(size=200) * 0.01 for c in (-0.8, 0.2, 0.5)])
    alike = np.concatenate([np.full(50, 0.9), kinds])
    assert 0.15 < regions.similarity_threshold(alike, np.arange(50)) < 0.5  # the similar ones begin below the query
    assert regions.similarity_threshold(np.append(alike[:50] - 0.8, kinds), np.arange(50)) == pytest.approx(0.1)
    assert regions.similarity_threshold(np.append(alike[:50] - 1, kinds), np.arange(50)) == 0  # never below
