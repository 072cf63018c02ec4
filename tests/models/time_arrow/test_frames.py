"""Frames of `TimeArrow`: normalisation, split by time, tiles."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import NoCellsError, ShapeError
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.models.time_arrow.frames import check_movies, dense_by_tiles, normalised, time_ranges


def test_frames_are_normalised_whatever_their_gain(rng):
    frame = rng.normal(100, 10, (2, 40, 40))
    np.testing.assert_allclose(normalised(frame), normalised(frame * 7 + 30), atol=1e-5)
    assert np.isfinite(normalised(np.full((1, 8, 8), 3.0))).all()


@pytest.mark.parametrize("held_out", ["first", "last"])
def test_stretches_do_not_overlap(held_out):
    learned, unseen = time_ranges(20, 0.2, held_out, 2)
    assert sorted([*range(*learned), *range(*unseen)]) == list(range(20))
    assert unseen[1] - unseen[0] == 6
    assert time_ranges(20, 0, "last", 1)[1] == (20, 20)
    assert np.diff(time_ranges(20, 0.01, "last", 3)[1]) == 7
    with pytest.raises(ShapeError, match="more than 3 frames beside those held out, found 2 of 6"):
        time_ranges(6, 0.1, "last", 3)


def test_tiles_give_what_the_whole_gives(rng):
    frame = rng.normal(size=(1, 50, 70)).astype(np.float32)

    def blurred(piece):  # a filter that reaches 3 pixels
        out = np.stack([np.roll(piece[0], (a, b), (0, 1)) for a in (-3, 0, 3) for b in (-3, 0, 3)])
        return np.stack([out.mean(axis=0), piece[0]])

    padded = np.pad(frame, ((0, 0), (4, 10), (4, 6)))
    whole = blurred(padded)[:, 4:54, 4:74]
    for tile in (8, 24, 96):
        found = dense_by_tiles(frame, blurred, 2, multiple=8, halo=8, tile=tile)
        inside = (slice(None), slice(8, -8), slice(8, -8))
        np.testing.assert_allclose(found[inside], whole[inside], atol=1e-6)


def test_bad_movies_are_named():
    one = Movie.build(np.zeros((1, 40, 40)))
    with pytest.raises(ShapeError, match="at least 2 frames, found 1 in movie 0"):
        check_movies(one, size=16, reach=1)
    with pytest.raises(ShapeError, match="at least 64 pixels a side"):
        check_movies(Movie.build(np.zeros((5, 40, 40))), size=64, reach=1)
    with pytest.raises(ShapeError, match="2D of 1 channels, found 2D, 2 channels in movie 1"):
        check_movies([Movie.build(np.zeros((5, 40, 40))), Movie.build(np.zeros((5, 2, 40, 40)))], size=16, reach=1)
    with pytest.raises(NoCellsError, match="an empty list"):
        check_movies([], size=16, reach=1)
