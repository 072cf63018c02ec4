"""Outlines: known areas and volumes, holes, cells beside nothing."""

import numpy as np
import pytest
from skimage.measure import mesh_surface_area

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis import outlines
from cellgraph_clr.analysis.outlines import Outlines, _area, polygons, surface


def lattice(n, d):
    return np.stack(np.meshgrid(*[np.arange(n, dtype=float)] * d, indexing="ij"), -1).reshape(-1, d)


def test_a_block_of_cells_has_its_area_and_its_hole():
    xy = 10 * lattice(20, 2)
    inside = ((xy >= 40) & (xy <= 120)).all(axis=1)  # 9 x 9 cells
    (outer,) = polygons(xy, np.flatnonzero(inside), 10.0)
    np.testing.assert_array_equal(outer[0], outer[-1])
    assert abs(_area(outer)) == pytest.approx(8100, rel=0.02)
    np.testing.assert_allclose([outer.min(0), outer.max(0)], [[35, 35], [125, 125]], atol=1)
    hole = ((xy >= 70) & (xy <= 90)).all(axis=1)
    outer, inner = polygons(xy, np.flatnonzero(inside & ~hole), 10.0)
    assert abs(_area(inner)) == pytest.approx(900, rel=0.05)


def test_cells_beside_nothing_reach_as_far_as_asked():
    (circle,) = polygons(np.array([[5.0, 5.0]]), np.array([0]), 3.0)
    np.testing.assert_allclose(np.linalg.norm(circle - 5, axis=1), 3, rtol=0.02)
    assert len(polygons(np.array([[0.0, 0], [50, 0]]), np.array([0, 1]), 3.0)) == 2
    assert polygons(np.zeros((3, 2)), np.zeros(0, int), 3.0) == []


def test_a_coarser_grid_for_a_large_box(monkeypatch):
    monkeypatch.setattr(outlines, "MAX_GRID", 2000)
    xy = 10 * lattice(20, 2)
    (outer,) = polygons(xy, np.arange(400), 7.0)
    assert abs(_area(outer)) == pytest.approx(204**2, rel=0.1)


def test_a_cube_of_cells_has_its_surface():
    xyz = lattice(12, 3)
    inside = ((xyz >= 3) & (xyz <= 7)).all(axis=1)
    vertices, faces = surface(xyz, np.flatnonzero(inside), 1.0)
    assert mesh_surface_area(vertices, faces) == pytest.approx(6 * 25, rel=0.06)
    np.testing.assert_allclose([vertices.min(0), vertices.max(0)], [[2.5] * 3, [7.5] * 3], atol=0.1)
    assert [len(a) for a in surface(xyz, np.zeros(0, int), 1.0)] == [0, 0]
    assert [len(a) for a in surface(xyz[[5, 5]], np.array([0]), 1.0)] == [0, 0]
    with pytest.raises(OptionError, match="`reach`"):
        surface(xyz, np.arange(3), 0)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("coarse", [False, True])
def test_outlines_of_many_groups_are_those_of_all_cells_together(ndim, coarse, monkeypatch):
    """Blobs of cells in three samples at one place, groups of any form and reach: as traced among all cells of the sample."""
    if coarse:
        monkeypatch.setattr(outlines, "MAX_GRID", 300)
    rng, some = np.random.default_rng(ndim), 0
    for _ in range(6):
        xyz = rng.uniform(-1e4, 1e4, ndim) + rng.lognormal(3, 1, ndim) * rng.normal(size=(600, ndim))
        samples = rng.integers(0, 3, 600)
        reach = float(rng.lognormal(1, 0.5))
        every = Outlines(xyz, samples, reach)
        for size in (1, 2, 9, 60):
            mine = np.flatnonzero(samples == rng.integers(0, 3))
            middle = xyz[rng.choice(mine)]
            rows = mine[np.argsort((((xyz[mine] - middle) * [9, 1, 1][:ndim]) ** 2).sum(axis=1))[:size]]
            plain = (polygons if ndim == 2 else surface)(xyz[mine], np.searchsorted(mine, rows), reach)
            found = every.of(rows)
            assert len(found) == len(plain)
            some += len(plain[0]) > 0 if plain else 0
            for a, b in zip(found, plain, strict=True):
                np.testing.assert_array_equal(a, b)
    assert some > 12


def test_an_outline_costs_what_lies_around_it(monkeypatch):
    seen = []
    monkeypatch.setattr(outlines, "polygons", lambda position, *_: seen.append(len(position)))
    xy = 10 * lattice(100, 2)
    inside = ((xy >= 400) & (xy <= 440)).all(axis=1)  # 5 x 5 of 10,000 cells
    Outlines(xy, np.zeros(len(xy), int), 6.0).of(np.flatnonzero(inside))
    assert seen[0] < 15**2
    with pytest.raises(OptionError, match="`reach`"):
        Outlines(xy, np.zeros(len(xy), int), 0.0)
