"""Calibration, retrieval, regions, scores, clusters: planted answers, loops, reference libraries."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import average_precision_score

from cellgraph_clr import metrics
from cellgraph_clr._core.errors import EmptyQueryError, NoCellsError, OptionError, ShapeError
from cellgraph_clr.analysis import regions, retrieval
from cellgraph_clr.analysis.clustering import gaussian_mixture


def overconfident(rng, n=4000, factor=3.0):
    logits = rng.normal(size=(n, 4)) * 1.5
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    codes = (p.cumsum(1) < rng.random((n, 1))).sum(1)
    return logits * factor, codes, p


def test_the_planted_temperature_is_found(rng):
    logits, codes, _ = overconfident(rng)
    assert metrics.fit_temperature(logits, codes) == pytest.approx(3.0, rel=0.1)
    assert metrics.fit_temperature(np.zeros((0, 4)), np.zeros(0, int)) == 1.0


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_calibration_error_is_small_for_true_probabilities_only(rng, binning):
    logits, codes, p = overconfident(rng)
    sharp = np.exp(logits - logits.max(1, keepdims=True))
    sharp /= sharp.sum(1, keepdims=True)
    assert metrics.expected_calibration_error(p, codes, binning=binning) < 0.03
    assert metrics.expected_calibration_error(sharp, codes, binning=binning) > 0.15


def test_reliability_equals_a_loop(rng):
    confidence, correct = rng.random(500), rng.random(500) < 0.5
    bins = metrics.reliability(confidence, correct, n_bins=10)
    ece = 0.0
    for i in range(10):
        inside = (confidence > i / 10) & (confidence <= (i + 1) / 10)
        if inside.any():
            ece += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert bins.ece == pytest.approx(ece)
    assert bins.count.sum() == 500
    with pytest.raises(ShapeError, match=r"confidences in \[0, 1\]"):
        metrics.reliability(confidence + 1, correct)


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_scikit_learns(rng, ties):
    relevant, scores = rng.random(200) < 0.1, rng.normal(size=200)
    if ties:
        scores = scores.round(0)
    assert metrics.average_precision(relevant, scores) == pytest.approx(average_precision_score(relevant, scores))
    assert metrics.average_precision(np.zeros(5, bool), np.arange(5.0)) == 0


def test_planted_groups_are_retrieved_and_noise_is_at_chance(rng):
    group = rng.integers(0, 4, 400)
    masks = {str(g): group == g for g in range(4)}
    good = metrics.mask_retrieval(np.eye(4)[group] + rng.normal(0, 0.05, (400, 4)), masks, rng=rng)
    noise = metrics.mask_retrieval(rng.normal(size=(400, 4)), masks, rng=rng)
    for name in masks:
        assert good[name][0] > 0.99
        assert noise[name][0] == pytest.approx(noise[name][1], abs=0.06)
    with pytest.raises(EmptyQueryError, match="two cells in mask 'x', found 0"):
        metrics.mask_retrieval(rng.normal(size=(400, 4)), {"x": np.zeros(400, bool)}, rng=rng)


def test_partner_rank_equals_a_loop_and_its_chance(rng):
    x = rng.normal(size=(300, 5))
    cell, candidate = np.repeat(np.arange(300), 3), rng.integers(0, 300, 900)
    keep = cell != candidate
    rows, rank, chance = metrics.partner_rank(x, cell[keep], candidate[keep], block=64)
    z = (x - x.mean(0)) / x.std(0)
    for i in (0, 17, 299):
        distance = np.linalg.norm(z - z[i], axis=1)
        nearest = distance[candidate[keep][cell[keep] == i]].min()
        others = np.arange(300) != i
        assert rank[rows == i][0] == 1 + (distance[others] < nearest - 1e-9).sum()
    assert rank.mean() == pytest.approx(chance.mean(), rel=0.1)
    assert [len(a) for a in metrics.partner_rank(x, np.zeros(0, int), np.zeros(0, int))] == [0, 0, 0]


def test_top_k_is_a_stable_sort(rng):
    scores = rng.integers(0, 5, 50).astype(float)
    order = np.lexsort((np.arange(50), -scores))
    for k in (1, 7, 50, 80):
        np.testing.assert_array_equal(retrieval.top_k(scores, k), order[:k])
    allowed = scores < 4
    assert allowed[retrieval.top_k(scores, 10, allowed=allowed)].all()
    with pytest.raises(OptionError, match="`k` to be a number in"):
        retrieval.top_k(scores, 0)


def test_similarity_to_a_query(rng):
    d = retrieval.standardised_directions(rng.normal(size=(100, 6)))
    np.testing.assert_allclose(np.linalg.norm(d, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(retrieval.query_similarity(d, d[:5], aggregate="max"), (d @ d[:5].T).max(1), rtol=1e-5)
    np.testing.assert_allclose(retrieval.query_similarity(d, d[:1]), d @ d[0], rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match="width 6"):
        retrieval.query_similarity(d, d[:, :3])


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


def test_the_mixture_finds_the_planted_number(rng):
    centres = rng.normal(0, 8, (4, 5))
    x = np.concatenate([c + rng.normal(size=(150 - 20 * i, 5)) for i, c in enumerate(centres)])
    mixture = gaussian_mixture(x, n_clusters=tuple(range(2, 8)))
    assert min(mixture.bic, key=mixture.bic.get) == 4
    assert (np.diff(np.bincount(mixture.labels)) <= 0).all()  # numbered by size
    np.testing.assert_allclose(mixture.proba.sum(1), 1)
    with pytest.raises(NoCellsError, match="cells to cluster"):
        gaussian_mixture(x[:0], n_clusters=2)
    with pytest.raises(OptionError, match="`n_clusters` to be a number"):
        gaussian_mixture(x, n_clusters=10**6)
