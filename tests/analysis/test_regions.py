"""Regions: connected, ranked, large enough."""

import numpy as np
from scipy.sparse import csr_matrix

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


def test_smoothing_keeps_isolated_cells():
    adjacency = csr_matrix((3, 3))
    np.testing.assert_array_equal(regions.region_scores(np.arange(3.0), adjacency), np.arange(3.0))
    np.testing.assert_allclose(regions.region_scores(np.array([1.0, 0, 0]), chain(3)), [0.5, 0.25, 0])
