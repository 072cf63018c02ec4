"""Crops to codes and back: shapes, independence of the batch, learning."""

import pytest
import torch

from cellgraph_clr.models.morpho.volumes import CropDecoder, CropEncoder


@pytest.mark.parametrize("shape", [(16, 16), (8, 16, 24)])
def test_shapes_and_independence_of_the_batch(shape):
    torch.manual_seed(0)
    encoder = CropEncoder(3, 10, ndim=len(shape), n_hidden=8)
    decoder = CropDecoder(2, shape, 10, n_hidden=8)
    x = torch.randn(4, 3, *shape)
    code = encoder(x)
    assert code.shape == (4, 10)
    torch.testing.assert_close(encoder(x[:1]), code[:1], rtol=1e-4, atol=1e-5)
    assert decoder(code).shape == (4, 2, *shape)


def test_a_code_can_hold_a_crop():
    torch.manual_seed(0)
    x = torch.randn(4, 1, 8, 8)
    encoder, decoder = CropEncoder(1, 32, ndim=2), CropDecoder(1, (8, 8), 32)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    for _ in range(150):
        loss = (decoder(encoder(x)) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2
