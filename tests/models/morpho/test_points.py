"""Surfaces to vectors: pose and order change nothing, shape does; loops; 2D."""

import numpy as np
import pytest
import torch

from cellgraph_clr.models.morpho.points import PointEncoder, nearest_points, pair_invariants


def cloud(p, d, seed=0, stretch=1.0):
    g = torch.Generator().manual_seed(seed)
    normals = torch.nn.functional.normalize(torch.randn(2, p, d, generator=g), dim=2)
    points = normals * torch.tensor([stretch, *[1.0] * (d - 1)])
    return points, normals


def test_nearest_points_equal_a_loop():
    points, _ = cloud(40, 3)
    near = nearest_points(points, 5)
    for i in (0, 17):
        distance = (points[1] - points[1, i]).norm(dim=1)
        assert near[1, i].tolist() == distance.argsort()[1:6].tolist()


@pytest.mark.parametrize("d", [2, 3])
def test_pose_mirror_and_order_change_nothing(d):
    torch.manual_seed(0)
    encoder = PointEncoder(16, n_hidden=8).double().eval()
    points, normals = (t.double() for t in cloud(60, d))
    turn = torch.from_numpy(np.linalg.qr(np.random.default_rng(1).normal(size=(d, d)))[0])  # perhaps with a mirror
    order = torch.randperm(60)
    one = encoder(points, normals)
    torch.testing.assert_close(encoder(points @ turn, normals @ turn), one)
    torch.testing.assert_close(encoder(points[:, order], normals[:, order]), one)
    invariants = pair_invariants(points, normals, nearest_points(points, 4))
    assert invariants.shape == (2, 60, 4, 4)
    assert (invariants[..., 1:].abs() <= 1 + 1e-9).all()
    other = encoder(*(t.double() for t in cloud(60, d, stretch=3.0)))
    assert (other - one).abs().max() > 1e-3


def test_the_block_is_the_edge_convolution():
    torch.manual_seed(0)
    encoder = PointEncoder(4, n_hidden=8, n_blocks=1)
    block = encoder.blocks[0]
    points, normals = cloud(20, 3)
    near = nearest_points(points, 3)
    h = torch.randn(2, 20, 8)
    pairs = pair_invariants(points, normals, near)
    out = block(h, pairs, near)
    for i in (0, 7):
        edges = []
        for a, j in enumerate(near[0, i]):
            both = torch.cat([h[0, i], h[0, j] - h[0, i]])
            edges.append(torch.relu(block.enter(both) + block.pair(pairs[0, i, a])))
        expected = h[0, i] + torch.relu(block.norm(block.leave(torch.stack(edges).amax(0))))
        torch.testing.assert_close(out[0, i], expected)


def test_few_points_still_pass():
    assert PointEncoder(4, n_hidden=8)(*cloud(6, 3)).shape == (2, 4)
