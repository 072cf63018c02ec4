"""`tl.time_arrow` and `tl.detect_events`: what they write and return."""

import numpy as np
import pandas as pd
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import LabelKeyError, MissingKeyError, OptionError
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.models import EventClassifier, TimeArrow

ARROW = {"n_steps": 2, "n_hidden": 4, "n_features": 6, "n_levels": 1, "crop_px": 16, "batch_size": 4, "progress": False}


@pytest.fixture(scope="module")
def movie():
    return event_movie(12, 8, side=80, random_state=0)


@pytest.fixture(scope="module")
def model(movie):
    arrow = TimeArrow(**ARROW).fit(movie)
    return EventClassifier(arrow, n_steps=10, crop_px=8, batch_size=8, progress=False).fit(movie)


def test_features_stand_beside_cells_and_frames(movie, model):
    adata = cgc.from_movie(movie)
    cgc.tl.time_arrow(adata, movie, model=model.arrow)
    table = model.arrow.transform(movie)
    row = 17
    key = (adata.obs["frame"].iloc[row], adata.obs["cell_id"].iloc[row])
    np.testing.assert_allclose(adata.obsm["X_timearrow"].iloc[row], table.loc[key])
    assert adata.obsm["X_timearrow"].notna().all().all()
    trained = cgc.tl.time_arrow(adata, movie, copy=True, key_added="own", **ARROW)
    assert "own" in trained.obsm
    assert "own" not in adata.obsm
    with pytest.raises(OptionError, match="no training options beside `model`"):
        cgc.tl.time_arrow(adata, movie, model=model.arrow, n_steps=3)
    with pytest.raises(MissingKeyError, match="from_movie"):
        cgc.tl.time_arrow(adata[:, :].copy().T.copy(), movie, model=model.arrow)


def test_events_of_cells_are_listed_and_written(movie, model):
    adata = cgc.from_movie(movie)
    found = cgc.tl.detect_events(movie, model=model, min_confidence=0.0, adata=adata)
    assert list(found.columns) == ["frame", "y", "x", "cell_id", "event", "confidence"]
    assert found["confidence"].is_monotonic_decreasing
    assert set(found["event"]) <= {"division", "death"}
    last = (adata.obs["frame"] == 7).to_numpy()
    assert (adata.obs["event_pred"][last] == "unassigned").all()
    assert (adata.obs["event_pred"][~last] != "unassigned").all()
    best = found.iloc[0]
    row = ((adata.obs["frame"] == best["frame"]) & (adata.obs["cell_id"] == best["cell_id"])).to_numpy()
    assert adata.obsm["event_pred_proba"].loc[row, best["event"]].iloc[0] == pytest.approx(best["confidence"])


def test_without_labels_places_that_overlap_count_once(movie, model):
    plain = cgc.Movie.build(np.asarray(movie.frames._frames), frame_interval=60, spacing=(0.5, 0.5))
    found = cgc.tl.detect_events(plain, model=model, min_confidence=0.01)
    assert "cell_id" not in found
    np.testing.assert_allclose(found["time"], 60 * found["frame"])
    assert found["x"].max() <= 40
    for _, same in found.groupby("frame"):
        at = same[["y", "x"]].to_numpy() / 0.5
        apart = np.linalg.norm(at[:, None] - at[None], axis=2)
        assert (apart[np.triu_indices(len(at), 1)] > 8).all()
    with pytest.raises(OptionError, match="labels for `adata`"):
        cgc.tl.detect_events(plain, model=model, adata=cgc.from_movie(movie))
    given = cgc.tl.detect_events(plain, np.asarray(movie.labels), model=model, min_confidence=0.0)
    assert "cell_id" in given


# --- From matches: a few marked cells, all cells predicted ---


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr("cellgraph_clr.tl.matched_events.N_TREES", 30)


@pytest.fixture(scope="module")
def longer():
    return event_movie(30, 30, side=160, random_state=3)


@pytest.fixture(scope="module")
def marked(longer):
    """Cells of a movie; six divisions and sixty other cells of the first half are marked."""
    out = cgc.from_movie(longer, features=("shape",), n_jobs=1)
    early = (out.obs["frame"] < 15).to_numpy()
    rng = np.random.default_rng(0)
    out.obs["marked"] = "unassigned"
    for name, n in (("division", 6), ("none", 60)):
        rows = rng.choice(np.flatnonzero(early & (out.obs["event"] == name).to_numpy()), n, replace=False)
        out.obs.iloc[rows, out.obs.columns.get_loc("marked")] = name
    return out


def precision_later(adata, key):
    later = (adata.obs["frame"] >= 15).to_numpy() & (adata.obs["frame"] < 29).to_numpy()
    true = (adata.obs["event"] == "division").to_numpy()[later]
    return cgc.metrics.average_precision(true, adata.obsm[f"{key}_proba"]["division"].to_numpy()[later])


@pytest.mark.parametrize("name", ["No", "background", "None"])
def test_marks_that_mean_none_are_named(longer, marked, name):
    adata = marked.copy()
    adata.obs["marked"] = adata.obs["marked"].replace("none", name)
    with pytest.warns(UserWarning, match=f"marked '{name}' in obs.'marked'. are learned as an event: only 'none'"):
        found = cgc.tl.detect_events(adata, longer, label_key="marked", min_confidence=0.0)
    assert name in set(found["event"])


def test_six_marked_divisions_are_enough(longer, marked):
    adata = marked.copy()
    found = cgc.tl.detect_events(adata, longer, label_key="marked")
    assert precision_later(adata, "event_pred") > 0.95
    assert list(found.columns) == ["frame", "y", "x", "cell_id", "event", "confidence"]
    assert set(found["event"]) == {"division"}
    assert found["confidence"].is_monotonic_decreasing
    assert found["confidence"].min() >= 0.5
    last = (adata.obs["frame"] == 29).to_numpy()
    assert (adata.obs["event_pred"][last] == "unassigned").all()
    assert (adata.obs["event_pred"][~last] != "unassigned").all()
    assert not (found["frame"] == 29).any()
    best = found.iloc[0]
    row = ((adata.obs["frame"] == best["frame"]) & (adata.obs["cell_id"] == best["cell_id"])).to_numpy()
    np.testing.assert_allclose(adata.obsm["spatial"][row][0], [best["x"], best["y"]], rtol=1e-6)
    for name in ("X_matches", "event_pred_proba"):
        assert name in adata.obsm
    again = marked.copy()
    pd.testing.assert_frame_equal(cgc.tl.detect_events(longer, adata=again, label_key="marked"), found)


def test_divisions_marked_alone_are_told_from_cells_drawn_at_random(longer, marked):
    adata = marked.copy()
    adata.obs["alone"] = adata.obs["marked"].where(adata.obs["marked"] == "division")
    cgc.tl.detect_events(adata, longer, label_key="alone")
    assert precision_later(adata, "event_pred") > 0.9
    shuffled = adata[np.random.default_rng(1).permutation(adata.n_obs)].copy()
    cgc.tl.detect_events(shuffled, longer, label_key="alone", key_added="b")
    np.testing.assert_allclose(
        shuffled[adata.obs_names].obsm["b_proba"]["division"], adata.obsm["event_pred_proba"]["division"], atol=1e-6
    )
    cgc.tl.detect_events(adata, longer, label_key="alone", key_added="c", random_state=1)
    assert not np.allclose(adata.obsm["c_proba"]["division"], adata.obsm["event_pred_proba"]["division"])
    adata.obs["alone"] = adata.obs["marked"].where(adata.obs["marked"] == "none")
    with pytest.raises(LabelKeyError, match="of an event and of 'none'"):
        cgc.tl.detect_events(adata, longer, label_key="alone")


def test_matches_that_are_there_are_used(longer, marked):
    adata = marked.copy()
    cgc.tl.detect_events(adata, label_key="marked", key_added="by_position")
    assert not adata.obsm["X_matches"].filter(like="overlap").size
    cgc.gr.temporal_matches(adata, labels=longer)
    cgc.tl.detect_events(adata, label_key="marked", key_added="by_masks")
    assert adata.obsm["X_matches"].filter(like="overlap").size
    cgc.tl.detect_events(adata, longer, label_key="marked", key_added="again")
    np.testing.assert_array_equal(adata.obsm["again_proba"], adata.obsm["by_masks_proba"])
    cgc.tl.detect_events(adata, label_key="marked", key_added="shape", use_rep="X")
    assert precision_later(adata, "shape") < precision_later(adata, "by_masks")


def test_samples_are_named(longer, marked):
    joined = cgc.concat({"a": marked, "b": marked})
    found = cgc.tl.detect_events(joined, {"a": longer, "b": longer}, label_key="marked")
    assert list(found.columns[:2]) == ["library_id", "frame"]
    assert found["library_id"].value_counts().nunique() == 1


def test_what_the_two_ways_refuse(movie, model, marked):
    adata = marked.copy()
    with pytest.raises(LabelKeyError, match="label_key"):
        cgc.tl.detect_events(adata)
    with pytest.raises(OptionError, match="cells or a model"):
        cgc.tl.detect_events(movie, label_key="event")
    with pytest.raises(OptionError, match="a `Movie` beside `model`"):
        cgc.tl.detect_events(adata, model=model)
    with pytest.raises(OptionError, match="no training options"):
        cgc.tl.detect_events(movie, model=model, label_key="event")
    with pytest.raises(OptionError, match="no `adata` beside cells"):
        cgc.tl.detect_events(adata, label_key="event", adata=adata)
    with pytest.raises(OptionError, match="written over"):
        cgc.tl.detect_events(adata, label_key="marked", key_added="marked")
    with pytest.raises(MissingKeyError, match="frame"):
        cgc.tl.detect_events(marked[:, :2].copy().T.copy(), label_key="marked")
    for marks in (adata.obs["marked"] == "division", (adata.obs["marked"] == "division").astype(int)):
        adata.obs["flag"] = marks
        with pytest.raises(LabelKeyError, match='"division", "unassigned"'):
            cgc.tl.detect_events(adata, label_key="flag")
    assert "X_matches" not in adata.obsm
