"""Divisions and deaths from lineage."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cells.events import event_table, events_of_cells
from cellgraph_clr.cells.movie import Movie


@pytest.fixture
def movie():
    labels = np.zeros((5, 20, 20), int)
    labels[:3, 5:8, 4:8] = 1  # divides after frame 2
    labels[3:, 5:8, 2:5] = 2
    labels[3:, 5:8, 7:10] = 3
    labels[:2, 12:15, 12:15] = 4  # dies after frame 1
    labels[:2, 0:2, 15:18] = 5  # leaves through the border
    labels[:, 16:18, 4:6] = 6  # stays
    tracks = pd.DataFrame(
        [(1, 0, 2, 0), (2, 3, 4, 1), (3, 3, 4, 1), (4, 0, 1, 0), (5, 0, 1, 0), (6, 0, 4, 0)],
        columns=["track", "begin", "end", "parent"],
    )
    return Movie.build(np.ones((5, 20, 20)), labels, tracks, spacing=(0.5, 0.5))


def test_ends_of_tracks_are_divisions_deaths_or_exits(movie):
    table = event_table(movie).set_index("track")
    assert table["event"].to_dict() == {1: "division", 4: "death"}
    assert table["frame"].to_dict() == {1: 2, 4: 1}
    assert table.loc[1, ["x", "y"]].tolist() == [2.75, 3.0]


def test_cells_are_labelled_in_a_window_before_the_end(movie):
    frame, track = np.array([0, 1, 2, 3, 1, 0, 1, 4]), np.array([1, 1, 1, 2, 4, 4, 5, 6])
    one = events_of_cells(movie, frame, track)
    assert one.tolist() == ["none", "none", "division", "none", "death", "none", "none", "none"]
    two = events_of_cells(movie, frame, track, window=2)
    assert two.tolist() == ["none", "division", "division", "none", "death", "death", "none", "none"]


def test_without_tracks_or_events(movie):
    with pytest.raises(OptionError, match="a movie with tracks"):
        event_table(Movie.build(np.ones((3, 4, 4))))
    with pytest.raises(OptionError, match="window"):
        events_of_cells(movie, np.array([0]), np.array([1]), window=0)
    still = Movie.build(np.ones((3, 4, 4)), tracks=pd.DataFrame({"track": [1], "begin": 0, "end": 2, "parent": 0}))
    assert len(event_table(still)) == 0
