"""The U-Net: shapes, and what a pixel depends on."""

import pytest
import torch

from cellgraph_clr.models.time_arrow.unet import UNet


@pytest.mark.parametrize(("ndim", "shape"), [(2, (16, 24)), (3, (8, 16, 8))])
def test_every_pixel_has_features(ndim, shape):
    net = UNet(2, 5, ndim=ndim, n_hidden=4)
    assert net(torch.randn(3, 2, *shape)).shape == (3, 5, *shape)


def test_a_pixel_depends_on_its_halo_alone():
    torch.manual_seed(0)
    net = UNet(1, 3, n_hidden=4, n_levels=2).eval()
    image = torch.randn(1, 1, 160, 160, requires_grad=True)
    net(image)[0, :, 80, 80].sum().backward()
    seen = image.grad[0, 0].nonzero()
    assert int((seen - 80).abs().max()) <= net.halo
    assert net.halo % net.multiple == 0
