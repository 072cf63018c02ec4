"""The temperature of a loss: fixed, set anew, or learned as its logarithm with an exact gradient."""

import math

import numpy as np
import pytest
import torch

from cellgraph_clr import losses
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.losses._blocks import blocked_mean

N, C, D = 20, 30, 6
SEVERAL = torch.rand(N, C, generator=torch.Generator().manual_seed(1)) < 0.1
SEVERAL[torch.arange(N), torch.arange(N)] = True
SEVERAL[4] = False
ONE = torch.eye(C, dtype=torch.bool)[:N]
EXCLUDE = (torch.rand(N, C, generator=torch.Generator().manual_seed(2)) < 0.2) & ~SEVERAL
LOSSES = ("InfoNCEp", "InfoNCE", "SupCon", "SupConIn", "MILNCE", "CompositeInfoNCE", "NTXent")
pair_losses = pytest.mark.parametrize("name", LOSSES)


@pytest.fixture
def vectors():
    g = torch.Generator().manual_seed(0)
    return [torch.randn(n, D, generator=g, dtype=torch.float64, requires_grad=True) for n in (N, C)]


def made(name, temperature=0.3):
    return getattr(losses, name)(temperature, learn_temperature=True).double()


def masks(name):
    return (ONE if name == "InfoNCE" else SEVERAL), EXCLUDE & ~ONE


@pair_losses
def test_the_gradient_of_a_learned_temperature_is_that_of_finite_differences(name, vectors):
    loss = made(name)
    (log_t,) = loss.parameters()
    value = loss(*vectors, *masks(name))
    gradient = torch.autograd.grad(value, [*vectors, log_t])
    fixed = getattr(losses, name)(0.3)
    reference = fixed(*vectors, *masks(name))
    torch.testing.assert_close(value, reference, rtol=1e-6, atol=0)  # log 0.3 is kept in float32
    for ours, theirs in zip(gradient[:2], torch.autograd.grad(reference, vectors), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)
    step = 1e-6
    t = float(log_t.detach().exp())
    up, down = (getattr(losses, name)(t * math.exp(h))(*vectors, *masks(name)).item() for h in (step, -step))
    assert gradient[2].item() == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-9)


@pair_losses
@pytest.mark.parametrize("block_size", [7, 100])
def test_blocks_hold_the_gradient_of_the_temperature(name, block_size, vectors):
    """With the noise correction, which the temperature does not divide; upstream gradients multiply."""
    kind = getattr(losses, "CompositeInfoNCE" if name == "NTXent" else name)
    positives, exclude = masks(name)
    log_noise = torch.linspace(-4, -1, C, dtype=torch.float64)
    t = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)

    def blocked(a, c, u):
        options = {"with_slope": kind.with_slope, "log_noise": log_noise, "block_size": block_size}
        return 3 * blocked_mean(a, c, positives, exclude, kind.row_loss, temperature=u, **options)

    assert torch.autograd.gradcheck(blocked, (*vectors, t))
    reference = 3 * kind.row_loss(vectors[0] @ vectors[1].T / t - log_noise, positives, exclude).mean()
    inputs = [*vectors, t]
    found = torch.autograd.grad(blocked(*inputs), inputs)
    for ours, theirs in zip(found, torch.autograd.grad(reference, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_the_temperature_alone_can_be_learned(vectors):
    loss = made("InfoNCEp")
    a, c = (v.detach() for v in vectors)
    loss(a, c, SEVERAL).backward()
    assert float(loss.log_temperature.grad) != 0
    both = made("InfoNCEp")
    both(*vectors, SEVERAL).backward()
    torch.testing.assert_close(loss.log_temperature.grad, both.log_temperature.grad)


@pair_losses
def test_precisions_of_vectors_and_temperature_may_differ(name, vectors):
    loss = made(name).float()
    reference = torch.autograd.grad(loss(*vectors, *masks(name)), list(loss.parameters()))[0]
    assert reference.dtype == torch.float32
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 5e-2)):
        low = [v.detach().to(dtype).requires_grad_() for v in vectors]
        (found,) = torch.autograd.grad(loss(*low, *masks(name)), list(loss.parameters()))
        torch.testing.assert_close(found, reference, rtol=tolerance, atol=tolerance * 0.1)


def test_no_more_scores_than_a_block_are_held(vectors):
    seen = []

    def row_loss(scores, positives, exclude):
        seen.append(tuple(scores.shape))
        return losses.InfoNCEp.row_loss(scores, positives, exclude)

    positives = torch.eye(2500, C, dtype=torch.bool)
    anchor = torch.randn(2500, D, requires_grad=True)
    t = torch.tensor(0.4, requires_grad=True)
    blocked_mean(anchor, torch.randn(C, D), positives, None, row_loss, temperature=t).backward()
    assert seen == [(1024, C), (1024, C), (452, C)]
    assert float(t.grad) != 0


def test_a_learned_temperature_finds_the_scale_of_the_planted_model():
    """Positives drawn with probability proportional to exp(cosine / 0.25) teach 0.25."""
    rng = np.random.default_rng(0)
    a, c = (torch.nn.functional.normalize(torch.tensor(rng.normal(size=(n, 3))), dim=1) for n in (4000, 40))
    weight = torch.softmax(a @ c.T / 0.25, dim=1).numpy()
    drawn = (rng.random((4000, 1)) < weight.cumsum(1)).argmax(1)
    positives = torch.nn.functional.one_hot(torch.tensor(drawn), 40).bool()
    loss = losses.InfoNCE(1.0, learn_temperature=True)
    optimizer = torch.optim.LBFGS(loss.parameters(), line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss(a, c, positives)
        value.backward()
        return value

    optimizer.step(closure)
    assert float(loss.temperature.detach()) == pytest.approx(0.25, rel=0.05)


def test_it_stays_positive_under_any_optimizer(vectors):
    loss = made("SupCon", 0.05)
    optimizer = torch.optim.SGD(loss.parameters(), lr=50.0)
    for _ in range(3):
        optimizer.zero_grad()
        loss(*vectors, SEVERAL).backward()
        optimizer.step()
        assert float(loss.temperature.detach()) > 0


def test_state_names_and_options(vectors):
    fixed, learned = losses.InfoNCEp(0.2), losses.InfoNCEp(0.2, learn_temperature=True)
    assert fixed.temperature == 0.2
    assert not list(fixed.parameters())
    assert not fixed.state_dict()
    assert list(learned.state_dict()) == ["log_temperature"]
    assert repr(fixed) == "InfoNCEp(temperature=0.2)"
    assert repr(learned) == "InfoNCEp(temperature=0.2, learn_temperature=True)"
    again = losses.InfoNCEp(1.0, learn_temperature=True)
    again.load_state_dict(learned.state_dict())
    assert float(again.temperature.detach()) == pytest.approx(0.2)
    for loss in (fixed, learned):
        loss.temperature = 0.5
        assert torch.as_tensor(loss.temperature).item() == pytest.approx(0.5)
        torch.testing.assert_close(loss(*vectors, SEVERAL), losses.InfoNCEp(0.5)(*vectors, SEVERAL), rtol=1e-6, atol=0)
    soft = losses.SoftInfoNCE(torch.ones(3) / 3, 0.5, learn_temperature=True)
    soft(torch.randn(4, 3), torch.softmax(torch.randn(4, 3), 1)).backward()
    assert float(soft.log_temperature.grad) != 0
    assert losses.NTXent(0.2, learn_temperature=True).composite.log_temperature is not None


@pytest.mark.parametrize("kind", [losses.InfoNCEp, losses.NTXent])
def test_what_is_no_temperature_is_named(kind):
    for wrong in (-1, 0, math.inf, math.nan, "0.1", True, None):
        with pytest.raises(OptionError, match="`temperature` above 0, found"):
            kind(wrong)
    with pytest.raises(OptionError, match="as a number, found a Parameter. To learn it, pass the value to start from"):
        kind(torch.nn.Parameter(torch.tensor(0.1)))
    loss = losses.InfoNCEp(np.float32(0.25))
    assert loss.temperature == 0.25
    with pytest.raises(OptionError, match="above 0, found -0.5"):
        loss.temperature = -0.5
