"""`tl.time_arrow` and `tl.detect_events`: what they write and return."""

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.models import EventClassifier, TimeArrow

ARROW = {"n_steps": 2, "n_hidden": 4, "n_features": 6, "n_levels": 1, "size": 16, "batch_size": 4, "progress": False}


@pytest.fixture(scope="module")
def movie():
    return event_movie(12, 8, side=80, random_state=0)


@pytest.fixture(scope="module")
def model(movie):
    arrow = TimeArrow(**ARROW).fit(movie)
    return EventClassifier(arrow, n_steps=10, size=8, batch_size=8, progress=False).fit(movie)


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
