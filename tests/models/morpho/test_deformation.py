"""Views of surfaces: rigid motions cost nothing, bending keeps edge lengths, normals stay normal."""

import itertools

import pytest
import torch

from cellgraph_clr.models.morpho.deformation import (
    as_rigid_as_possible,
    centred,
    deform,
    random_rotation,
    scale_along_axes,
)
from cellgraph_clr.models.morpho.points import nearest_points


def rod(d=3, p=120, seed=0):
    g = torch.Generator().manual_seed(seed)
    angle = 6.28318 * torch.rand(2, p, generator=g)
    along = 6 * torch.rand(2, p, generator=g) - 3
    normals = torch.stack([torch.zeros_like(angle), torch.cos(angle), torch.sin(angle)], dim=2)
    points = normals + torch.stack([along, torch.zeros_like(along), torch.zeros_like(along)], dim=2)
    return points[..., :d].double(), normals[..., :d].double()


def test_a_rigid_motion_of_all_handles_moves_all_points():
    points, _ = rod()
    near = nearest_points(points, 8)
    turn = random_rotation(2, 3, torch.Generator().manual_seed(1)).double()
    turn = turn * torch.linalg.det(turn).view(2, 1, 1)  # without a mirror
    handles = torch.arange(0, 120, 4).expand(2, -1)
    wanted = points @ turn.transpose(1, 2) + 5
    targets = wanted.gather(1, handles.unsqueeze(2).expand(-1, -1, 3))
    moved, rotations = as_rigid_as_possible(points, near, handles, targets, n_iterations=60)
    torch.testing.assert_close(moved, wanted, atol=0.02, rtol=0)
    torch.testing.assert_close(rotations, turn.unsqueeze(1).expand_as(rotations), atol=0.02, rtol=0)


def test_bending_keeps_the_lengths_of_edges():
    points, normals = rod()
    near = nearest_points(points, 8)
    handles = torch.stack([points[..., 0].argmin(1), points[..., 0].argmax(1), points[..., 0].abs().argmin(1)], dim=1)
    start = points.gather(1, handles.unsqueeze(2).expand(-1, -1, 3))
    pulled = start + torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]).double()
    moved, _ = as_rigid_as_possible(points, near, handles, pulled, n_iterations=20)

    def lengths(x):
        return (x.unsqueeze(2) - x.gather(1, near.reshape(2, -1, 1).expand(-1, -1, 3)).reshape(2, 120, 8, 3)).norm(
            dim=3
        )

    change = (lengths(moved) / lengths(points) - 1).abs()
    assert change.median() < 0.05
    assert (moved - points).norm(dim=2).max() > 0.6  # and yet it is bent
    assert ((moved.gather(1, handles.unsqueeze(2).expand(-1, -1, 3)) - pulled).norm(dim=2) < 0.5).all()


def test_the_energy_falls_with_every_turn():
    points, _ = rod(seed=3)
    near = nearest_points(points, 6)
    handles = torch.tensor([[0, 5, 9]]).expand(2, -1)
    targets = points.gather(1, handles.unsqueeze(2).expand(-1, -1, 3)) + 1.5
    targets[:, 0] -= 3
    weight = torch.zeros(2, 120, 120).double().scatter_(2, near, 1.0)
    weight = torch.maximum(weight, weight.transpose(1, 2))
    energies = []
    for n in (1, 2, 5, 20):
        moved, rotations = as_rigid_as_possible(points, near, handles, targets, n_iterations=n)
        old = points.unsqueeze(2) - points.unsqueeze(1)
        new = moved.unsqueeze(2) - moved.unsqueeze(1)
        apart = new - torch.einsum("bicd,bijd->bijc", rotations, old)
        held = (moved.gather(1, handles.unsqueeze(2).expand(-1, -1, 3)) - targets).square().sum()
        energies.append(float((weight * apart.square().sum(3)).sum() + 10 * held))
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(energies))


@pytest.mark.parametrize("d", [2, 3])
def test_normals_stay_normal_and_sizes_are_set(d):
    g = torch.Generator().manual_seed(0)
    normals = torch.nn.functional.normalize(torch.randn(3, 200, d, generator=g), dim=2)
    points, turned = scale_along_axes(5 * normals, normals, 0.3, g)
    torch.testing.assert_close(turned.norm(dim=2), torch.ones(3, 200))
    # the tangent of the ellipsoid is at right angles to the normal: steps to near points are
    near = nearest_points(points, 1).squeeze(2)
    step = points.gather(1, near.unsqueeze(2).expand(-1, -1, d)) - points
    cosine = (torch.nn.functional.normalize(step, dim=2) * turned).sum(2).abs()
    assert cosine.median() < 0.15
    bent, normals = deform(points, turned, nearest_points(points, 6), g)
    torch.testing.assert_close(normals.norm(dim=2), torch.ones(3, 200))
    assert 0 < (bent - points).norm(dim=2).max() < 0.5 * 10
    even = centred(bent)
    torch.testing.assert_close(even.square().sum(2).mean(1), torch.ones(3))


def test_a_part_without_an_edge_to_a_handle_stays():
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(1, 40, 2, generator=generator)
    points = torch.cat([one, one[:, :30] + 50], dim=1)  # two islands
    near = nearest_points(points, 4)
    moved, _ = as_rigid_as_possible(points, near, torch.tensor([[0, 1]]), points[:, :2] + 0.5)
    torch.testing.assert_close(moved[:, 40:], points[:, 40:], atol=0.02, rtol=0)
    assert (moved[:, :40] - points[:, :40]).norm(dim=2).mean() > 0.1
