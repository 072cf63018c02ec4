"""Scores of retrieval: scikit-learn, planted groups, loops."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from cellgraph_clr import metrics
from cellgraph_clr._core.errors import EmptyQueryError


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
    good = metrics.mask_retrieval(np.eye(4)[group] + rng.normal(0, 0.05, (400, 4)), masks, random_state=rng)
    noise = metrics.mask_retrieval(rng.normal(size=(400, 4)), masks, random_state=rng)
    for name in masks:
        assert good[name][0] > 0.99
        assert noise[name][0] == pytest.approx(noise[name][1], abs=0.06)
    with pytest.raises(EmptyQueryError, match="two cells in mask 'x', found 0"):
        metrics.mask_retrieval(rng.normal(size=(400, 4)), {"x": np.zeros(400, bool)}, random_state=rng)


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


def test_bilateral_score_and_its_chance():
    clusters = np.repeat(["a", "b", "c", "d"], 100)
    cell = np.arange(400)
    mirrored = cell // 100 * 100 + (cell + 50) % 100
    assert metrics.bilateral_score(clusters, cell, mirrored, random_state=0)[0] == 1
    value, chance = metrics.bilateral_score(clusters, cell, (cell + 100) % 400, random_state=0)
    assert value == 0
    assert abs(chance - 0.25) < 0.02
    twice = np.concatenate([cell, cell]), np.concatenate([(cell + 100) % 400, mirrored])
    assert metrics.bilateral_score(clusters, *twice, random_state=0)[0] == 1
    assert metrics.bilateral_score(clusters, cell[:0], cell[:0], random_state=0) == (0, 0)


def test_seeds_and_generators_draw_alike(rng):
    group, x = rng.integers(0, 4, 300), rng.normal(size=(300, 6))
    pairs = rng.integers(0, 300, (2, 80))
    calls = [
        lambda s: metrics.mask_retrieval(x, {"a": group == 0}, n_queries=5, random_state=s),
        lambda s: metrics.bilateral_score(group, *pairs, n_permutations=3, random_state=s),
    ]
    for call in calls:
        assert call(3) == call(np.random.default_rng(3)) != call(4)
    assert calls[0](0) == metrics.mask_retrieval(x, {"a": group == 0}, n_queries=5)
    probes = [metrics.probe_accuracy(x, group, n_repeats=1, random_state=np.random.default_rng(s)) for s in (1, 1, 2)]
    np.testing.assert_array_equal(probes[0], probes[1])
    assert (probes[0] != probes[2]).any()


def test_retrieval_of_masks_equals_a_loop_without_the_query(rng):
    x = rng.normal(size=(40, 3)) * [1, 5, 0.1] + [3, 0, 0]
    masks = {"few": np.arange(40) < 3, "many": rng.random(40) < 0.4}
    found = metrics.mask_retrieval(x, masks, n_queries=40, random_state=0)  # every member is a query
    z = (x - x.mean(0)) / x.std(0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    for name, mask in masks.items():
        values = []
        for query in np.flatnonzero(mask):
            others = np.delete(np.arange(40), query)
            values.append(average_precision_score(mask[others], z[others] @ z[query]))
        assert found[name][0] == pytest.approx(np.mean(values))
        assert found[name][1] == (mask.sum() - 1) / 39


@pytest.mark.parametrize("n_candidates", [1, 2, 4])
def test_the_chance_of_partners_is_the_mean_over_all_orders(n_candidates):
    """Seven cells: the partners of the first take any places among the other six alike often."""
    places = list(itertools.combinations(range(1, 7), n_candidates))
    expected = np.mean([min(place) for place in places])
    cell, candidate = np.zeros(n_candidates, int), np.arange(1, n_candidates + 1)
    _, _, chance = metrics.partner_rank(np.random.default_rng(0).normal(size=(7, 2)), cell, candidate)
    assert chance[0] == pytest.approx(expected)


def test_columns_without_spread_change_no_rank(rng):
    x, cell, candidate = rng.normal(size=(50, 3)), np.arange(10), np.arange(10, 20)
    plain = metrics.partner_rank(x, cell, candidate)[1]
    constant = np.column_stack([np.full(50, 7.0), x, np.zeros(50)])
    assert metrics.partner_rank(constant, cell, candidate)[1].tolist() == plain.tolist()
