"""Views of crops: turns keep values, distortion keeps the mask apart, strength 0 changes nothing."""

import pytest
import torch

from cellgraph_clr.models.morpho.distortion import distorted, turned


def crops(ndim, seed=0):
    g = torch.Generator().manual_seed(seed)
    image = torch.randn(5, 2, *(12,) * ndim, generator=g)
    mask = torch.zeros(5, 1, *(12,) * ndim)
    mask[(slice(None), slice(None), *(slice(2, 10),) * ndim)] = 1
    return torch.cat([image * mask, mask], dim=1)


@pytest.mark.parametrize("ndim", [2, 3])
def test_turns_keep_the_values(ndim):
    x = crops(ndim)
    g = torch.Generator().manual_seed(1)
    seen = set()
    for _ in range(60):
        y = turned(x[:1], g)
        torch.testing.assert_close(y.flatten(2).sort(dim=2).values, x[:1].flatten(2).sort(dim=2).values)
        seen.add(tuple(y[0, 0].flatten().tolist()))
    assert len(seen) > {2: 6, 3: 30}[ndim]  # of 8 and 48


@pytest.mark.parametrize("ndim", [2, 3])
def test_distortion_has_a_strength(ndim):
    x = crops(ndim)
    same = distorted(x, 0.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(same, x, atol=1e-5, rtol=1e-5)
    change = [
        float((distorted(x, s, torch.Generator().manual_seed(0)) - x)[:, :-1].square().mean()) for s in (0.3, 1.0)
    ]
    assert 0 < change[0] < change[1]
    y = distorted(x, 1.0, torch.Generator().manual_seed(0))
    assert (y[:, :-1] * (y[:, -1:] <= 0.5) == 0).all()  # nothing outside of the cell
    assert (
        distorted(x, 1.0, torch.Generator(), masked=False)[:, :-1][(y[:, -1:] == 0).expand(-1, 2, *x.shape[2:])] != 0
    ).any()
    assert 0.8 < float(y[:, -1].sum() / x[:, -1].sum()) < 1.2
