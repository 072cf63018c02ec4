"""VICReg against a loop written from its equations; decorrelation is 0 for maps that differ, log c for equal ones."""

import math

import numpy as np
import pytest
import torch

from cellgraph_clr import losses
from cellgraph_clr._core.errors import OptionError, PairsError, ShapeError
from cellgraph_clr.losses.functional import decorrelation, vicreg


def by_hand(a, c, positives, weights):
    apart = []
    for i in range(len(a)):
        mine = [float(((a[i] - c[j]) ** 2).sum()) for j in range(len(c)) if positives[i, j]]
        apart += [np.mean(mine)] if mine else []
    spread = covaried = 0.0
    for z in (a, c):
        d = z.shape[1]
        for j in range(d):
            spread += max(0.0, 1 - np.sqrt(z[:, j].var(ddof=1) + 1e-4)) / d
            for k in range(d):
                covaried += np.cov(z[:, j], z[:, k])[0, 1] ** 2 / d if j != k else 0
    return weights[0] * np.mean(apart) + weights[1] * spread + weights[2] * covaried


@pytest.mark.parametrize("several", [False, True])
def test_equals_the_loop(rng, several):
    a, c = rng.normal(size=(12, 3)) * [0.5, 1, 2], rng.normal(size=(12, 3)) * 0.7
    positives = np.eye(12, dtype=bool)
    if several:
        positives = rng.random((12, 12)) < 0.2
        positives[3] = False
    value = vicreg(torch.tensor(a), torch.tensor(c), torch.tensor(positives))
    assert value.item() == pytest.approx(by_hand(a, c, positives, (25, 25, 1)), rel=1e-9)


def test_collapse_costs_and_gradients_are_right(rng):
    eye = torch.eye(8, dtype=torch.bool)
    one = torch.ones(8, 4, dtype=torch.float64)
    assert losses.VICReg()(one, one, eye).item() == pytest.approx(2 * 25 * 0.99)
    a = torch.tensor(rng.normal(size=(8, 4)), requires_grad=True)
    c = torch.tensor(rng.normal(size=(8, 4)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, y: vicreg(x, y, eye), (a, c))


def test_one_anchor_has_no_variance():
    with pytest.raises(ShapeError, match=r"at least two anchors and two candidates, found 1 and 5"):
        vicreg(torch.zeros(1, 2), torch.zeros(5, 2), torch.ones(1, 5, dtype=torch.bool))


def test_known_values_of_decorrelation():
    maps = torch.linalg.qr(torch.randn(64, 7, dtype=torch.float64))[0].T
    maps = torch.linalg.qr((maps - maps.mean(1, keepdim=True)).T)[0].T
    apart = decorrelation(maps.reshape(1, 7, 8, 8), 0.01)
    assert float(apart) < 1e-6
    same = maps[:1].expand(7, -1).reshape(1, 7, 8, 8)
    assert math.isclose(float(decorrelation(same)), math.log(7), abs_tol=1e-9)


def test_decorrelation_scale_and_offset_change_nothing():
    maps = torch.randn(2, 5, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(decorrelation(maps), decorrelation(3 * maps + 2))


def test_gradients_are_finite_for_constant_maps():
    maps = torch.ones(1, 3, 4, 4, requires_grad=True)
    decorrelation(maps).backward()
    assert torch.isfinite(maps.grad).all()


def test_bad_input_is_named():
    z = torch.zeros(4, 2)
    with pytest.raises(ShapeError, match=r"anchor \(a, d\) and candidates \(c, d\)"):
        vicreg(z, torch.zeros(4, 3), torch.eye(4, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"`positives` of shape \(4, 4\), found \(3, 3\)"):
        vicreg(z, z, torch.eye(3, dtype=torch.bool))
    with pytest.raises(PairsError, match="bool mask"):
        vicreg(z, z, torch.eye(4))
    with pytest.raises(ShapeError, match=r"`exclude` of shape \(4, 4\)"):
        losses.VICReg()(z, z, torch.eye(4, dtype=torch.bool), torch.eye(3, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"features of shape \(b, c, …\), found \(4, 2\)"):
        decorrelation(z)
    with pytest.raises(OptionError, match="`temperature` above 0, found 0"):
        decorrelation(torch.ones(1, 2, 3), 0)
    assert float(decorrelation(torch.ones(0, 2, 3))) == 0
