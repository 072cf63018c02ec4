"""InfoNCEp: brute force, exact arithmetic, an external likelihood, and the laws of METHODS."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from scipy.special import logsumexp

from cellgraph_clr._core.errors import PairsError, ShapeError
from cellgraph_clr.losses.functional import infonce_p, log_esp, supcon_out
from cellgraph_clr.losses.multi_positive import _rows_in_torch


def mask(n, chosen):
    out = torch.zeros(1, n, dtype=torch.bool)
    out[0, list(chosen)] = True
    return out


def value_and_grad(f, chosen, exclude=None):
    scores = torch.tensor(np.asarray(f)[None], requires_grad=True)
    loss = infonce_p(scores, mask(len(f), chosen), exclude)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    return float(loss.detach()), grad[0].numpy()


def log_space_esp(f, p):
    """The recursion of METHODS 1.3, in log space, one candidate after the other."""
    e = np.full(p + 1, -np.inf)
    e[0] = 0
    for x in f:
        e[1:] = np.logaddexp(e[1:], e[:-1] + x)
    return e[p]


def exact(f, chosen):
    """Loss and gradient in 60-digit arithmetic: w_k e_{p-1}(w_{-k}) / e_p(w) - 1[k chosen]."""
    mp.dps = 60
    w = [mp.e ** mp.mpf(float(x)) for x in f]

    def esp(ws, p):
        e = [mp.mpf(0)] * (p + 1)
        e[0] = mp.mpf(1)
        for x in ws:
            for m in range(p, 0, -1):
                e[m] += e[m - 1] * x
        return e[p]

    total = esp(w, len(chosen))
    loss = mp.log(total) - sum(mp.mpf(float(f[i])) for i in chosen)
    grad = [w[k] * esp(w[:k] + w[k + 1 :], len(chosen) - 1) / total - (k in chosen) for k in range(len(f))]
    return float(loss), np.array([float(g) for g in grad])


@pytest.mark.parametrize("p", range(1, 10))
def test_equals_the_sum_over_all_subsets(p, rng):
    f = rng.normal(size=9) * 5
    chosen = rng.choice(9, p, replace=False)
    brute = logsumexp([f[list(s)].sum() for s in itertools.combinations(range(9), p)]) - f[chosen].sum()
    assert value_and_grad(f, chosen)[0] == pytest.approx(brute, abs=1e-9)


@pytest.mark.parametrize("gap", [0, 1, 5, 10, 20, 40])
@pytest.mark.parametrize("p", [1, 3, 8, 32])
def test_gradient_is_right_with_dominant_positives(gap, p, rng):
    for spread in (1.0, 5.0, 25.0):
        f = rng.normal(size=70) * spread
        chosen = set(rng.choice(70, p, replace=False).tolist())
        f[list(chosen)] += gap
        loss, grad = value_and_grad(f, chosen)
        true_loss, true_grad = exact(f, chosen)
        assert loss == pytest.approx(true_loss, rel=1e-10, abs=1e-12)
        np.testing.assert_allclose(grad, true_grad, atol=1e-9, rtol=0)


def test_gradient_with_a_dominant_noise_candidate(rng):
    f = rng.normal(size=40)
    f[[3, 4, 5]] += 30
    np.testing.assert_allclose(value_and_grad(f, {0, 1})[1], exact(f, {0, 1})[1], atol=1e-9)


def test_one_positive_is_infonce(rng):
    f = rng.normal(size=30) * 4
    loss, grad = value_and_grad(f, [7])
    scores = torch.tensor(f, requires_grad=True)
    reference = torch.nn.functional.cross_entropy(scores[None], torch.tensor([7]))
    reference.backward()
    assert loss == pytest.approx(float(reference.detach()), abs=1e-12)
    np.testing.assert_allclose(grad, scores.grad.numpy(), atol=1e-12)


def test_equals_the_exact_conditional_logit_of_statsmodels(rng):
    from statsmodels.discrete.conditional_models import ConditionalLogit

    n_groups, n, d = 6, 7, 3
    x = rng.normal(size=(n_groups * n, d))
    y = np.zeros(n_groups * n)
    sizes = rng.integers(1, n, n_groups)
    for g, p in enumerate(sizes):
        y[g * n + rng.choice(n, p, replace=False)] = 1
    beta = rng.normal(size=d)
    reference = ConditionalLogit(y, x, groups=np.repeat(np.arange(n_groups), n)).loglike(beta)
    scores = torch.tensor((x @ beta).reshape(n_groups, n))
    ours = infonce_p(scores, torch.tensor(y.reshape(n_groups, n) == 1))
    assert -float(ours.sum()) == pytest.approx(reference, abs=1e-8)


def test_no_and_all_positives_cost_nothing(rng):
    f = torch.tensor(rng.normal(size=(2, 5)), requires_grad=True)
    positives = torch.zeros(2, 5, dtype=torch.bool)
    positives[1] = True
    loss = infonce_p(f, positives)
    loss.sum().backward()
    assert loss.tolist() == [0, 0]
    assert not f.grad.any()


@pytest.mark.parametrize("p", [1, 3, 5, 11])
def test_a_constant_critic_pays_for_all_subsets(p):
    loss, grad = value_and_grad(np.full(12, 3.3), range(p))
    assert loss == pytest.approx(math.log(math.comb(12, p)), abs=1e-10)
    np.testing.assert_allclose(grad, p / 12 - (np.arange(12) < p), atol=1e-12)


def test_excluded_candidates_are_as_if_absent(rng):
    f = rng.normal(size=20) * 3
    exclude = mask(20, [2, 11, 19])
    loss, grad = value_and_grad(f, [0, 5], exclude)
    kept = np.flatnonzero(~exclude[0].numpy())
    loss_kept, grad_kept = value_and_grad(f[kept], [0, int(np.flatnonzero(kept == 5)[0])])
    assert loss == pytest.approx(loss_kept, abs=1e-12)
    np.testing.assert_allclose(grad[kept], grad_kept, atol=1e-13)
    assert not grad[exclude[0].numpy()].any()


scores_and_p = st.integers(2, 24).flatmap(
    lambda n: st.tuples(st.lists(st.floats(-60, 60), min_size=n, max_size=n), st.integers(1, n - 1), st.randoms())
)


@settings(max_examples=60, deadline=None)
@given(scores_and_p)
def test_laws_hold_for_any_scores(drawn):
    values, p, random = drawn
    f = np.array(values)
    chosen = sorted(random.sample(range(len(f)), p))
    loss, grad = value_and_grad(f, chosen)
    assert loss == pytest.approx(log_space_esp(f, p) - f[chosen].sum(), rel=1e-9, abs=1e-8)
    assert loss >= -1e-9
    assert abs(grad.sum()) < 1e-8  # inclusion probabilities sum to p
    assert (grad[chosen] <= 1e-12).all()  # positives are never repelled
    assert value_and_grad(f + 123.4, chosen)[0] == pytest.approx(loss, rel=1e-9, abs=1e-8)
    order = np.array(random.sample(range(len(f)), len(f)))
    moved = np.flatnonzero(np.isin(order, chosen))
    assert value_and_grad(f[order], moved)[0] == pytest.approx(loss, rel=1e-9, abs=1e-9)
    others = [i for i in range(len(f)) if i not in chosen]
    assert value_and_grad(-f, others)[0] == pytest.approx(loss, rel=1e-9, abs=1e-8)  # complement symmetry


def test_supcon_repels_a_dominant_positive_and_infonce_p_does_not():
    f = torch.tensor([[6.0, 0, 0, -1, -1]], dtype=torch.float64, requires_grad=True)
    positives = mask(5, [0, 1, 2])
    (supcon,) = torch.autograd.grad(supcon_out(f, positives).sum(), f)
    (ours,) = torch.autograd.grad(infonce_p(f, positives).sum(), f)
    assert supcon[0, 0] > 0.6
    assert -0.01 < ours[0, 0] <= 0


def test_the_torch_form_equals_the_rows_form(rng):
    f = torch.tensor(rng.normal(size=(16, 65)) * 6, requires_grad=True)
    p = torch.tensor(rng.integers(0, 20, 16))
    positives = torch.zeros(16, 65, dtype=torch.bool)
    for i, n in enumerate(p):
        positives[i, rng.choice(65, int(n), replace=False)] = True
    ours = infonce_p(f, positives)
    (grad,) = torch.autograd.grad(ours.sum(), f)
    by_polynomial = log_esp(f, p) - torch.where(positives, f, 0).sum(1)
    for other in (by_polynomial, _rows_in_torch(f, positives, torch.zeros_like(positives))):
        (other_grad,) = torch.autograd.grad(other.sum(), f)
        torch.testing.assert_close(ours, other, atol=1e-10, rtol=1e-10)
        torch.testing.assert_close(grad, other_grad, atol=1e-10, rtol=0)


@pytest.mark.parametrize("gap", [20, 40, 80])
def test_the_torch_form_keeps_small_losses_in_float32(gap, rng):
    positives = torch.tensor(rng.random((64, 200)) < 0.05)
    positives[:, 0] = True
    f = torch.tensor(rng.normal(size=(64, 200)) * 3).float() + gap * positives
    exclude = torch.tensor(rng.random((64, 200)) < 0.1) & ~positives
    found = _rows_in_torch(f, positives, exclude)
    torch.testing.assert_close(found.double(), infonce_p(f.double(), positives, exclude), rtol=1e-5, atol=3e-6)


def test_the_torch_form_knows_what_cannot_be():
    inf = float("inf")
    f = torch.tensor([[-inf, 1, 2, 0], [1, -inf, -inf, -inf], [1, 2, -inf, 0], [math.nan, 1, 2, 0]])
    positives = torch.zeros(4, 4, dtype=torch.bool)
    positives[:, 0] = True
    found = _rows_in_torch(f, positives, torch.zeros_like(positives))
    assert found[0] == inf
    assert found[1] == 0
    assert found[2] == pytest.approx(math.log(1 + math.e + math.exp(-1)))
    assert torch.isnan(found[3])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 4e-3)])
def test_low_precision_is_safe(dtype, tolerance, rng):
    f = torch.tensor(rng.normal(size=(4, 50)) * 8).to(dtype).requires_grad_()
    positives = torch.zeros(4, 50, dtype=torch.bool)
    positives[:, :6] = True
    loss = infonce_p(f, positives)
    (grad,) = torch.autograd.grad(loss.sum(), f)
    g = f.detach().double().requires_grad_()
    exact_loss = infonce_p(g, positives)
    (exact_grad,) = torch.autograd.grad(exact_loss.sum(), g)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), exact_loss, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(grad.double(), exact_grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("scale", [1e3, 1e-6, 0.0])
def test_huge_tiny_and_tied_scores_stay_finite(scale, rng):
    loss, grad = value_and_grad(rng.normal(size=40) * scale, range(5))
    assert np.isfinite(loss)
    assert np.isfinite(grad).all()


def test_mutual_information_bound_on_a_gaussian_pair():
    """log C(N, p) - L reads p I(X; Y) for conditionally independent positives and the optimal critic (METHODS 1.5)."""
    rng = np.random.default_rng(0)
    rho, p, n, draws = 0.5, 4, 128, 4000
    x = rng.normal(size=(draws, 1))
    y = np.concatenate(
        [rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(draws, p)), rng.normal(size=(draws, n - p))], 1
    )
    ratio = -0.5 * math.log(1 - rho**2) - 0.5 * (y - rho * x) ** 2 / (1 - rho**2) + 0.5 * y**2
    positives = torch.zeros(draws, n, dtype=torch.bool)
    positives[:, :p] = True
    loss = infonce_p(torch.tensor(ratio), positives).numpy()
    bound = math.log(math.comb(n, p)) - loss.mean()
    error = loss.std() / math.sqrt(draws)
    assert abs(bound - 0.566) < 4 * error
    assert bound <= -0.5 * p * math.log(1 - rho**2) + 4 * error


def test_empty_input_gives_empty_output():
    assert infonce_p(torch.zeros(0, 4), torch.zeros(0, 4, dtype=torch.bool)).shape == (0,)


def test_contradictions_and_shapes_are_named():
    scores = torch.zeros(2, 3)
    positives = torch.tensor([[True, False, False], [False, True, False]])
    with pytest.raises(PairsError, match="both positive and excluded, found 1, the first at anchor 1, candidate 1"):
        infonce_p(scores, positives, torch.tensor([[False, False, True], [False, True, False]]))
    with pytest.raises(ShapeError, match=r"of shape \(2, 3\), found \(2, 2\)"):
        infonce_p(scores, positives[:, :2])
    with pytest.raises(PairsError, match=r"bool mask, found torch.float32"):
        infonce_p(scores, positives.float())


def test_far_scores_keep_their_value():
    assert value_and_grad(np.array([-2000.0, 0, 5, 1000]), [0])[0] == pytest.approx(3000)


def test_nan_scores_are_not_swallowed():
    assert np.isnan(value_and_grad(np.array([1.0, np.nan, 0.0]), [0])[0])


def test_no_subset_has_no_weight():
    f = torch.tensor([[0.0, 1, -math.inf], [0, 1, 2], [0, 1, 2], [1, 2, 3], [0, math.nan, 1]])
    found = log_esp(f, torch.tensor([3, 4, -1, 3, 1]))
    assert found[:4].tolist() == [-math.inf, -math.inf, -math.inf, 6]
    assert torch.isnan(found[4])
    assert log_esp(torch.zeros(2, 0), torch.tensor([0, 1])).tolist() == [0, -math.inf]
    with pytest.raises(ShapeError, match=r"whole numbers p \(a,\), found \(2, 3\) and \(3,\) torch.int64"):
        log_esp(torch.zeros(2, 3), torch.tensor([1, 1, 1]))
    with pytest.raises(ShapeError, match=r"torch.float32"):
        log_esp(torch.zeros(2, 3), torch.ones(2))


@pytest.mark.parametrize("gap", [20, 40, 80])
def test_the_small_gradient_of_a_dominant_positive_keeps_its_digits(gap, rng):
    """1 - pi is of the size exp(-gap), far below the rounding of pi."""
    f = rng.normal(size=40) * 2
    chosen = [1, 5, 22, 30]
    f[chosen] += gap
    np.testing.assert_allclose(value_and_grad(f, chosen)[1], exact(f, chosen)[1], rtol=1e-9, atol=0)
