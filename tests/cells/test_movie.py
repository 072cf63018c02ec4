"""What is and is not a movie."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import LabelImageError, MissingKeyError, NoCellsError, OptionError, ShapeError
from cellgraph_clr.cells.movie import Movie

TRACKS = pd.DataFrame({"track": [1, 2], "begin": [0, 1], "end": [0, 2], "parent": [0, 1]})


@pytest.mark.parametrize(
    ("shape", "axes", "found"),
    [((3, 8, 9), None, (3, 1, 8, 9)), ((3, 2, 8, 9), None, (3, 2, 8, 9)), ((3, 4, 8, 9), "tzyx", (3, 1, 4, 8, 9)),
     ((3, 2, 4, 8, 9), None, (3, 2, 4, 8, 9))],
)  # fmt: skip
def test_frames_have_channels_whatever_comes(shape, axes, found):
    movie = Movie.build(np.ones(shape, np.uint8), axes=axes)
    assert movie.frames.shape == found
    assert np.asarray(movie.frames).shape == found
    assert movie.frame(1).shape == found[1:]
    assert movie.frame(1).dtype == np.float32
    assert len(movie) == 3
    assert movie.ndim == len(found) - 2


def test_it_says_in_a_line_what_it_is():
    movie = Movie.build(np.ones((3, 8, 9)), np.ones((3, 8, 9), int), TRACKS, frame_interval=300)
    assert repr(movie) == "<Movie of 3 frames 8 x 9, one every 300 s, channels intensity, labels, tracks>"
    assert movie.label_image(2).labels.shape == (8, 9)


def test_bad_input_is_named():
    frames = np.ones((3, 8, 9))
    with pytest.raises(ShapeError, match=r"3 to 5 axes \(t, \[c\], \[z\], y, x\), found 2"):
        Movie.build(frames[0])
    with pytest.raises(ShapeError, match="labels of shape \\(3, 8, 9\\), found \\(2, 8, 9\\)"):
        Movie.build(frames, np.ones((2, 8, 9), int))
    with pytest.raises(LabelImageError, match="integer labels"):
        Movie.build(frames, frames)
    with pytest.raises(NoCellsError, match="at least one frame"):
        Movie.build(frames[:0])
    with pytest.raises(OptionError, match="frame_interval"):
        Movie.build(frames, frame_interval=0)
    with pytest.raises(MissingKeyError, match="tracks with the columns track, begin, end, parent"):
        Movie.build(frames, tracks=TRACKS[["track"]])
    with pytest.raises(ShapeError, match="between frames 0 and 2, found track 2 from 1 to 3"):
        Movie.build(frames, tracks=TRACKS.assign(end=[0, 3]))
    with pytest.raises(OptionError, match="a movie with labels"):
        Movie.build(frames).label_image(0)


def test_a_stretch_keeps_its_tracks():
    frames, masks = np.arange(3.0)[:, None, None] * np.ones((3, 4, 4)), np.ones((3, 4, 4), int)
    part = Movie.build(frames, masks, TRACKS, frame_interval=5).cut(1, 3)
    assert len(part) == 2
    assert part.frame(0)[0, 0, 0] == 1
    assert part.tracks.to_numpy().tolist() == [[2, 0, 1, 1]]
    assert part.frame_interval == 5
    with pytest.raises(OptionError, match="`last`"):
        part.cut(1, 3)
