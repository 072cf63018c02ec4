"""`EventClassifier`: it tells bright cells from others, prior and temperature, files, bad input."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import CellGraphError, LabelKeyError, OptionError, ShapeError
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.models import EventClassifier, TimeArrow
from cellgraph_clr.models.time_arrow import events as module
from cellgraph_clr.models.time_arrow.places import cell_places

ARROW = {"n_steps": 2, "n_hidden": 4, "n_features": 6, "n_levels": 1, "crop_px": 16, "batch_size": 4, "progress": False}
SMALL = {"n_steps": 30, "crop_px": 8, "batch_size": 16, "learning_rate": 0.01, "progress": False}


@pytest.fixture(scope="module")
def movie():
    return event_movie(12, 10, side=80, random_state=0)


@pytest.fixture(scope="module")
def arrow(movie):
    return TimeArrow(**ARROW).untrained(movie)


@pytest.mark.parametrize("options", [{}, {"head": "linear"}, {"fine_tune": True}])
def test_divisions_are_told_from_other_cells(movie, arrow, options):
    places = cell_places(movie)
    places = places[places["event"] != "death"]
    model = EventClassifier(arrow, **SMALL | options).fit(movie, places)
    assert model.classes_ == ["none", "division"]
    proba = model.predict_proba(movie, places)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    divides = (places["event"] == "division").to_numpy()
    assert proba[divides, 1].mean() > proba[~divides, 1].mean() + 0.2
    assert abs(proba[:, 1].mean() - divides.mean()) < 0.15  # as frequent as they are, not as often as they were drawn
    assert set(model.predict(movie, places)) <= {"none", "division"}


def test_files_come_back(movie, arrow, tmp_path):
    model = EventClassifier(arrow, **SMALL | {"n_steps": 3, "fine_tune": True}).fit(movie)
    model.save(tmp_path / "e.safetensors")
    back = EventClassifier.load(tmp_path / "e.safetensors")
    np.testing.assert_allclose(back.predict_proba(movie), model.predict_proba(movie), atol=1e-6)
    assert back.classes_ == model.classes_
    assert back.temperature_ == model.temperature_


@pytest.mark.parametrize(
    ("name", "value"),
    [("head", "linear"), ("fine_tune", True), ("crop_px", 12), ("calibrate", False), ("n_steps", 8), ("batch_size", 9),
     ("learning_rate", 0.2), ("weight_decay", 5.0), ("random_state", 4)],
)  # fmt: skip
def test_each_option_changes_the_output(movie, arrow, name, value, monkeypatch):
    monkeypatch.setattr(module, "LEAST_CALIBRATED", 1)
    base = SMALL | {"n_steps": 6}
    places = cell_places(movie)
    places["event"] = places["event"].where(places["event"] != "death", "none")
    one, other = (EventClassifier(arrow, **o).fit(movie, places) for o in (base, base | {name: value}))
    assert not np.allclose(one.predict_proba(movie, places), other.predict_proba(movie, places))


def test_bad_input_is_named(movie, arrow):
    with pytest.raises(OptionError, match="`head`"):
        EventClassifier(arrow, head="deep")
    with pytest.raises(CellGraphError, match="a fitted model"):
        EventClassifier(arrow).predict_proba(movie)
    quiet = cell_places(movie).assign(event="none")
    with pytest.raises(LabelKeyError, match="two events at least, found none"):
        EventClassifier(arrow).fit(movie, quiet)
    with pytest.raises(LabelKeyError, match="places with the column event"):
        EventClassifier(arrow).fit(movie, quiet.drop(columns="event"))
    with pytest.raises(ShapeError, match="1 tables of places, found 2"):
        EventClassifier(arrow).fit(movie, [quiet, quiet])
    deep = Movie.build(np.zeros((3, 4, 20, 20)), axes="tzyx")
    table = pd.DataFrame({"frame": [0, 1], "z": 1, "y": 5, "x": 5, "event": ["none", "death"]})
    for options in ({}, {"fine_tune": True}):
        with pytest.raises(ShapeError, match="movies in 2D of 1 channels, found 3D"):
            EventClassifier(arrow, **options).fit(deep, table)


@pytest.fixture(scope="module")
def deep():
    """A movie of two layers, each with events of its own, and the places of its cells."""
    layers = [event_movie(12, 10, side=64, random_state=seed) for seed in (0, 1)]
    frames = np.stack([np.asarray(layer.frames)[:, 0] for layer in layers])
    volume = np.full((len(frames[0]), 10, 64, 64), np.median(frames), np.float32)
    volume += np.random.default_rng(0).normal(0, 0.01, volume.shape).astype(np.float32)
    for middle, of_layer in zip((2, 7), frames, strict=True):
        volume[:, middle - 1 : middle + 2] = of_layer[:, None] * np.array([0.7, 1, 0.7])[:, None, None]
    tables = [cell_places(layer).assign(z=middle) for layer, middle in zip(layers, (2.0, 7.0), strict=True)]
    places = pd.concat(tables, keys=["low", "high"], names=["layer"]).reset_index("layer")
    places["cell_id"] = places["layer"] + places["cell_id"].astype(str)
    return Movie.build(volume, axes="tzyx", spacing=(4, 1, 1)), places[places["event"] != "death"]


@pytest.mark.parametrize("options", [{}, {"fine_tune": True}])
def test_volumes_are_read_where_the_places_are(deep, options):
    movie, places = deep
    arrow = TimeArrow(**ARROW).untrained(movie)
    model = EventClassifier(arrow, **SMALL | {"n_steps": 60} | options).fit(movie, places)
    divides = (places["event"] == "division").to_numpy()
    here = model.predict_proba(movie, places)[:, 1]
    elsewhere = model.predict_proba(movie, places.assign(z=9 - places["z"]))[:, 1]
    assert here[divides].mean() > here[~divides].mean() + 0.2
    assert here[divides].mean() > elsewhere[divides].mean() + 0.2


def test_places_without_an_event_are_left_out(movie, arrow):
    places = cell_places(movie)
    more = places.assign(event=np.where(places["event"] == "none", "unassigned", places["event"]))
    more.loc[more.index[more["event"] == "unassigned"][:5], "event"] = None
    model = EventClassifier(arrow, **SMALL | {"n_steps": 2}).fit(movie, more)
    assert model.classes_ == ["death", "division"]


def test_wrong_objects_and_sizes_are_named(movie, arrow):
    with pytest.raises(OptionError, match="a `TimeArrow` as `arrow`, found int"):
        EventClassifier(3)
    with pytest.raises(CellGraphError, match="at least one movie"):
        EventClassifier(arrow).fit([], [])
    with pytest.raises(OptionError, match=r"multiple of 2 .* found 25. Pass `crop_px=26`"):
        EventClassifier(arrow, **SMALL | {"crop_px": 25, "fine_tune": True}).fit(movie)
