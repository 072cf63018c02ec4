"""Surface areas against spheres, boxes in all orientations, discs and rectangles, and the lags against a loop."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cellgraph_clr.cells.crofton import crofton_surface, crofton_weights, lag_families, lag_steps
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan import scan_labels

SPACINGS = [(1.0, 1.0, 1.0), (2.5, 1.0, 1.0), (5.0, 1.0, 1.0), (1.0, 1.0, 5.0), (3.0, 1.5, 1.0)]


def surface(mask, spacing):
    s = scan_labels(LabelImage.build(mask.astype(np.uint8), spacing=spacing))
    return crofton_surface(s.count, s.faces, s.overlaps, spacing)[0]


def grid(spacing, half):
    n = np.ceil(half / np.array(spacing)).astype(int) + 2
    return np.stack(
        np.meshgrid(*[np.arange(-k, k + 1) * s for k, s in zip(n, spacing, strict=True)], indexing="ij"), -1
    )


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [10, 16])
def test_spheres_are_within_two_percent(spacing, steps, rng):
    radius = steps * max(spacing)
    for _ in range(3):
        at = grid(spacing, radius) - rng.uniform(-0.5, 0.5, 3) * spacing
        assert surface((at**2).sum(-1) <= radius**2, spacing) == pytest.approx(4 * np.pi * radius**2, rel=0.02)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [10, 14])
def test_boxes_in_any_orientation_are_within_eight_percent(spacing, steps, rng):
    turns = [np.eye(3), Rotation.from_euler("x", 45, degrees=True).as_matrix()]
    turns += [Rotation.random(random_state=i).as_matrix() for i in range(4)]
    for i, turn in enumerate(turns):
        half = steps * max(spacing) * np.array([1.0, 1.0, 1.0 + i % 2])
        at = grid(spacing, np.linalg.norm(half)) - rng.uniform(-0.5, 0.5, 3) * spacing
        true = 8 * (half[0] * half[1] + half[1] * half[2] + half[2] * half[0])
        assert surface((np.abs(at @ turn.T) <= half).all(-1), spacing) == pytest.approx(true, rel=0.08)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (3.0, 1.0)])
def test_perimeters_in_2d(spacing, rng):
    radius = 15 * max(spacing)
    at = grid(spacing, radius) - rng.uniform(-0.5, 0.5, 2) * spacing
    assert surface((at**2).sum(-1) <= radius**2, spacing) == pytest.approx(2 * np.pi * radius, rel=0.02)
    for angle in (0, 0.3, np.pi / 4):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        half = radius * np.array([1, 1.5])
        at = grid(spacing, np.linalg.norm(half)) - rng.uniform(-0.5, 0.5, 2) * spacing
        assert surface((np.abs(at @ turn.T) <= half).all(-1), spacing) == pytest.approx(4 * half.sum(), rel=0.08)


@pytest.mark.parametrize("spacing", [*SPACINGS, (1.0, 1.0), (5.0, 1.0)])
def test_weights_are_weights(spacing):
    weights, error = crofton_weights(spacing)
    n = np.array([len(f) for f in lag_families(lag_steps(spacing))])
    assert min(weights) >= 0
    assert n @ weights == pytest.approx(1, abs=0.0101)  # the mean over all directions, but for the bias on spheres
    assert error < 0.07


def test_steps_are_about_equally_long():
    assert lag_steps((5, 1, 1)) == (1, 5, 5)
    assert lag_steps((1, 0.4)) == (0, 1, 2)
    families = lag_families((1, 2, 2))
    assert sum(len(f) for f in families) == 13
    assert (0, 1, 1) in [tuple(v) for v in families[3]]  # (0, 2, 2) points the same way
    assert sum(len(f) for f in lag_families((0, 1, 1))) == 4


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2, 1, 1), (1, 2, 3), (1, 1, 4), (1, 1), (3, 1)])
def test_lags_equal_the_loop(spacing, rng):
    labels = rng.integers(0, 3, (5, 6, 9)[3 - len(spacing) :]).astype(np.uint16)
    s = scan_labels(LabelImage.build(labels, spacing=spacing), n_jobs=2)
    whole = labels if labels.ndim == 3 else labels[None]
    for family, lags in enumerate(lag_families(lag_steps(spacing))[3:]):
        for cell, found in zip(s.cell_id, s.overlaps[:, family], strict=True):
            inside = {tuple(v) for v in np.argwhere(whole == cell)}
            assert found == sum(tuple(np.add(v, lag)) in inside for v in inside for lag in lags)


@pytest.mark.parametrize("spacing", [*SPACINGS, (1.4, 1.3, 1.0), (1.0, 1.0), (3.0, 1.0), (0.9, 1.0)])
def test_weights_follow_their_axes_and_no_unit(spacing):
    d = len(spacing)
    subsets = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)]
    wanted = dict(zip(subsets, crofton_weights(spacing)[0], strict=True))
    for axes in itertools.permutations(range(d)):
        turned = dict(zip(subsets, crofton_weights(tuple(1000 * spacing[a] for a in axes))[0], strict=True))
        for subset, weight in turned.items():
            original = np.array(subset)
            original[[a + 3 - d for a in axes]] = subset[3 - d :]
            assert weight == wanted[tuple(original.tolist())]


def test_weights_are_equal_for_lags_of_equal_length():
    z, y, x, xy, xz, yz, _ = crofton_weights((1.0, 1.0, 1.0))[0]
    assert z == y == x
    assert xy == xz == yz
    _, y, x, *_ = crofton_weights((1.0, 1.0))[0]
    assert y == x
    _, y, x, _, xz, yz, _ = crofton_weights((2.5, 1.0, 1.0))[0]
    assert y == x
    assert xz == yz


@pytest.mark.parametrize("spacing", [(1.001, 1.0, 1.0), (1.0, 0.999, 1.0), (1.0, 1.001)])
def test_weights_of_nearly_equal_spacings_are_nearly_equal(spacing):
    equal = crofton_weights((1.0,) * len(spacing))[0]
    np.testing.assert_allclose(crofton_weights(spacing)[0], equal, atol=0.002)


def test_errors_on_boxes_are_what_the_docstring_says():
    assert crofton_weights((1.0, 1.0, 1.0))[1] == pytest.approx(0.066, abs=1e-3)
    assert crofton_weights((1.0, 1.0))[1] == pytest.approx(0.054, abs=1e-3)


def test_the_unit_of_the_spacing_does_not_switch_lags():
    assert lag_steps((0.3, 0.2)) == lag_steps((300.0, 200.0)) == lag_steps((0.0003, 0.0002))
