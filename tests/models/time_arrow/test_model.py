"""`TimeArrow`: it learns growth, tiles equal the whole, cells, files, resume, bad input."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import (
    CellGraphError,
    ModelFileError,
    NoCellsError,
    NonFiniteError,
    OptionError,
    ShapeError,
)
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.models import TimeArrow

SMALL = {
    "n_steps": 4,
    "n_hidden": 4,
    "n_features": 5,
    "n_levels": 1,
    "crop_px": 16,
    "batch_size": 4,
    "progress": False,
}


@pytest.fixture(scope="module")
def movie():
    return event_movie(8, 8, side=64, random_state=0)


@pytest.fixture(scope="module")
def model(movie):
    return TimeArrow(**SMALL).fit(movie)


def test_discs_that_grow_have_an_arrow_on_frames_not_seen():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :48]
    frames = np.stack([(np.hypot(y - 24, x - 24) < 4 + 0.7 * t) * 100 + rng.normal(0, 3, (48, 48)) for t in range(24)])
    options = SMALL | {"n_steps": 60, "crop_px": 40, "steps": (3,), "learning_rate": 0.01, "batch_size": 8}
    grown = TimeArrow(**options).fit(Movie.build(frames))
    assert grown.accuracy_ > 0.9
    assert grown.accuracy_error_ < 0.02
    assert grown.history_["accuracy"][-1] > 0.7


def test_tiles_equal_the_whole_frame(movie, model):
    whole = model.dense(movie, 2, tile=64)
    assert whole.shape == (5, 64, 64)
    np.testing.assert_allclose(model.dense(movie, 2, tile=16), whole, atol=1e-5)
    odd = Movie.build(np.random.default_rng(0).normal(size=(3, 53, 61)))
    np.testing.assert_allclose(model.dense(odd, 0, tile=32), model.dense(odd, 0, tile=128), atol=1e-5)
    with pytest.raises(OptionError, match="`tile` as a multiple of 2"):
        model.dense(movie, 0, tile=31)


def test_features_of_cells_are_means_over_their_masks(movie, model):
    table = model.transform(movie)
    assert list(table.columns) == [f"timearrow_{i}" for i in range(5)]
    assert table.index.names == ["frame", "cell_id"]
    masks = np.asarray(movie.labels)
    assert len(table) == sum(len(np.unique(m)) - 1 for m in masks)
    cell = int(masks[3].max())
    expected = model.dense(movie, 3)[:, masks[3] == cell].mean(axis=1)
    np.testing.assert_allclose(table.loc[(3, cell)], expected, rtol=1e-5)


def test_dense_features_are_written_frame_by_frame(movie, model, tmp_path):
    plain = Movie.build(np.asarray(movie.frames._frames))
    found = model.transform(plain)
    assert found.shape == (8, 5, 64, 64)
    out = np.lib.format.open_memmap(tmp_path / "f.npy", "w+", np.float32, found.shape)
    model.transform(plain, out=out)
    np.testing.assert_allclose(out, found, atol=2e-3)
    with pytest.raises(ShapeError, match="`out` of shape"):
        model.transform(plain, out=out[:3])


def test_three_dimensions_and_channels():
    frames = np.random.default_rng(0).normal(size=(5, 2, 7, 24, 24))
    labels = np.zeros((5, 7, 24, 24), int)
    labels[:, 2:4, 8:14, 8:14] = 3
    movie = Movie.build(frames, labels)
    model = TimeArrow(**SMALL).fit(movie)
    assert model.transform(movie).shape == (5, 5)
    with pytest.raises(ShapeError, match="3D of 2 channels, found 2D, 1 channels"):
        model.dense(Movie.build(frames[:, 0, 0]), 0)
    heat = model.attribution(movie, 0)
    assert heat.shape == (7, 24, 24)
    assert heat.max() > 0


def test_attribution_has_the_shape_of_the_frame(movie, model):
    heat = model.attribution(movie, 1)
    assert heat.shape == (64, 64)
    assert (heat >= 0).all()
    assert heat.max() > 0
    with pytest.raises(ShapeError, match="a frame from 0 to 6, found 7"):
        model.attribution(movie, 7)


def test_saved_loaded_and_resumed_it_is_the_same(movie, model, tmp_path):
    features = model.transform(movie)
    model.save(tmp_path / "m.safetensors")
    back = TimeArrow.load(tmp_path / "m.safetensors")
    pd.testing.assert_frame_equal(back.transform(movie), features)
    assert back.accuracy_ == model.accuracy_
    kept = TimeArrow(**SMALL).fit(movie, checkpoint=tmp_path / "r.ckpt", checkpoint_every=2)
    resumed = TimeArrow(**SMALL).fit(movie, checkpoint=tmp_path / "r.ckpt")
    for other in (kept, resumed):
        pd.testing.assert_frame_equal(other.transform(movie), features)
    with pytest.raises(ModelFileError, match="another run"):
        TimeArrow(**SMALL | {"decorrelation": 0.5}).fit(movie, checkpoint=tmp_path / "r.ckpt")


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_features", 6), ("n_hidden", 5), ("n_levels", 2), ("crop_px", 32), ("steps", (2,)), ("min_content", 0.9), ("strength", 0.0), ("zoom", 0.5),
     ("decorrelation", 0.9), ("validation", 0.7), ("held_out", "first"), ("n_steps", 5), ("batch_size", 5),
     ("learning_rate", 0.1), ("weight_decay", 0.9), ("random_state", 3)],
)  # fmt: skip
def test_each_option_changes_the_output(movie, model, name, value):
    base = model.dense(movie, 0)
    changed = TimeArrow(**SMALL | {name: value}).fit(movie).dense(movie, 0)
    assert base.shape != changed.shape or not np.allclose(base, changed)


def test_bad_input_is_named(movie):
    with pytest.raises(OptionError, match="'n_dims' in `TimeArrowConfig`"):
        TimeArrow(n_dims=3)
    with pytest.raises(OptionError, match="`crop_px` as a multiple of 4, found 18"):
        TimeArrow(crop_px=18)
    with pytest.raises(OptionError, match="at least one of `steps`"):
        TimeArrow(steps=())
    with pytest.raises(CellGraphError, match="a fitted model"):
        TimeArrow().transform(movie)
    with pytest.raises(ShapeError, match="at least 2 frames, found 1"):
        TimeArrow(**SMALL).fit(movie.cut(0, 1))
    with pytest.raises(NoCellsError, match="frames with content"):
        TimeArrow(**SMALL).fit(Movie.build(np.ones((5, 32, 32))))


def test_the_untrained_form_is_the_same_network_without_training(movie, model):
    blank = model.untrained(movie)
    assert blank.config == model.config
    assert not np.allclose(blank.dense(movie, 0), model.dense(movie, 0))
    np.testing.assert_array_equal(blank.dense(movie, 0), model.untrained(movie).dense(movie, 0))


def test_frames_of_attribution_are_whole_numbers_and_finite(movie, model):
    for wrong in ({"t": 1.5}, {"t": 0, "step": 0}, {"t": 0, "step": -1}, {"t": 0, "step": 1.5}):
        with pytest.raises(OptionError, match="whole"):
            model.attribution(movie, **wrong)
    frames = np.stack([movie.frame(t)[0] for t in range(4)]).astype(np.float32)
    frames[1, 3, 3] = np.nan
    with pytest.raises(NonFiniteError, match="frames 1 and 2"):
        model.attribution(Movie.build(frames), 1)
