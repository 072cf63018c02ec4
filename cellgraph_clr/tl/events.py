"""Features of cells over time, and the events found in movies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_key_added, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.results import cell_keys, write_by_cell, write_classes
from cellgraph_clr.tl.common import check_model_alone, trained_with

if TYPE_CHECKING:
    import os

    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr.cells.movie import Movie
    from cellgraph_clr.models.time_arrow.events import EventClassifier
    from cellgraph_clr.models.time_arrow.model import TimeArrow

__all__ = ["detect_events", "time_arrow"]


@checked
def time_arrow(
    adata: AnnData,
    movie: Movie,
    *,
    model: TimeArrow | None = None,
    key_added: str = "X_timearrow",
    checkpoint: str | os.PathLike[str] | None = None,
    random_state: RandomState = 0,
    device: str = "auto",
    progress: bool | None = None,
    copy: bool = False,
    **config: Any,
) -> AnnData | None:
    """Learn what changes over time in a movie, and write its features beside every cell and frame.

    Parameters
    ----------
    adata : cells of the movie's frames (`cgc.from_movie`), matched by `obs["frame"]` and `obs["cell_id"]`.
    movie : with labels.
    model : a fitted `TimeArrow` to apply instead of training one; further options must then be left alone.
    key_added : `obsm` key, a DataFrame with columns "timearrow_0", …; NaN for cells that are not in the labels.
    checkpoint : file that training is saved to and goes on from when it exists.
    random_state, device, progress, **config : of `TimeArrow`.
    copy : return a new AnnData.

    Raises
    ------
    MissingKeyError, OptionError, ShapeError
        Without `obs["frame"]`, for a movie without labels, wrong options, and as `TimeArrow.fit`.
    """
    import pandas as pd

    from cellgraph_clr.models.time_arrow.model import TimeArrow

    check_key_added(key_added, "obsm")
    if model is not None:
        check_model_alone([*config, *trained_with(checkpoint, device)])
    keys = cell_keys(adata, "frame", maker="cgc.from_movie(movie)")
    if movie.labels is None:
        raise OptionError(expected("a movie with labels", "one without", "Pass `labels=` to `cgc.read_movie`."))
    adata = own_or_copy(adata, copy=copy)
    if model is None:
        model = TimeArrow(random_state=random_state, device=device, progress=progress, **config)
        model.fit(movie, checkpoint=checkpoint)
    found = model.transform(movie)
    assert isinstance(found, pd.DataFrame)  # the movie has labels
    write_by_cell(adata, key_added, found, keys)
    run = {"function": "tl.time_arrow", "config": model.options, "seed": model.seed_}
    record_run(adata, key_added, {**run, "accuracy_on_unseen_frames": model.accuracy_})
    log_written("tl.time_arrow", [f"obsm[{key_added!r}]"])
    return adata if copy else None


@checked
def detect_events(
    movie: Movie,
    labels: np.ndarray | None = None,
    *,
    model: EventClassifier,
    min_confidence: float = 0.5,
    adata: AnnData | None = None,
    key_added: str = "event_pred",
) -> pd.DataFrame:
    """Find divisions and deaths in a movie.

    Parameters
    ----------
    movie : frames, with or without labels.
    labels : (t, y, x) masks to use instead of the movie's.
    model : a fitted `EventClassifier`.
    min_confidence : least probability of an event.
    adata : cells of the movie (`cgc.from_movie`); when given, `obs[key_added]`, `obs[key_added + "_confidence"]` and
        `obsm[key_added + "_proba"]` are written for all of them (cells of the last frame have no frame after them and are
        "unassigned").
    key_added : `obs` column.

    Returns
    -------
    A table by confidence: frame, time (seconds, where the frame interval is known), x, y in the unit of the movie, event,
    confidence and, with labels, cell_id. With labels places are the cells; without, a grid half a place apart, of which the
    highest within a place and neighbouring frames counts once.

    Raises
    ------
    OptionError, MissingKeyError, ShapeError
        For a confidence outside 0 … 1, `adata` without frames or with a movie without labels, and as the model.
    """
    from cellgraph_clr.analysis.events import local_maxima
    from cellgraph_clr.cells.movie import Movie
    from cellgraph_clr.models.time_arrow.places import cell_places, grid_places

    check_in_range("min_confidence", min_confidence, low=0, high=1)
    check_key_added(key_added, "obs")
    if labels is not None:
        movie = Movie.build(
            movie.frames,
            labels,
            axes="tcyx" if movie.ndim == 2 else "tczyx",
            spacing=movie.spacing,
            unit=movie.unit,
            frame_interval=movie.frame_interval,
            channels=movie.channels,
        )
    if adata is not None and movie.labels is None:
        raise OptionError(expected("labels for `adata`", "a movie without", "Pass `labels=`, or leave `adata` out."))
    keys = None if adata is None else cell_keys(adata, "frame", maker="cgc.from_movie(movie)")
    places = cell_places(movie) if movie.labels is not None else grid_places(movie, size=model.config.size)
    proba = model.predict_proba(movie, places)
    if adata is not None:
        _write(adata, keys, places, proba, model.classes_, key_added)
    events = [k for k, name in enumerate(model.classes_) if name != "none"]
    best = proba[:, events].argmax(axis=1) if len(proba) else np.zeros(0, int)
    confidence = proba[np.arange(len(proba)), np.array(events)[best]] if len(proba) else np.zeros(0)
    rows = np.flatnonzero(confidence >= min_confidence)
    if movie.labels is None:
        position = places[["y", "x"]].to_numpy()[rows]
        rows = rows[local_maxima(places["frame"].to_numpy()[rows], position, confidence[rows], reach=model.config.size)]
    else:
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
    found = places.iloc[rows].drop(columns="event", errors="ignore").reset_index(drop=True)
    if movie.frame_interval is not None:
        found.insert(1, "time", found["frame"] * movie.frame_interval)
    found["x"], found["y"] = found["x"] * movie.spacing[-1], found["y"] * movie.spacing[-2]
    found["event"] = [model.classes_[events[b]] for b in best[rows]]
    found["confidence"] = confidence[rows]
    return found


def _write(adata: AnnData, keys: Any, places: pd.DataFrame, proba: np.ndarray, classes: list[str], key: str) -> None:
    import pandas as pd

    index = pd.MultiIndex.from_arrays([places["frame"], places["cell_id"]])
    table = pd.DataFrame(proba, index=index).reindex(keys).to_numpy()
    unknown = ~np.isfinite(table).all(axis=1)
    table[unknown] = 1 / len(classes)
    log_written("tl.detect_events", write_classes(adata, key, table, classes, unknown))
