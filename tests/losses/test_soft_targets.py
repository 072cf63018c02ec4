"""SoftInfoNCE: the reference tensor of the paper, its identities, absent classes."""

import math

import numpy as np
import pytest
import torch

from cellgraph_clr._core.errors import OptionError, ShapeError
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
