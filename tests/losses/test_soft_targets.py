"""SoftInfoNCE: the reference tensor of the paper, its identities, absent classes."""

import math

import numpy as np
import pytest
import torch

from cellgraph_clr import losses
from cellgraph_clr._core.errors import OptionError, PairsError, ShapeError
from cellgraph_clr.losses.functional import soft_cross_entropy, soft_infonce


@pytest.fixture
def batch(rng):
    z = torch.tensor(rng.normal(size=(32, 5)) * 2, requires_grad=True)
    w = torch.tensor(rng.dirichlet(np.ones(5), 32))
    eta = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25], dtype=torch.float64)
    return z, w, eta


def test_equals_the_three_dimensional_form_of_the_paper(batch):
    z, w, eta = batch
    s = ((z[:, None, :] / 0.7 - eta.log()) * w[None]).sum(-1)
    reference = torch.logsumexp(s, 1) - s.diagonal()
    torch.testing.assert_close(soft_infonce(z, w, eta, 0.7), reference)


def test_gradient_is_the_weighted_difference_of_targets(batch):
    z, w, eta = batch
    (grad,) = torch.autograd.grad(soft_infonce(z, w, eta).sum(), z)
    p = torch.softmax((z - eta.log()) @ w.T, dim=1)
    torch.testing.assert_close(grad, p @ w - w, atol=1e-12, rtol=0)


def test_hard_targets_in_prior_proportion_give_cross_entropy(rng):
    eta = torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25], dtype=torch.float64)
    codes = torch.repeat_interleave(torch.arange(5), (eta * 20).long())
    z = torch.tensor(rng.normal(size=(len(codes), 5)))
    w = torch.nn.functional.one_hot(codes, 5).double()
    expected = torch.nn.functional.cross_entropy(z, codes, reduction="none") + math.log(len(codes)) + eta.log()[codes]
    torch.testing.assert_close(soft_infonce(z, w, eta), expected)


def test_equal_targets_carry_no_signal(batch):
    z, w, eta = batch
    loss = soft_infonce(z, w[:1].expand(32, 5), eta)
    torch.testing.assert_close(loss, torch.full_like(loss, math.log(32)))


def test_a_shift_of_the_logits_changes_nothing(batch):
    z, w, eta = batch
    torch.testing.assert_close(soft_infonce(z + torch.arange(32.0)[:, None], w, eta), soft_infonce(z, w, eta))


def test_an_absent_class_without_mass_is_left_out(batch):
    z, w, eta = batch
    w = torch.cat([w[:, :4] / w[:, :4].sum(1, keepdim=True), torch.zeros(32, 1)], dim=1)
    eta = torch.cat([eta[:4] / eta[:4].sum(), torch.zeros(1)])
    torch.testing.assert_close(soft_infonce(z, w, eta), soft_infonce(z[:, :4], w[:, :4], eta[:4]))


def test_bad_input_is_named(batch):
    z, w, eta = batch
    with pytest.raises(OptionError, match=r"no target mass on classes of prior 0, found mass on classes \[2\]"):
        soft_infonce(z, w, torch.where(torch.arange(5) == 2, 0.0, eta))
    with pytest.raises(ShapeError, match=r"of one shape"):
        soft_infonce(z, w[:, :4], eta)
    with pytest.raises(ShapeError, match=r"`class_prior` of shape \(5,\), found \(4,\)"):
        soft_infonce(z, w, eta[:4])
    with pytest.raises(OptionError, match=r"`temperature` above 0, found 0"):
        soft_infonce(z, w, eta, 0)


def test_soft_cross_entropy_is_torchs(batch):
    z, w, _ = batch
    reference = torch.nn.functional.cross_entropy(z / 0.5, w, reduction="none")
    torch.testing.assert_close(soft_cross_entropy(z, w, 0.5), reference)


def test_blocks_of_samples_change_nothing(batch, monkeypatch):
    z, w, eta = batch
    whole = soft_infonce(z, w, eta)
    monkeypatch.setattr("cellgraph_clr.losses.soft_targets.BLOCK", 5)
    torch.testing.assert_close(soft_infonce(z, w, eta), whole)
    assert torch.autograd.gradcheck(lambda x: soft_infonce(x, w, eta, 0.7), (z,))


def test_gathered_targets_equal_a_loop(batch, rng):
    z, w, eta = (v.detach().numpy() for v in batch)
    others = rng.dirichlet(np.ones(5), 9)
    gathered = np.concatenate([others[:4], w[:6], others[4:]])  # of three processes, this is the second
    found = soft_infonce(*map(torch.tensor, (z[:6], w[:6], eta)), 0.7, noise_targets=torch.tensor(gathered))
    for i, loss in enumerate(found.tolist()):
        scores = [sum(v[k] * (z[i, k] / 0.7 - math.log(eta[k])) for k in range(5)) for v in gathered]
        own = sum(w[i, k] * (z[i, k] / 0.7 - math.log(eta[k])) for k in range(5))
        assert loss == pytest.approx(math.log(sum(map(math.exp, scores))) - own, abs=1e-12)
        assert loss >= 0  # the own target is one of the sum


def test_halves_with_gathered_targets_make_the_whole(batch):
    z, w, eta = batch
    loss = losses.SoftInfoNCE(eta, 0.6)
    whole = loss(z, w)
    halves = [loss(z[half], w[half], w) for half in (slice(16), slice(16, 32))]
    torch.testing.assert_close(sum(halves) / 2, whole)
    (together,) = torch.autograd.grad(sum(halves) / 2, z)
    torch.testing.assert_close(together, torch.autograd.grad(whole, z)[0])
    alone = [loss(z[half], w[half]) for half in (slice(16), slice(16, 32))]
    assert abs(float((sum(alone) / 2 - whole).detach())) > 0.1  # fewer targets to be told from


def test_the_own_target_counts_once_however_often_others_share_it(batch):
    z, _, eta = batch
    w = torch.nn.functional.one_hot(torch.arange(32) % 5, 5).double()
    torch.testing.assert_close(soft_infonce(z, w, eta, noise_targets=w), soft_infonce(z, w, eta))
    doubled = soft_infonce(z, w, eta, noise_targets=torch.cat([w, w]))
    torch.testing.assert_close(doubled, soft_infonce(z, w, eta) + math.log(2))


def test_gathered_targets_are_checked(batch):
    z, w, eta = batch
    with pytest.raises(PairsError, match="among `noise_targets`, found 12 that are not, the first of sample 20"):
        soft_infonce(z, w, eta, noise_targets=w[:20])
    with pytest.raises(PairsError, match="found 32 that are not"):
        soft_infonce(z, w, eta, noise_targets=w[:0])
    with pytest.raises(ShapeError, match=r"`noise_targets` of shape \(m, 5\), found \(32, 4\)"):
        soft_infonce(z, w, eta, noise_targets=w[:, :4])
    with pytest.raises(ShapeError, match=r"found \(5,\)"):
        soft_infonce(z, w, eta, noise_targets=w[0])
    one = torch.eye(5, dtype=torch.float64)
    with pytest.raises(OptionError, match=r"mass on classes \[4\]"):  # that another process has, and the prior does not
        soft_infonce(z[:4], one[:4], torch.tensor([0.25] * 4 + [0.0]), noise_targets=one)
    assert soft_infonce(z[:0], w[:0], eta, noise_targets=w).shape == (0,)


def test_targets_gathered_in_another_precision_are_found(batch):
    z, w, eta = batch
    found = soft_infonce(z.float(), w, eta, noise_targets=w.float())
    torch.testing.assert_close(found, soft_infonce(z.float(), w.float(), eta))


def test_a_common_factor_of_the_prior_changes_nothing(batch):
    z, w, eta = batch
    torch.testing.assert_close(soft_infonce(z, w, 20 * eta), soft_infonce(z, w, eta))


def test_an_empty_batch_costs_nothing(batch):
    z, w, eta = batch
    assert float(losses.SoftInfoNCE(eta)(z[:0], w[:0]).detach()) == 0


@pytest.mark.parametrize("name", ["soft_infonce", "soft_cross_entropy"])
def test_the_gradient_of_a_temperature_is_exact(name, batch):
    z, w, eta = batch
    t = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    form = {
        "soft_infonce": lambda x, u: soft_infonce(x, w, eta, u),
        "soft_cross_entropy": lambda x, u: soft_cross_entropy(x, w, u),
    }[name]
    assert torch.autograd.gradcheck(form, (z, t))
    with pytest.raises(OptionError, match="`temperature` above 0, found tensor"):
        form(z, torch.tensor([0.7, 0.7]))
    with pytest.raises(OptionError, match="`temperature` above 0, found tensor"):
        form(z, torch.tensor(-0.7))
