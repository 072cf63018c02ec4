"""Shaded bodies: a ball is lit on one side, a stick lies across, nothing is nothing."""

import numpy as np

from cellgraph_clr.pl.shading import shaded


def _ball(radius, side=40):
    at = np.stack(np.meshgrid(*[np.arange(side) - side / 2] * 3, indexing="ij"), -1)
    return np.linalg.norm(at, axis=-1) <= radius


def test_a_ball_is_a_disc_lit_from_the_upper_left():
    picture = shaded(_ball(12))
    assert abs(np.isfinite(picture).sum() - np.pi * 12**2) < 0.05 * np.pi * 12**2
    y, x = np.nonzero(np.isfinite(picture))
    upper_left = (y < y.mean()) & (x < x.mean())
    lower_right = (y > y.mean()) & (x > x.mean())
    assert picture[y, x][upper_left].mean() > picture[y, x][lower_right].mean() + 0.2
    assert np.nanmin(picture) >= 0.25
    assert np.nanmax(picture) <= 1


def test_the_longest_axis_lies_across():
    stick = np.zeros((40, 12, 12), bool)
    stick[4:36, 4:7, 3:9] = True
    shown = np.isfinite(shaded(stick))
    wide, high = np.ptp(np.nonzero(shown)[1]), np.ptp(np.nonzero(shown)[0])
    assert abs(wide - 31) <= 2
    assert abs(high - 5) <= 2


def test_nothing_and_one_voxel():
    assert np.isnan(shaded(np.zeros((5, 5, 5), bool))).all()
    one = np.zeros((9, 9, 9), bool)
    one[4, 4, 4] = True
    assert shaded(one).ndim == 2
