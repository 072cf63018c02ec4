"""Decorrelation: 0 for maps that differ, log c for equal ones, whatever their scale."""

import math

import torch

from cellgraph_clr.objectives.decorrelation import decorrelation


def test_known_values():
    maps = torch.linalg.qr(torch.randn(64, 7, dtype=torch.float64))[0].T
    maps = torch.linalg.qr((maps - maps.mean(1, keepdim=True)).T)[0].T
    apart = decorrelation(maps.reshape(1, 7, 8, 8), 0.01)
    assert float(apart) < 1e-6
    same = maps[:1].expand(7, -1).reshape(1, 7, 8, 8)
    assert math.isclose(float(decorrelation(same)), math.log(7), abs_tol=1e-9)


def test_scale_and_offset_change_nothing():
    maps = torch.randn(2, 5, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(decorrelation(maps), decorrelation(3 * maps + 2))


def test_gradients_are_finite_for_constant_maps():
    maps = torch.ones(1, 3, 4, 4, requires_grad=True)
    decorrelation(maps).backward()
    assert torch.isfinite(maps.grad).all()
