"""Places in movies: cells, grids, and what is cut out."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import ArgumentKindError, MissingKeyError, NoCellsError, NonFiniteError, ShapeError
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.models.time_arrow.places import cell_places, cut_places, grid_places, planes_of


def test_cells_of_all_frames_but_the_last():
    movie = event_movie(8, 4, side=64)
    places = cell_places(movie)
    masks = np.asarray(movie.labels)
    assert len(places) == sum(len(np.unique(m)) - 1 for m in masks[:-1])
    row = places.iloc[5]
    at = np.argwhere(masks[int(row["frame"])] == row["cell_id"]).mean(axis=0)
    np.testing.assert_allclose(row[["y", "x"]].to_numpy(float), at)
    assert set(places["event"]) <= {"none", "division", "death"}
    with pytest.raises(NoCellsError):
        cell_places(Movie.build(np.ones((2, 8, 8)), np.zeros((2, 8, 8), int)))


def test_a_grid_covers_the_frame():
    places = grid_places(Movie.build(np.zeros((3, 50, 40))), size=16)
    assert set(places["frame"]) == {0, 1}
    covered = np.zeros((50, 40), bool)
    for y, x in places[["y", "x"]].to_numpy():
        covered[int(y - 8) : int(y + 8), int(x - 8) : int(x + 8)] = True
    assert covered.all()


def test_places_are_cut_from_two_frames_and_repeated_beyond_the_edge():
    frames = np.arange(3 * 20 * 20, dtype=np.float32).reshape(3, 1, 20, 20) / 100
    places = pd.DataFrame({"frame": [1, 0], "y": [10.0, 0.0], "x": [10.0, 0.0]})
    asked = []

    def frame(t):
        asked.append(t)
        return frames[t]

    out = cut_places(places, frame, 3, size=4)
    np.testing.assert_allclose(out[0, 0, 0], frames[1, 0, 8:12, 8:12], rtol=1e-3)
    np.testing.assert_allclose(out[0, 1, 0], frames[2, 0, 8:12, 8:12], rtol=1e-3)
    np.testing.assert_allclose(out[1, 0, 0, 2:, 2:], frames[0, 0, :2, :2], rtol=1e-3)
    assert (out[1, 0, 0, :2, :2] == frames[0, 0, 0, 0]).all()
    assert asked == [0, 1, 2]
    assert len(cut_places(places[:0], frame, 3, size=4)) == 0
    with pytest.raises(ShapeError, match="frames 0 to 1, found 0 to 2"):
        cut_places(places.assign(frame=[2, 0]), frame, 3, size=4)
    with pytest.raises(MissingKeyError, match="frame, y, x"):
        cut_places(places[["frame"]], frame, 3, size=4)


def test_places_of_volumes_are_as_deep_as_wide():
    movie = Movie.build(np.zeros((2, 12, 40, 40)), axes="tzyx", spacing=(2, 1, 1))
    assert planes_of(movie, 8) == 3  # an odd number, no deeper than 8 pixels
    assert planes_of(movie, 100) == 11  # no more than there are
    assert planes_of(Movie.build(np.zeros((2, 40, 40))), 8) == 1
    covered = np.zeros((12, 40, 40), bool)
    for z, y, x in grid_places(movie, size=8)[["z", "y", "x"]].to_numpy().round().astype(int):
        covered[z - 1 : z + 2, y - 4 : y + 4, x - 4 : x + 4] = True
    assert covered.all()


def test_places_are_cut_from_volumes():
    frames = np.random.default_rng(0).normal(size=(2, 1, 6, 12, 12)).astype(np.float16)
    places = pd.DataFrame({"frame": [0, 0], "z": [4.0, 0.0], "y": [6.0, 6.0], "x": [5.0, 5.0]})
    whole = cut_places(places, lambda t: frames[t], 2, size=4, n_planes=3, flat=False)
    np.testing.assert_array_equal(whole[0], frames[:, :, 3:6, 4:8, 3:7])
    np.testing.assert_array_equal(whole[1, :, :, 1:], frames[:, :, 0:2, 4:8, 3:7])
    np.testing.assert_array_equal(whole[1, :, :, 0], frames[:, :, 0, 4:8, 3:7])  # repeated from the edge
    np.testing.assert_array_equal(cut_places(places, lambda t: frames[t], 2, size=4, n_planes=3), whole.max(axis=3))
    with pytest.raises(MissingKeyError, match="frame, z, y, x"):
        cut_places(places[["frame", "y", "x"]], lambda t: frames[t], 2, size=4, n_planes=3)


def test_cells_of_volumes_have_their_plane():
    labels = np.zeros((2, 5, 12, 12), int)
    labels[:, 1:4, 2:6, 3:5] = 7
    places = cell_places(Movie.build(np.zeros(labels.shape), labels, axes="tzyx"))
    assert places[["frame", "z", "y", "x", "cell_id"]].to_numpy().tolist() == [[0, 2, 3.5, 3.5, 7]]


@pytest.mark.parametrize(
    ("column", "value", "error", "told"),
    [
        ("y", -3.0, ShapeError, r"an image of \(6, 12, 12\), found \(4, -3, 5\) in row 0, and 0 others"),
        ("y", 12.0, ShapeError, "places in an image"),
        ("z", 6.0, ShapeError, "places in an image"),
        ("x", np.nan, NonFiniteError, r"x \(1\)"),
        ("frame", np.nan, NonFiniteError, r"frame \(1\)"),
        ("x", "q", ArgumentKindError, "numbers in the table of places"),
    ],
)
def test_places_that_cannot_be_are_named(column, value, error, told):
    frames = np.zeros((2, 1, 6, 12, 12), np.float16)
    places = pd.DataFrame({"frame": [0.0, 0.0], "z": [4.0, 0.0], "y": [6.0, 6.0], "x": [5.0, 5.0]}).astype(object)
    places.loc[0, column] = value
    with pytest.raises(error, match=told):
        cut_places(places, lambda t: frames[int(t)], 2, size=4, n_planes=3)
    with pytest.raises(ArgumentKindError, match="a table of places"):
        cut_places({"frame": [0]}, lambda t: frames[t], 2, size=4)


def test_a_grid_names_every_voxel_once():
    movie = Movie.build(np.zeros((2, 3, 40, 40)), axes="tzyx", spacing=(5, 0.2, 0.2))
    places = grid_places(movie, size=8)
    assert sorted(set(places["z"])) == [0, 1, 2]
    assert (places[["z", "y", "x"]] % 1 == 0).all(axis=None)
    assert not places.duplicated().any()
