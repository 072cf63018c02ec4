"""Mutual information: closed forms, Gaussians, masks, prior."""

import math

import numpy as np
import pytest
import torch

from cellgraph_clr._core.errors import OptionError, PairsError, ShapeError
from cellgraph_clr.losses.information import ESTIMATORS, gradient_penalty, mutual_information, prior_matching

EYE = torch.eye(6, dtype=torch.bool)


@pytest.mark.parametrize("bound", ["jsd", "dv", "nce"])
def test_equal_scores_hold_no_information(bound):
    value = mutual_information(torch.full((6, 6), 0.7 * (bound != "jsd")), EYE, bound=bound)
    assert float(value) == pytest.approx(0, abs=1e-6)


def test_bounds_are_reached():
    apart = torch.where(EYE, 40.0, -40.0)
    assert float(mutual_information(apart, EYE)) == pytest.approx(2 * math.log(2))
    assert float(mutual_information(apart, EYE, bound="nce")) == pytest.approx(math.log(6))
    assert float(mutual_information(apart, EYE, bound="infonce_p")) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("bound", ["dv", "nce"])
def test_estimates_rise_with_the_correlation_and_stay_below_the_truth(bound):
    torch.manual_seed(0)
    found = []
    for rho in (0.0, 0.5, 0.9):
        x, noise = torch.randn(2, 1500, dtype=torch.float64)
        y = rho * x + math.sqrt(1 - rho**2) * noise
        ratio = -0.5 * math.log(1 - rho**2) - (
            (rho**2 * (x[:, None] ** 2 + y[None] ** 2) - 2 * rho * x[:, None] * y[None]) / (2 * (1 - rho**2))
        )  # the optimal critic: log p(x, y) / p(x) p(y)
        value = float(mutual_information(ratio, torch.eye(1500, dtype=torch.bool), bound=bound))
        true = -0.5 * math.log(1 - rho**2)
        assert value <= true + 0.05
        assert value >= true - 0.12
        found.append(value)
    assert found == sorted(found)


@pytest.mark.parametrize("bound", ESTIMATORS)
def test_dropped_vectors_have_no_gradient_and_no_part(bound):
    torch.manual_seed(0)
    local, whole = torch.randn(12, 5, requires_grad=True), torch.randn(4, 5)
    sample = torch.arange(12) // 3
    positives = sample[:, None] == torch.arange(4)[None]
    keep = torch.rand(12) < 0.7
    keep[::3] = True
    value = mutual_information(local @ whole.T, positives, bound=bound, keep=keep)
    value.backward()
    assert (local.grad[~keep] == 0).all()
    assert (local.grad[keep] != 0).any(dim=1).all()
    alone = mutual_information((local @ whole.T)[keep], positives[keep], bound=bound)
    torch.testing.assert_close(value, alone)


def test_scores_far_below_zero_stay_finite():
    scores = torch.full((6, 6), -500.0, requires_grad=True)
    for bound in ESTIMATORS:
        value = mutual_information(scores, EYE, bound=bound)
        (slope,) = torch.autograd.grad(value, scores)
        assert torch.isfinite(value)
        assert torch.isfinite(slope).all()


def test_prior_and_penalty():
    discriminator, encoder = prior_matching(torch.zeros(5), torch.zeros(7))
    assert float(discriminator) == pytest.approx(2 * math.log(2))
    assert float(encoder) == pytest.approx(math.log(2))
    x = torch.randn(8, 3, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 2.0])
    assert float(gradient_penalty(x @ weight, x)) == pytest.approx(9)


def test_the_prior_is_matched_in_float32_under_autocast():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 20), torch.nn.Tanh(), torch.nn.Linear(20, 1))
    x = torch.randn(8, 6, requires_grad=True)
    scores = net(x)
    plain = gradient_penalty(scores, x), *prior_matching(scores, scores)
    with torch.autocast("cpu", torch.bfloat16):
        found = gradient_penalty(scores, x), *prior_matching(scores, scores)
    torch.testing.assert_close(found, plain)
    half = prior_matching(scores.half(), scores.half())
    assert all(value.dtype == torch.float32 for value in half)


def test_bad_input_is_named():
    with pytest.raises(PairsError, match="found no negative pair"):
        mutual_information(torch.zeros(3, 1), torch.ones(3, 1, dtype=torch.bool))
    with pytest.raises(PairsError, match="found no positive pair"):
        mutual_information(torch.zeros(6, 6), EYE, keep=torch.zeros(6, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"`positives` bool \(6, 6\)"):
        mutual_information(torch.zeros(6, 6), EYE[:3])
    with pytest.raises(ShapeError, match="`keep` bool"):
        mutual_information(torch.zeros(6, 6), EYE, keep=torch.ones(6))
    with pytest.raises(OptionError, match="`bound`"):
        mutual_information(torch.zeros(6, 6), EYE, bound="kl")


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


def by_loop(bound, scores, positives):
    """The equations, pair by pair: mean over positive pairs, and over negative ones."""
    n_local, n_global = scores.shape
    pairs = [(i, j) for i in range(n_local) for j in range(n_global)]
    own = [(i, j) for i, j in pairs if positives[i, j]]
    others = [(i, j) for i, j in pairs if not positives[i, j]]
    if bound == "jsd":
        expected = np.mean([log_sigmoid(scores[p]) for p in own]) + np.mean([log_sigmoid(-scores[p]) for p in others])
        return 2 * math.log(2) + expected
    if bound == "dv":
        return np.mean([scores[p] for p in own]) - math.log(np.mean([math.exp(scores[p]) for p in others]))
    terms = []
    for i, j in own:  # against the local vectors of other samples, of the same global vector
        noise = [math.exp(scores[k, j]) for k in range(n_local) if not positives[k, j]]
        e = math.exp(scores[i, j])
        terms.append(math.log(e / (e + sum(noise)) * (1 + len(noise))))
    return np.mean(terms)


@pytest.mark.parametrize("bound", ["jsd", "dv", "nce"])
@pytest.mark.parametrize("one_size", [True, False])
def test_equals_a_loop_over_pairs(bound, one_size, rng):
    """Several local vectors a global one, several fields a sample, samples of different size."""
    local_sample, global_sample = np.repeat([0, 1, 2], [2, 3, 4]), np.array([0, 1, 1, 2])
    if one_size:
        global_sample = local_sample[::-1].copy()
    scores = rng.normal(size=(9, len(global_sample))) * 2
    positives = local_sample[:, None] == global_sample[None]
    value = mutual_information(torch.tensor(scores), torch.tensor(positives), bound=bound)
    assert float(value) == pytest.approx(by_loop(bound, scores, positives), abs=1e-12)


def test_prior_matching_equals_a_loop_and_pulls_the_right_way(rng):
    on_prior, on_codes = rng.normal(size=5), rng.normal(size=7)
    codes = torch.tensor(on_codes, requires_grad=True)
    discriminator, encoder = prior_matching(torch.tensor(on_prior), codes)
    told = np.mean([log_sigmoid(s) for s in on_prior]) + np.mean([log_sigmoid(-s) for s in on_codes])
    assert float(discriminator.detach()) == pytest.approx(-told)
    assert float(encoder.detach()) == pytest.approx(-np.mean([log_sigmoid(s) for s in on_codes]))
    assert (torch.autograd.grad(discriminator, codes)[0] > 0).all()  # lower scores on codes tell them apart
    assert (torch.autograd.grad(encoder, codes)[0] < 0).all()  # higher ones hide them
