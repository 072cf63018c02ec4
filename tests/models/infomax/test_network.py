"""Encoder of fields: shapes, foreground pooling, what normalisation loses."""

import pytest
import torch

from cellgraph_clr.encoders.critic import Critic
from cellgraph_clr.models.infomax.config import NORMS
from cellgraph_clr.models.infomax.network import FieldEncoder, pooled


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("residual", [False, True])
def test_local_and_global_vectors(norm, residual):
    net = FieldEncoder(3, 6, 5, n_hidden=4, norm=norm, residual=residual)
    local = net(torch.randn(2, 3, 32, 24))
    assert local.shape == (2, 6, 4, 3)
    assert net.summary(local).shape == (2, 5)
    assert Critic(6, 5)(local.flatten(2).transpose(1, 2).flatten(0, 1), net.summary(local)).shape == (24, 2)


def test_pooling_sees_the_foreground_alone():
    local = torch.randn(2, 3, 4, 4, requires_grad=True)
    weight = torch.zeros(2, 4, 4)
    weight[0, :2] = 1
    out = pooled(local, weight)
    torch.testing.assert_close(out[0], local[0, :, :2].flatten(1).mean(dim=1))
    torch.testing.assert_close(out[1], local[1].flatten(1).mean(dim=1))  # no foreground: all of it
    out[0].sum().backward()
    assert (local.grad[0, :, 2:] == 0).all()


def test_group_normalisation_loses_brightness_and_none_keeps_it():
    torch.manual_seed(0)
    image = torch.rand(1, 1, 64, 64)
    moved = {}
    for norm in ("none", "group"):
        net = FieldEncoder(1, n_hidden=8, norm=norm).eval()
        one, other = (net.summary(net(gain * image)).detach() for gain in (1, 4))
        moved[norm] = float((one - other).norm() / one.norm())
    assert moved["none"] > 4 * moved["group"]
