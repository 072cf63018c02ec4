"""The network of time-arrow prediction: flipped frames give flipped numbers."""

import pytest
import torch

from cellgraph_clr.models.time_arrow.network import ArrowNet
from cellgraph_clr.models.time_arrow.unet import UNet


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("train", [False, True])
def test_permuted_frames_give_permuted_numbers(ndim, train):
    torch.manual_seed(0)
    net = ArrowNet(UNet(1, 6, ndim=ndim, n_hidden=4, n_levels=1), 6, ndim=ndim).train(train)
    x = torch.randn(2, 3, 1, *(8,) * ndim)
    order = [2, 0, 1]
    torch.testing.assert_close(net(x[:, order]), net(x)[:, order], atol=1e-5, rtol=1e-5)
    assert net(x).shape == (2, 3)
    assert net.dense(x[:, 0]).shape == (2, 6, *(8,) * ndim)
