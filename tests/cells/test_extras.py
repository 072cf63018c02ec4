"""Features on request: closed forms, scikit-image as reference, laws under spacing and rotation, processes."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from cellgraph_clr import from_labels
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cells import crops, extras
from cellgraph_clr.cells.crops import Crop
from cellgraph_clr.cells.form import mesh_area, skeleton_length, thickness
from cellgraph_clr.cells.hull import convex_hull
from cellgraph_clr.cells.texture import N_LEVELS, TEXTURES, cooccurrence, texture


def crop(mask, spacing=None, image=None):
    mask = np.asarray(mask, bool)
    return Crop(1, mask, image, tuple(spacing or (1.0,) * mask.ndim), (0,) * mask.ndim)


def ball(radius, spacing=(1.0, 1.0, 1.0)):
    n = [int(radius / s) + 1 for s in spacing]
    at = np.stack(np.meshgrid(*[np.arange(-k, k + 1) * s for k, s in zip(n, spacing, strict=True)], indexing="ij"), -1)
    return (at**2).sum(-1) <= radius**2


@pytest.mark.parametrize("shape", [(4, 5), (1, 7), (1, 1), (3, 4, 5), (1, 1, 6), (1, 1, 1), (2, 1, 4)])
def test_the_hull_of_a_box_is_the_box(shape):
    spacing = (2.0, 0.5, 1.5)[: len(shape)]
    sides = np.array(shape) * spacing
    volume, solidity, feret = convex_hull(crop(np.ones(shape), spacing))
    assert (volume, solidity, feret) == pytest.approx((sides.prod(), 1.0, np.linalg.norm(sides)))


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_hull_is_that_of_all_corners_of_all_voxels(ndim, rng):
    for _ in range(10):
        mask = rng.random((6,) * ndim) < 0.2
        mask.flat[rng.integers(mask.size)] = True
        spacing = (3.0, 1.0, 0.5)[:ndim]
        cubes = np.stack(np.meshgrid(*[(-0.5, 0.5)] * ndim, indexing="ij"), -1).reshape(-1, ndim)
        corners = ((np.argwhere(mask)[:, None] + cubes) * spacing).reshape(-1, ndim)
        assert convex_hull(crop(mask, spacing))[0] == pytest.approx(ConvexHull(corners).volume)


def test_an_l_is_not_solid():
    mask = np.ones((4, 4), bool)
    mask[:2, 2:] = False
    assert convex_hull(crop(mask))[1] == pytest.approx(12 / 14)


def test_cooccurrence_equals_scikit_image(rng):
    from skimage.feature import graycomatrix

    levels = rng.integers(0, N_LEVELS, (9, 11))
    ours = cooccurrence(levels, np.ones((9, 11), bool))
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    theirs = graycomatrix(levels.astype(np.uint8), [1], angles, levels=N_LEVELS, symmetric=True)[:, :, 0].sum(-1)
    np.testing.assert_allclose(ours, theirs / theirs.sum())


@pytest.mark.parametrize("ndim", [2, 3])
def test_texture_looks_at_the_cell_only(ndim, rng):
    mask = np.ones((6,) * ndim, bool)
    mask[0] = False
    image = rng.random((1, *mask.shape))
    one = texture(crop(mask, image=image), np.zeros(1), np.ones(1))
    image[:, ~mask] = 99
    assert texture(crop(mask, image=image), np.zeros(1), np.ones(1)) == one
    flat = dict(zip(TEXTURES, texture(crop(mask, image=image * 0), np.zeros(1), np.ones(1)), strict=True))
    assert flat == {"contrast": 0, "homogeneity": 1, "energy": 1, "correlation": 1, "entropy": 0}
    alone = texture(crop(np.ones((1,) * ndim), image=np.ones((1,) * (ndim + 1))), np.zeros(1), np.ones(1))
    assert alone == list(flat.values())


def test_texture_knows_stripes_from_noise(rng):
    mask = np.ones((20, 20), bool)
    smooth = np.tile(np.linspace(0, 1, 20), (20, 1))
    stripes = np.tile([0.0, 1.0], (20, 10))
    values = [texture(crop(mask, image=i[None]), np.zeros(1), np.ones(1)) for i in (smooth, stripes)]
    smooth, stripes = (dict(zip(TEXTURES, v, strict=True)) for v in values)
    assert smooth["contrast"] < 1.5 < 50 < stripes["contrast"]
    assert smooth["correlation"] > 0.9 > 0 > stripes["correlation"]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0)])
def test_thickness_of_a_ball_is_its_diameter(spacing):
    thickest, depth = thickness(crop(ball(12.0, spacing), spacing))
    assert thickest == pytest.approx(24, abs=max(spacing))
    assert depth == pytest.approx(12 / 4, abs=0.5)  # the mean depth of a ball is a quarter of its radius
    assert thickness(crop(np.ones((1, 1)), (0.5, 0.5))) == (0.5, 0.25)


def test_skeleton_length_of_a_bar():
    mask = np.zeros((9, 41), bool)
    mask[3:6] = True
    assert skeleton_length(crop(mask, (0.5, 0.5)))[0] == pytest.approx(20, abs=2)
    tube = np.zeros((40, 7, 7), bool)
    tube[:, 2:5, 2:5] = True
    assert skeleton_length(crop(tube))[0] == pytest.approx(39, abs=4)
    assert skeleton_length(crop(np.ones((1, 1, 1)))) == (0.0,)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 1.0, 1.0), (5.0, 1.0, 1.0)])
def test_the_mesh_converges(spacing):
    errors = []
    for steps in (10, 20):
        radius = steps * max(spacing)
        errors.append(abs(mesh_area(crop(ball(radius, spacing), spacing))[0] / (4 * np.pi * radius**2) - 1))
    assert errors[0] < 0.02
    assert errors[1] < 0.01
    side = 2 * np.array([10, 20]) * max(spacing)
    boxes = [mesh_area(crop(np.ones([round(a / s) for s in spacing]), spacing))[0] / (6 * a * a) - 1 for a in side]
    assert abs(boxes[0]) < 0.045
    assert abs(boxes[1]) < 0.75 * abs(boxes[0])


def test_the_mesh_of_the_smallest_cell_is_finite():
    assert 0 < mesh_area(crop(np.ones((1, 1, 1))))[0] < 20


@pytest.fixture
def labels(any_tissue):
    return any_tissue.image


GROUPS = [g for g in extras.EXTRA_GROUPS if g != "mesh"]


@pytest.mark.parametrize("group", GROUPS)
def test_groups_are_added_with_names_and_units(group, labels):
    if group == "cellprofiler":  # 70 ms a cell
        pytest.importorskip("cp_measure")
        labels = dataclasses.replace(labels, labels=np.where(labels.labels <= 20, labels.labels, 0))
    plain = from_labels(labels, features=("shape",))
    more = from_labels(labels, features=("shape", group))
    added = more.var.iloc[plain.n_vars :]
    assert len(added)
    assert (added["unit"] != "").all()
    assert not any("Granularity" in name for name in added.index)
    if group != "cellprofiler":
        assert np.isfinite(more[:, added.index].X).all()
    np.testing.assert_array_equal(plain.X, more[:, plain.var_names].X)


def test_processes_change_nothing(labels, monkeypatch):
    monkeypatch.setattr(crops, "WORTH_PROCESSES", 2)
    one, two = (from_labels(labels, features=("hull",), n_jobs=n).X for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_what_is_missing_is_named(labels):
    with pytest.raises(OptionError, match="an image for the group 'texture'"):
        from_labels(np.ones((3, 3), int), spacing=(1, 1), features=("shape", "texture"))
    with pytest.raises(OptionError, match="3D labels for the group 'mesh'"):
        from_labels(np.ones((3, 3), int), spacing=(1, 1), features=("mesh",))
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(extras, "find_spec", lambda name: None)
        with pytest.raises(ImportError, match=r"cellgraph-clr\[cellprofiler\]"):
            from_labels(labels, features=("cellprofiler",))


def test_major_axes_are_unit_vectors_with_a_settled_sign():
    bar = np.zeros((20, 20), int)
    bar[4:6, 2:18] = 1
    np.testing.assert_allclose(from_labels(bar, spacing=(1, 1)).obsm["major_axis"], [[1, 0]], atol=1e-6)
    np.testing.assert_allclose(from_labels(bar.T, spacing=(1, 1)).obsm["major_axis"], [[0, 1]], atol=1e-6)
