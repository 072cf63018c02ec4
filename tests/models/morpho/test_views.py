"""Views of cells: how far surfaces are bent and scaled; patches that are not shared, turned before and distorted after."""

import math

import pytest
import torch

from cellgraph_clr.models.morpho.deformation import centred
from cellgraph_clr.models.morpho.views import CropViews, SurfaceViews


def ellipsoids(n=6, p=160, d=3):
    g = torch.Generator().manual_seed(0)
    normals = torch.nn.functional.normalize(torch.randn(n, p, d, generator=g), dim=2)
    axes = torch.tensor([3.0, 2.0, 1.0])[:d]
    return normals * axes, torch.nn.functional.normalize(normals / axes, dim=2)


def first_view(strength, seed, rows=None, d=3):
    """Return the first view: with other strengths it holds the same points."""
    points, normals = ellipsoids(d=d)
    rows = torch.arange(len(points)) if rows is None else rows
    return SurfaceViews(points, normals, 48, strength).views(rows, torch.Generator().manual_seed(seed))[0][0]


def linear_part(before, after):
    """Return the singular values of the linear map nearest to a change of each surface, and what it leaves over."""
    slopes = torch.linalg.lstsq(before.double(), after.double()).solution
    return torch.linalg.svdvals(slopes), (after.double() - before.double() @ slopes).norm(dim=2)


@pytest.mark.parametrize("d", [2, 3])
def test_without_strength_surfaces_are_other_draws_alone(d):
    points, normals = ellipsoids(d=d)
    rows = torch.tensor([4, 0, 5])
    views = SurfaceViews(points, normals, 48, 0.0).views(rows, torch.Generator().manual_seed(0))
    drawn = []
    for (seen, facing), target in views:
        assert target is None
        assert seen.shape == facing.shape == (3, 48, d)
        for i, row in enumerate(rows):
            index = (
                (facing[i][:, None] - normals[row][None]).abs().sum(2).argmin(1)
            )  # points are known by their normals
            assert len(set(index.tolist())) == 48
            torch.testing.assert_close(facing[i], normals[row, index])
            torch.testing.assert_close(seen[i], centred(points[row, index][None])[0])
            drawn.append(set(index.tolist()))
    assert all(drawn[i] != drawn[i + 3] for i in range(3))  # of one cell, in both views
    assert drawn[0] != drawn[1]


def test_surfaces_are_bent_by_up_to_their_strength():
    apart, left = [], []
    for seed in range(8):
        before, after = first_view(0.0, seed)[0], first_view(1.0, seed)[0]
        values, rest = linear_part(before, after)
        apart.append(values[:, 0] / values[:, -1])
        left.append(rest.amax(dim=1))
    ratio, bend = torch.cat(apart), torch.cat(left)
    assert (bend > 0.005).all()  # no scaling does this
    assert 0.06 < bend.max() < 0.2  # a tenth of the diameter at the most, which is 2
    assert ratio.median() > 1.06
    assert ratio.max() < 1.1 / 0.9 * 1.2  # scaling by 0.9 to 1.1, and what bending adds


def test_scaling_alone_stays_within_its_strength(monkeypatch):
    from cellgraph_clr.models.morpho import views

    monkeypatch.setattr(views, "deform", lambda points, normals, *_, **__: (points, normals))
    ratios = []
    for seed in range(8):
        values, rest = linear_part(first_view(0.0, seed)[0], first_view(1.0, seed)[0])
        assert rest.max() < 1e-5
        ratios.append(values[:, 0] / values[:, -1])
    ratio = torch.cat(ratios)
    assert ratio.max() <= 1.1 / 0.9 + 1e-4
    assert ratio.max() > 1.1


def test_bending_grows_with_strength_and_changes_distances():
    before = first_view(0.0, 1)[0]
    change = []
    for strength in (0.2, 1.0):
        after = first_view(strength, 1)[0]
        change.append((torch.cdist(after, after) - torch.cdist(before, before)).abs().mean(dim=(1, 2)))
    assert (change[0] > 1e-3).all()
    assert (change[1] > 2 * change[0]).all()
    assert change[1].max() < 0.3


def test_normals_of_bent_surfaces_stay_unit_and_at_their_points():
    before, after = first_view(0.0, 2), first_view(1.0, 2)
    torch.testing.assert_close(after[1].norm(dim=2), torch.ones(6, 48))
    assert (before[1] * after[1]).sum(2).mean() > 0.9
    assert (before[1] * after[1]).sum(2).min() > math.cos(1.2)


def textured(n=4, k=6, side=8):
    """Return crops (n, k, 3, side, side) of noise, the mask all of it."""
    g = torch.Generator().manual_seed(0)
    image = torch.randn(n, k, 2, side, side, generator=g)
    return torch.cat([image, torch.ones(n, k, 1, side, side)], dim=2)


def patches_of(target, crops):
    """Return cell and patch of every crop, known by their sorted values, which turns leave alone."""
    have = crops[:, :, 0].flatten(2).sort(dim=2).values.flatten(0, 1)
    seen = target[:, 0].flatten(1).sort(dim=1).values
    gap, index = torch.cdist(seen, have).min(dim=1)
    assert (gap < 1e-4).all()
    return [divmod(int(i), crops.shape[1]) for i in index]


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("k", [1, 5, 6])
def test_the_views_of_a_cell_share_no_patch_unless_it_has_but_one(strength, k):
    crops = textured(k=k)
    rows = torch.tensor([2, 0, 3])
    source = CropViews(crops, strength, True)
    assert source.n_cells == 4
    seen = set()
    for seed in range(12):
        views = source.views(rows, torch.Generator().manual_seed(seed))
        m = max(1, k // 2)
        found = [patches_of(target, crops) for _, target in views]
        for view in found:
            assert [cell for cell, _ in view] == [row for row in (2, 0, 3) for _ in range(m)]  # together
            assert len(set(view)) == len(view)
        assert set(found[0]) == set(found[1]) if k == 1 else not set(found[0]) & set(found[1])
        seen |= set(found[0])
    assert len(seen) == 3 * k


def test_what_is_rebuilt_is_the_crop_turned_and_not_yet_distorted():
    crops = textured()
    rows = torch.tensor([1, 2])
    ways = set()
    for seed in range(12):
        for (inputs,), target in CropViews(crops, 0.05, True).views(rows, torch.Generator().manual_seed(seed)):
            assert inputs.shape == (6, 3, 8, 8)
            assert target.shape == (6, 2, 8, 8)
            for (cell, patch), seen, made in zip(patches_of(target, crops), inputs, target, strict=True):
                assert not torch.allclose(seen[:2], made, atol=1e-3)
                both = torch.stack([seen[:2].flatten(), made.flatten()])
                assert torch.corrcoef(both)[0, 1] > 0.95  # and turned alike
                where = [tuple(turn) for turn in (made[0] == crops[cell, patch, 0, 0, 0]).nonzero().tolist()]
                ways |= set(where)
    assert len(ways) == 4  # the first pixel is in every corner


def test_without_strength_what_is_seen_is_what_is_rebuilt():
    for (inputs,), target in CropViews(textured(), 0.0, True).views(torch.arange(4), torch.Generator().manual_seed(0)):
        torch.testing.assert_close(inputs[:, :2], target, atol=1e-4, rtol=1e-4)
