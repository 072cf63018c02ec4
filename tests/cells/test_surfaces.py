"""Points on surfaces: spheres and planes, uniform by area, anisotropic voxels, thin cells, blocks and threads."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.cells.surfaces import sample_surface, sample_surfaces


def ball(radius, spacing):
    half = [int(np.ceil(radius / s)) for s in spacing]
    axes = [np.arange(-h, h + 1) * s for h, s in zip(half, spacing, strict=True)]
    inside = sum(a * a for a in np.meshgrid(*axes, indexing="ij")) <= radius**2
    return inside, np.array([h * s for h, s in zip(half, spacing, strict=True)])


@pytest.mark.parametrize("spacing", [(1.0, 1, 1), (2, 0.7, 0.7)])
def test_a_sphere_has_its_surface_its_radius_and_its_normals(spacing):
    mask, centre = ball(12.0, spacing)
    points, normals, area = sample_surface(mask, spacing, 2000)
    assert area == pytest.approx(4 * np.pi * 144, rel=0.02)
    offset = points - centre
    radius = np.linalg.norm(offset, axis=1)
    assert radius.mean() == pytest.approx(12, rel=0.03)
    cosine = (offset * normals).sum(1) / radius
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 4
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.abs(offset / radius[:, None]).mean(0), 0.5, atol=0.02)  # uniform by area


def test_a_tilted_box_is_sampled_evenly_on_all_sides():
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    grid = np.stack(np.meshgrid(*[np.arange(-30, 31.0)] * 3, indexing="ij"), -1)
    half = np.array([20.0, 10, 6])
    mask = (np.abs(grid @ turn) <= half).all(-1)
    points, _, area = sample_surface(mask, (1, 1, 1), 4000)
    assert area == pytest.approx(8 * (20 * 10 + 20 * 6 + 10 * 6), rel=0.05)
    side = (np.abs((points - 30) @ turn) / half).argmax(1)
    true = np.array([10 * 6, 20 * 6, 20 * 10])
    np.testing.assert_allclose(np.bincount(side) / 4000, true / true.sum(), atol=0.03)


def test_an_outline_has_its_perimeter():
    mask, centre = ball(15.0, (1.0, 1.0))
    points, normals, perimeter = sample_surface(mask, (1.0, 1.0), 300)
    assert points.shape == normals.shape == (300, 2)
    assert perimeter == pytest.approx(2 * np.pi * 15, rel=0.03)
    assert np.linalg.norm(points - centre, axis=1).std() < 0.3


@pytest.mark.parametrize("mask", [np.ones((1, 1, 1)), np.ones((1, 5, 5)), np.ones((1, 1)), np.ones((1, 7))])
def test_cells_thinner_than_the_sampling_have_points(mask):
    points, normals, area = sample_surface(mask.astype(bool), (1.0,) * mask.ndim, 50)
    assert np.isfinite(points).all()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-6)
    assert area > 0
    assert (np.abs(points - (np.array(mask.shape) - 1) / 2) <= np.array(mask.shape) / 2 + 0.51).all()


def test_threads_chunks_and_seeds(tissue_3d):
    image = tissue_3d.image
    s = scan_labels(image)
    one = sample_surfaces(image, s, 64, n_jobs=1)
    two = sample_surfaces(image, s, 64, n_jobs=2)
    np.testing.assert_array_equal(one.points, two.points)
    other = sample_surfaces(image, s, 64, seed=1)
    assert np.abs(one.points - other.points).max() > 0
    np.testing.assert_allclose(one.area, other.area)
    centre = s.first / s.count[:, None] * np.asarray(image.spacing)
    assert np.linalg.norm(one.points.mean(1) - centre, axis=1).max() < 4 * max(image.spacing)
    part = LabelImage(np.where(np.isin(image.labels, s.cell_id[:5]), image.labels, 0), image.spacing)
    few = sample_surfaces(part, scan_labels(part), 64)
    np.testing.assert_array_equal(few.points, one.points[:5])  # a cell's points depend on itself alone


def test_bad_input_is_named():
    with pytest.raises(OptionError, match="`n_points`"):
        sample_surface(np.ones((2, 2), bool), (1, 1), 0)
    with pytest.raises(OptionError, match="`smoothing`"):
        sample_surface(np.ones((2, 2), bool), (1, 1), smoothing=0)
