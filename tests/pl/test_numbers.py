"""Texts beside points: near them, and none over another."""

import numpy as np
import pytest

from cellgraph_clr.pl.numbers import DOT, FAR, GAP, HEIGHT, NEAR, beside


def over(middle, widths):
    apart = np.abs(middle[:, None] - middle[None])
    room = np.stack([(widths[:, None] + widths[None]) / 2 + GAP, np.full((len(widths),) * 2, HEIGHT)], axis=-1)
    return np.argwhere(np.triu((apart < room - 1e-9).all(axis=-1), 1))


@pytest.mark.parametrize("spread", [0.0, 3.0, 10.0, 100.0])
def test_no_text_is_written_over_another(spread):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        points = spread * rng.random((10, 2))
        widths = rng.choice([5.0, 10.0], 10)
        found = beside(points, widths, points)
        assert len(over(points + found, widths)) == 0
        assert (np.hypot(*found.T) <= FAR).all()


def test_dots_are_seen():
    for seed in range(20):
        points = 60 * np.random.default_rng(seed).random((10, 2))
        texts = points + beside(points, [5.0] * 10, points)
        apart = np.abs(texts[:, None] - points)
        assert not (apart < [(5 + DOT) / 2, (HEIGHT + DOT) / 2]).all(axis=2).any()


def test_texts_with_room_stand_right_above_their_points():
    points = np.array([[0.0, 0], [100, 0], [0, 100]])
    assert np.allclose(beside(points, [5.0, 5.0, 10.0], points), NEAR / np.sqrt(2))


def test_where_there_is_no_room_the_first_place_is_taken():
    everywhere = np.stack(np.meshgrid(*[np.arange(-60.0, 60, 2)] * 2), axis=-1).reshape(-1, 2)
    assert np.allclose(beside(np.zeros((1, 2)), [5.0], everywhere), NEAR / np.sqrt(2))


def test_no_points_give_no_texts():
    assert beside(np.zeros((0, 2)), [], np.zeros((0, 2))).shape == (0, 2)
