import numpy as np
import pytest
import torch

from cellgraph_clr.training.figures import alignment, effective_rank, uniformity


def test_alignment_is_the_squared_distance_of_pairs():
    a = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    c = torch.tensor([[3.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    positives = torch.tensor([[True, True, False], [False, False, True]])
    assert alignment(a, c, positives) == pytest.approx((0 + 4 + 0) / 3)
    assert alignment(a, c, positives & False) == 0


def test_uniformity_of_points_on_a_circle():
    angle = torch.arange(4) * np.pi / 2
    square = torch.stack([angle.cos(), angle.sin()], 1)
    assert uniformity(square) == pytest.approx(np.log((4 * np.exp(-4) + 2 * np.exp(-8)) / 6), abs=1e-5)
    assert uniformity(torch.ones(5, 3)) == pytest.approx(0, abs=1e-5)
    assert uniformity(torch.ones(1, 3)) == 0


def test_effective_rank_counts_directions():
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(4000, 5, generator=generator)
    assert effective_rank(v) == pytest.approx(5, abs=0.05)
    assert effective_rank(v * torch.tensor([1, 1, 0, 0, 0])) == pytest.approx(2, abs=0.01)
    assert effective_rank(torch.ones(10, 5)) == 0
