"""What a scan compares: lines for diagonals, lines for faces; and slabs that cover a block."""

import numpy as np
import pytest

from cellgraph_clr.cells.crofton import lag_families, lag_steps
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.scan.columns import LAGGED, MATCH, OFFSET_X, OFFSET_Y, OFFSET_Z, PLAIN
from cellgraph_clr.cells.scan.parts import line_offsets, mean_intensity, plan_of

SPACINGS = [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (1.0, 1.0, 3.0), (2.0, 4.0, 1.0), (1.0, 2.0), (1.0, 1.0)]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_lines_cover_every_diagonal_once(spacing):
    steps = lag_steps(spacing)
    lines = line_offsets(steps)
    assert len({(z, y) for z, y, *_ in lines.tolist()}) == len(lines)
    assert (lines[:, OFFSET_Z] >= 0).all()
    lags = []
    for line in lines:
        z, y, x = line[[OFFSET_Z, OFFSET_Y, OFFSET_X]].tolist()
        lags += [(line[PLAIN], (z, y, 0))] if line[PLAIN] >= 0 else []
        lags += [(line[LAGGED], (z, y, s * x)) for s in (1, -1)] if line[LAGGED] >= 0 else []
    wanted = [(i, tuple(lag)) for i, family in enumerate(lag_families(steps)[3:]) for lag in family.tolist()]
    either = [{(i, lag), (i, tuple(-v for v in lag))} for i, lag in lags]
    assert len(either) == len(wanted)
    assert all(sum(one in two for two in either) == 1 for one in wanted)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("surface", [True, False])
def test_a_plan_matches_the_lines_it_compares(spacing, surface):
    shape = (5, 6, 7)[: len(spacing)]
    plan = plan_of(LabelImage.build(np.ones(shape, np.uint8), spacing=spacing), surface=surface)
    assert plan.matched[:2].tolist() == [[1, 0], [0, 1]]  # along z and y
    assert plan.size.tolist() == ([5, 1, 6] if len(spacing) == 2 else [5, 6, 7])
    wanted = {tuple(line[:3]) for line in line_offsets(lag_steps(spacing)).tolist()} if surface else set()
    order = [OFFSET_Z, OFFSET_Y] if len(spacing) == 3 else [OFFSET_Y, OFFSET_Z]
    compared = {tuple(line[[*order, OFFSET_X]].tolist()) for line in plan.offsets}
    counted = {
        (*plan.matched[axis][:: 1 if len(spacing) == 3 else -1].tolist(), 1) for axis in np.flatnonzero(plan.along >= 0)
    }
    assert compared | counted == wanted  # with lines along z and y, the diagonals are counted with the faces
    assert not compared & counted
    for offset in plan.offsets:
        if offset[MATCH] >= 0:
            assert offset[OFFSET_X] == 1
            assert plan.matched[offset[MATCH]].tolist() == offset[[OFFSET_Z, OFFSET_Y]].tolist()
        else:
            assert offset[OFFSET_X] > 1
        assert plan.halo[0] >= offset[OFFSET_Z]


def test_the_shift_is_near_the_mean_and_finite():
    image = np.stack([np.full((4, 3, 2), 7.0), np.full((4, 3, 2), np.nan)])
    assert mean_intensity(image).tolist() == [7.0, 0.0]
    assert mean_intensity(np.empty((0, 4, 3, 2))).shape == (0,)
