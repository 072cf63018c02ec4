"""Features of cells over time, and the events found in movies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_key_added, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.options import shows
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.results import cell_keys, write_by_cell, write_classes
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.models.time_arrow.config import TimeArrowConfig
from cellgraph_clr.tl.common import check_model_alone, trained_with
from cellgraph_clr.tl.matched_events import events_from_matches
from cellgraph_clr.training.runtime import Runtime

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr.models.time_arrow.events import EventClassifier
    from cellgraph_clr.models.time_arrow.model import TimeArrow

__all__ = ["detect_events", "time_arrow"]


@shows(TimeArrowConfig, Runtime, without=("n_processes",))
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
    adata : AnnData
        Cells of the movie's frames (`cgc.from_movie`), matched by `obs["frame"]` and `obs["cell_id"]`.
    movie : Movie
        With labels.
    model : TimeArrow or None, default None
        A fitted `TimeArrow` to apply instead of training one; further options must then be left alone.
    key_added : str, default "X_timearrow"
        `obsm` key, a DataFrame with columns "timearrow_0", …; NaN for cells that are not in the labels.
    checkpoint : str or path-like or None, default None
        File that training is saved to and goes on from when it exists.
    random_state : int, numpy.random.Generator or None, default 0
        Of `TimeArrow`.
    device : str, default "auto"
        Of `TimeArrow`.
    progress : bool or None, default None
        Of `TimeArrow`.
    copy : bool, default False
        Return a new AnnData.
    **config : object
        Of `TimeArrow`.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    MissingKeyError, OptionError, ShapeError
        Without `obs["frame"]`, for a movie without labels, wrong options, and as `TimeArrow.fit`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(6, 8, side=96, random_state=0)
    >>> adata = cgc.from_movie(movie)
    >>> cgc.tl.time_arrow(adata, movie, n_steps=2, crop_px=32, progress=False)
    >>> adata.obsm["X_timearrow"].shape[0] == adata.n_obs
    True
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
    run = {"function": "tl.time_arrow", "config": model.options, "seed": model.seed_}
    run |= {"accuracy_on_unseen_frames": model.accuracy_}
    write_by_cell(adata, key_added, found, keys)
    record_run(adata, key_added, run)
    log_written("tl.time_arrow", [f"obsm[{key_added!r}]"])
    return adata if copy else None


@checked
def detect_events(
    movie: Movie | AnnData,
    labels: Any = None,
    *,
    label_key: str | None = None,
    model: EventClassifier | None = None,
    min_confidence: float = 0.5,
    adata: AnnData | None = None,
    use_rep: str | Sequence[str] | None = None,
    library_key: str | None = None,
    key_added: str = "event_pred",
    random_state: RandomState = 0,
) -> pd.DataFrame:
    """Find divisions, deaths and other events of cells: from a few marked ones and matches of masks, or from pixels.

    Where there are masks, use the first way: `detect_events(adata, masks, label_key=…)` learns from the marked cells, their
    measured features and their matches in the frames before and after (`gr.temporal_matches`), and predicts for all cells. On
    every movie with masks that was measured, matches beat the features of the time arrow. The second way, a `Movie` and a
    fitted `model` on pixels, is for movies without masks.

    Parameters
    ----------
    movie : Movie or AnnData
        Cells of all frames (`cgc.from_movie`, or a table with `obs["frame"]`); or a `Movie`, with a `model`, or with
        `adata` and `label_key`: then the first way with the masks of the movie.
    labels : object, default None
        Masks (t, [z,] y, x) or the `Movie`, for several samples a mapping from samples to these. None, for cells: the
        matches in `obsm["X_matches"]`, or, where there are none, matches by position; for a `Movie`: its own masks.
    label_key : str or None, default None
        `obs` column of marked events. Cells with an event have its name, those without "none"; cells that are missing
        or "unassigned" are not learned from. Where no cell is marked "none", ten times as many cells as are marked are
        drawn from the others to stand for it: enough to rank cells, but confidence is then calibrated to that share of
        events.
    model : EventClassifier or None, default None
        A fitted `EventClassifier`, for a `Movie`.
    min_confidence : float, default 0.5
        Least probability of an event in the table.
    adata : AnnData or None, default None
        Cells of the `Movie`, to write to.
    use_rep : str or sequence of str or None, default None
        Representation(s) to learn from in the first way; None takes `X` and "X_matches". Those named are not made.
    library_key : str or None, default None
        `obs` column of the samples; None as in `gr.contact_graph`.
    key_added : str, default "event_pred"
        `obs[key_added]`, `obs[key_added + "_confidence"]` and `obsm[key_added + "_proba"]` are written for all cells;
        cells of the last frame have no frame after them and are "unassigned".
    random_state : int, numpy.random.Generator or None, default 0
        Seed of trees and draws.

    Returns
    -------
    pandas.DataFrame
        A table by confidence: library_id with several samples, frame, time (seconds, where the frame interval is
        known), (z,) y, x in the unit of the movie, cell_id, event, confidence. Without masks places are a grid half a
        place apart, of which the highest within a place and neighbouring frames counts once, and there is no cell_id.

    Raises
    ------
    OptionError
        For a confidence outside 0 … 1, `model` beside `label_key` or with cells, `adata` with a movie without labels.
    LabelKeyError
        Without `label_key`, for a column without an event, or of one class where there is nothing else to draw from.
    MissingKeyError, ShapeError, NonFiniteError
        For cells without frames, as `gr.temporal_matches`, `tl.classify` and the model.

    Warns
    -----
    UserWarning
        If marks are called "no", "negative", "background", "other", "nothing" or "false": only "none" means no event.

    Notes
    -----
    First way: randomised trees (`models.CalibratedTrees`), O(voxels + labelled cells) and a temperature fitted on cells left out.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(8, 14, side=128, random_state=0)
    >>> adata = cgc.from_movie(movie)
    >>> adata.obs["marked"] = adata.obs["event"].astype(str).where(adata.obs["frame"] < 9, "unassigned")
    >>> found = cgc.tl.detect_events(adata, movie, label_key="marked")
    >>> "confidence" in found
    True
    """
    check_in_range("min_confidence", min_confidence, low=0, high=1)
    check_key_added(key_added, "obs", beside=[label_key or ""])
    if model is not None:
        options = {"label_key": label_key, "use_rep": use_rep, "library_key": library_key}
        check_model_alone([name for name, value in options.items() if value is not None])
        return _from_pixels(movie, labels, model, min_confidence, adata, key_added)
    cells, masks = _cells_and_masks(movie, labels, adata)
    found = events_from_matches(
        cells,
        masks,
        label_key,
        use_rep=use_rep,
        library_key=library_key,
        min_confidence=min_confidence,
        key_added=key_added,
        random_state=random_state,
    )
    interval = next((m.frame_interval for m in (movie, labels) if isinstance(m, Movie)), None)
    if interval is not None:
        found.insert(int(found.columns.get_loc("frame")) + 1, "time", found["frame"] * interval)
    return found


def _cells_and_masks(movie: Movie | AnnData, labels: Any, adata: AnnData | None) -> tuple[AnnData, Any]:
    """Return the cells to work on and the masks to match. Raises `OptionError` for anything that lacks one of them."""
    if not isinstance(movie, Movie):
        if adata is not None:
            raise OptionError(expected("no `adata` beside cells", "both", "Pass the cells once, first."))
        return movie, labels
    if adata is None or (labels is None and movie.labels is None):
        found = "a movie alone" if adata is None else "a movie without masks"
        remedy = "Pass the cells of its masks by `adata=`, or, without masks, a fitted `EventClassifier` by `model=`."
        raise OptionError(expected("cells or a model", found, remedy))
    return adata, movie if labels is None else labels


def _from_pixels(
    movie: Movie | AnnData,
    labels: Any,
    model: EventClassifier,
    min_confidence: float,
    adata: AnnData | None,
    key_added: str,
) -> pd.DataFrame:
    """Return the events that a classifier of pixels finds in a movie, and write them into `adata`."""
    from cellgraph_clr.analysis.events import local_maxima
    from cellgraph_clr.models.time_arrow.places import cell_places, grid_places

    if not isinstance(movie, Movie):
        remedy = "Pass the `Movie`, and these cells by `adata=`."
        raise OptionError(expected("a `Movie` beside `model`", type(movie).__name__, remedy))
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
    places = cell_places(movie) if movie.labels is not None else grid_places(movie, size=model.config.crop_px)
    axes = [axis for axis in ("z", "y", "x") if axis in places]
    proba = model.predict_proba(movie, places)
    events = [k for k, name in enumerate(model.classes_) if name != "none"]
    best = proba[:, events].argmax(axis=1) if len(proba) else np.zeros(0, int)
    confidence = proba[np.arange(len(proba)), np.array(events)[best]] if len(proba) else np.zeros(0)
    rows = np.flatnonzero(confidence >= min_confidence)
    if movie.labels is None:
        apart = np.array(movie.spacing) / movie.spacing[-1]  # in pixels, planes too
        position = places[axes].to_numpy()[rows] * apart
        rows = rows[
            local_maxima(places["frame"].to_numpy()[rows], position, confidence[rows], reach=model.config.crop_px)
        ]
    else:
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
    found = places.iloc[rows].drop(columns="event", errors="ignore").reset_index(drop=True)
    if movie.frame_interval is not None:
        found.insert(1, "time", found["frame"] * movie.frame_interval)
    found[axes] = found[axes] * np.array(movie.spacing)
    found["event"] = [model.classes_[events[b]] for b in best[rows]]
    found["confidence"] = confidence[rows]
    if adata is not None:
        _write(adata, keys, places, proba, model.classes_, key_added)
    return found


def _write(adata: AnnData, keys: Any, places: pd.DataFrame, proba: np.ndarray, classes: list[str], key: str) -> None:
    import pandas as pd

    index = pd.MultiIndex.from_arrays([places["frame"], places["cell_id"]])
    table = pd.DataFrame(proba, index=index).reindex(keys).to_numpy()
    unknown = ~np.isfinite(table).all(axis=1)
    table[unknown] = 1 / len(classes)
    log_written("tl.detect_events", write_classes(adata, key, table, classes, unknown))
