"""`EventClassifier`: division, death or nothing, with calibrated confidence, on features of time-arrow prediction."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from cellgraph_clr._core.checks import check_finite, expected
from cellgraph_clr._core.errors import (
    ArgumentKindError,
    LabelKeyError,
    ModelFileError,
    OptionError,
    ShapeError,
)
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.analysis.calibration import fit_temperature
from cellgraph_clr.models.time_arrow.event_config import EventClassifierConfig
from cellgraph_clr.models.time_arrow.event_task import MARGIN, EventTask, new_event_net
from cellgraph_clr.models.time_arrow.frames import check_movies, normalised
from cellgraph_clr.models.time_arrow.model import TimeArrow
from cellgraph_clr.models.time_arrow.places import cell_places, cut_places, planes_of
from cellgraph_clr.training.recipe import Fitted, Recipe, run_digest
from cellgraph_clr.training.run import Trained, Watch, Watches, train
from cellgraph_clr.training.saved import DAMAGED, OVERFLOWN

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from cellgraph_clr.cells.movie import Movie

__all__ = ["EventClassifier"]

HELD_OUT = 0.25  # share of the tracks that the temperature is fitted on
LEAST_CALIBRATED = 5  # events of a class that are needed to fit a temperature


class EventClassifier(Recipe[EventClassifierConfig]):
    """Events of places in movies, from the frame and the one after it: for movies without masks.

    Where there are masks, use `tl.detect_events(adata, masks, label_key=…)`: measured shape and matches between frames beat this
    model on every movie measured, from a hundredth of the labels.

    Classes are drawn alike while learning; logits are divided by one temperature, fitted on a quarter of the tracks (or places),
    which are then learned from as well, and brought back to how often each class occurs.

    Parameters
    ----------
    arrow : TimeArrow
        Fitted `TimeArrow`, or its `untrained` form as a baseline.
    random_state : int, numpy.random.Generator or None, default 0
        As in `TimeArrow`.
    device : str, default "auto"
        As in `TimeArrow`.
    precision : str, default "32"
        As in `TimeArrow`.
    num_workers : int, default 0
        As in `TimeArrow`.
    progress : bool or None, default None
        As in `TimeArrow`.
    **config : object
        Fields of `EventClassifierConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    classes_ : list of str
        Names of the events, in the order of the columns of `predict_proba`.
    temperature_ : float
        1 when it could not be fitted.
    history_
        Figure -> one value a step: loss (nats), accuracy (on batches in which every class is as frequent).

    Notes
    -----
    In 3D a place is about as deep as it is wide, and the head sees the highest value of its planes (ours). With `fine_tune` the
    network sees these planes alone.

    Memory: 4 n n_features size^2 bytes for n places to learn from. Source: Chen, Namboodiri and Sero 2024 (heads, balanced
    sampling, temperature); softmax confidence throughout, and no place is in two parts of a split.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(8, 14, side=96, random_state=0)
    >>> arrow = cgc.models.TimeArrow(n_steps=2, crop_px=32, n_features=4, validation=0, progress=False).fit(movie)
    >>> model = cgc.models.EventClassifier(arrow, n_steps=2, calibrate=False, progress=False).fit(movie)
    >>> events = cgc.tl.detect_events(movie, model=model)
    >>> set(events["event"]) <= set(model.classes_)
    True
    """

    config_class = EventClassifierConfig
    about_form = {"classes": [str], "temperature": float, "shift": [float]}  # noqa: RUF012 - never changed
    models = {"arrow": TimeArrow}  # noqa: RUF012 - never changed

    def __init__(
        self,
        arrow: TimeArrow,
        *,
        random_state: RandomState = 0,
        device: str = "auto",
        precision: str = "32",
        num_workers: int = 0,
        progress: bool | None = None,
        **config: Any,
    ) -> None:
        run: dict[str, Any] = {"precision": precision, "num_workers": num_workers, "progress": progress}
        super().__init__(random_state=random_state, device=device, **run, **config)
        if not isinstance(arrow, TimeArrow):
            raise ArgumentKindError(
                expected("a `TimeArrow` as `arrow`", type(arrow).__name__, "Fit one, or take its `untrained` form.")
            )
        self.arrow = copy(arrow)  # a second fit of it is not ours

    @property
    def classes_(self) -> list[str]:
        """Names of the events.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(8, 14, side=96, random_state=0)
        >>> arrow = cgc.models.TimeArrow(n_features=4).untrained(movie)
        >>> cgc.models.EventClassifier(arrow, n_steps=2, calibrate=False, progress=False).fit(movie).classes_
        ['none', 'death', 'division']
        """
        return [] if self._state is None else list(self._state.about["classes"])

    @property
    def temperature_(self) -> float:
        """What logits are divided by.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(8, 14, side=96, random_state=0)
        >>> arrow = cgc.models.TimeArrow(n_features=4).untrained(movie)
        >>> cgc.models.EventClassifier(arrow, n_steps=2, calibrate=False, progress=False).fit(movie).temperature_
        1.0
        """
        return 1.0 if self._state is None else float(self._state.about["temperature"])

    def fit(
        self,
        movies: Movie | Sequence[Movie],
        places: pd.DataFrame | Sequence[pd.DataFrame] | None = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        callbacks: Sequence[Any] = (),
        logger: Any = None,
    ) -> Self:
        """Learn from places with known events, and return self.

        Parameters
        ----------
        movies : Movie or sequence of Movie
            One or several.
        places : pandas.DataFrame or sequence of pandas.DataFrame or None, default None
            For each a table with frame, (z,) y, x (voxels) and event (rows without one, or "unassigned", are
            left out); with cell_id, those of one cell stay on one side of splits. None takes `cell_places`: every cell
            of movies with labels and tracks.
        checkpoint : str or path-like or None, default None
            Folder that runs are saved to, one file for the calibration and one for all places; a killed fit goes on
            from it. None saves nothing.
        checkpoint_every : int, default 100
            Steps between two savings.
        callbacks : sequence of object, default ()
            Of Lightning, for each of the runs.
        logger : object, default None
            Of Lightning, for each of the runs.

        Returns
        -------
        Self
            The fitted model.

        Raises
        ------
        NoCellsError
            For an empty list of movies.
        LabelKeyError
            If fewer than two events occur.
        ShapeError, MissingKeyError, OptionError
            For tables that do not fit the movies, movies that do not fit `arrow`, or without labels or tracks where no places are
            given; with `fine_tune` for volumes whose spacing differs.
        KeyboardInterrupt, SystemExit
            When it is interrupted, or asked to end by SIGTERM; the model is then as it was before.

        Examples
        --------
        >>> import pandas as pd
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(8, 14, side=96, random_state=0)
        >>> arrow = cgc.models.TimeArrow(n_features=4).untrained(movie)
        >>> places = pd.DataFrame({"frame": [0, 2, 4], "y": [30, 40, 50], "x": [30, 60, 20]})
        >>> places["event"] = ["none", "none", "division"]  # marked by hand
        >>> model = cgc.models.EventClassifier(arrow, n_steps=2, progress=False).fit(movie, places)
        >>> model.classes_
        ['none', 'division']
        """
        import pandas as pd

        watch = Watches(checkpoint, checkpoint_every, callbacks, logger)
        several = check_movies(movies, size=1, reach=0)
        tables = [cell_places(m) for m in several] if places is None else places
        tables = [tables] if isinstance(tables, pd.DataFrame) else list(tables)
        if len(tables) != len(several):
            raise ShapeError(expected(f"{len(several)} tables of places", len(tables), "One for every movie."))
        for table in tables:
            if "event" not in table.columns:
                remedy = "Add the column, or tracks to the movie."
                raise LabelKeyError(expected("places with the column event", list(table.columns), remedy))
        tables = [t[t["event"].notna() & (t["event"].astype(str) != UNASSIGNED)] for t in tables]
        event = np.concatenate([t["event"].astype(str).to_numpy() for t in tables])
        classes = sorted(set(event), key=lambda name: (name != "none", name))
        if len(classes) < 2:
            remedy = "An event that never occurs cannot be learned."
            raise LabelKeyError(expected("two events at least", ", ".join(classes) or "none", remedy))
        codes = np.array([classes.index(e) for e in event])
        group = np.concatenate(
            [
                np.array([f"{i} {c}" for c in (t["cell_id"] if "cell_id" in t.columns else range(len(t)))])
                for i, t in enumerate(tables)
            ]
        )
        each = [self._inputs(m, t) for m, t in zip(several, tables, strict=True)]
        shapes = {found.shape[1:] for found in each}
        if len(shapes) > 1:
            found = ", ".join(f"{shape[-3]} planes" for shape in sorted(shapes))
            raise ShapeError(
                expected("places as deep in all movies", found, "Bring them to one spacing, or `fine_tune=False`.")
            )
        inputs = np.concatenate(each)
        seed = as_seed(self.random_state)
        frequency = np.bincount(codes, minlength=len(classes)) / len(codes)
        shift, temperature = np.log(frequency * len(classes)), 1.0
        if self.config.calibrate:
            held = _held_out(group, codes, np.random.default_rng(seed))
            if np.bincount(codes[held], minlength=len(classes)).min() >= LEAST_CALIBRATED:
                apart = self._learned(inputs[~held], codes[~held], seed, watch.named("calibration"))
                temperature = fit_temperature(
                    _logits(apart.networks["net"], inputs[held], len(classes)), codes[held], offset=shift
                )
        trained = self._learned(inputs, codes, seed, watch.named("all"))
        about = {"classes": classes, "temperature": temperature, "shift": shift.tolist()}
        self._state = Fitted(trained.networks, trained.history, seed, about)
        return self

    def predict_proba(self, movie: Movie, places: pd.DataFrame | None = None) -> np.ndarray:
        """Return the calibrated probabilities (n, k) of the events of places (None: of all cells, see `cell_places`).

        Raises `CellGraphError` before `fit`, and as `fit` for tables that do not fit.

        Parameters
        ----------
        movie : Movie
            The movie.
        places : pandas.DataFrame or None, default None
            Where to look: frame and position of every place.

        Returns
        -------
        numpy.ndarray
            The calibrated probabilities (n, k) of the events of places (None: of all cells, see `cell_places`).

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(8, 14, side=96, random_state=0)
        >>> arrow = cgc.models.TimeArrow(n_features=4).untrained(movie)
        >>> model = cgc.models.EventClassifier(arrow, n_steps=2, calibrate=False, progress=False).fit(movie)
        >>> model.predict_proba(movie).shape[1] == len(model.classes_)
        True
        """
        net, inputs = self.network("net"), self._inputs(movie, cell_places(movie) if places is None else places)
        logits = _logits(net, inputs, len(self.classes_))
        check_finite(logits, what="logits", remedy=OVERFLOWN)
        return np.asarray(softmax(logits / self.temperature_ + np.array(self._fitted().about["shift"]), axis=1))

    def predict(self, movie: Movie, places: pd.DataFrame | None = None) -> np.ndarray:
        """Return the most probable event (n,) of places.

        Parameters
        ----------
        movie : Movie
            The movie.
        places : pandas.DataFrame or None, default None
            Where to look: frame and position of every place.

        Returns
        -------
        numpy.ndarray
            The most probable event (n,) of places.

        Examples
        --------
        >>> import pandas as pd
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(8, 14, side=96, random_state=0)
        >>> arrow = cgc.models.TimeArrow(n_features=4).untrained(movie)
        >>> model = cgc.models.EventClassifier(arrow, n_steps=2, calibrate=False, progress=False).fit(movie)
        >>> len(model.predict(movie, pd.DataFrame({"frame": [0, 3], "y": [30, 40], "x": [30, 60]})))
        2
        """
        return np.asarray(self.classes_, object)[self.predict_proba(movie, places).argmax(axis=1)]

    def _learned(self, inputs: np.ndarray, codes: np.ndarray, seed: int, watch: Watch) -> Trained:
        c, arrow = self.config, self.arrow.config
        net = self.arrow.backbone_copy().cpu() if c.fine_tune else None
        task = EventTask(c, inputs, codes, arrow.n_features, net, arrow.strength, seed)
        digest = run_digest([self._options(), seed], [inputs, codes]) if watch.checkpoint is not None else ""
        return train(task, self.runtime, watch, fingerprint=digest, options={**self._options(), "random_state": seed})

    def _new_networks(self, about: Mapping[str, Any]) -> dict[str, nn.Module]:
        if len(about["shift"]) != len(about["classes"]):
            raise ModelFileError(expected("a shift for each class", f"{len(about['shift'])}", DAMAGED))
        net = self.arrow.backbone_copy() if self.config.fine_tune else None
        return {"net": new_event_net(self.config, self.arrow.config.n_features, len(about["classes"]), net)}

    def _inputs(self, movie: Movie, places: pd.DataFrame) -> np.ndarray:
        """Return the features of places in two frames, or their pixels with a margin where the network is trained along."""
        size = self.config.crop_px
        n_planes = planes_of(movie, size)
        if not self.config.fine_tune:
            return cut_places(places, lambda t: self.arrow.dense(movie, t), len(movie), size=size, n_planes=n_planes)
        self.arrow._check(movie)  # noqa: SLF001 - of the same package
        net: Any = self.arrow.network("net")
        multiple = int(net.backbone.multiple)
        n_planes = -(-n_planes // multiple) * multiple
        size += 2 * MARGIN
        if size % multiple:
            found, near = self.config.crop_px, -(-size // multiple) * multiple - 2 * MARGIN
            remedy = f"Pass `crop_px={near}`."
            raise OptionError(
                expected(
                    f"`crop_px` + {2 * MARGIN} as a multiple of {multiple} where the network is trained along",
                    found,
                    remedy,
                )
            )
        return cut_places(
            places, lambda t: normalised(movie.frame(t)), len(movie), size=size, n_planes=n_planes, flat=movie.ndim == 2
        )


def _logits(net: nn.Module, inputs: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the logits (n, k) float64 of inputs, 128 at a time."""
    if len(inputs) == 0:
        return np.zeros((0, n_classes))
    device = next(net.parameters()).device
    with torch.inference_mode():
        parts = [net(torch.from_numpy(inputs[i : i + 128]).float().to(device)) for i in range(0, len(inputs), 128)]
    return torch.cat(parts).double().cpu().numpy()


def _held_out(group: np.ndarray, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the places (n,) bool of a quarter of the groups, a quarter of those with each event apart."""
    names, inverse = np.unique(group, return_inverse=True)
    kind = np.zeros(len(names), np.int64)
    np.maximum.at(kind, inverse, codes)
    chosen = np.zeros(len(names), bool)
    for k in np.unique(kind):
        members = rng.permutation(np.flatnonzero(kind == k))
        chosen[members[: round(HELD_OUT * len(members))]] = True
    return np.asarray(chosen[inverse])
