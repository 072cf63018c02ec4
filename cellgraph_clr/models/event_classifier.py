"""`EventClassifier`: division, death or nothing, with calibrated confidence, on features of time-arrow prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import softmax

from cellgraph_clr._core.checks import check_option, check_whole, expected
from cellgraph_clr._core.errors import CellGraphError, LabelKeyError, ShapeError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.analysis.calibration import fit_temperature
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.encoders import event_head
from cellgraph_clr.models.arrow_inputs import normalised
from cellgraph_clr.models.event_places import cell_places, cut_places
from cellgraph_clr.models.runs import run_digest, whole_or_none

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

    from cellgraph_clr.models.time_arrow import TimeArrow
    from cellgraph_clr.training.events import EventNet

__all__ = ["EventClassifier"]

MARGIN = 16  # pixels around a place that a network trained along sees
HELD_OUT = 0.25  # share of the tracks that the temperature is fitted on
LEAST_CALIBRATED = 5  # events of a class that are needed to fit a temperature


class EventClassifier:
    """Events of places in movies, from the frame and the one after it.

    Classes are drawn alike while learning; logits are divided by one temperature, fitted on a quarter of the tracks (or places),
    which are then learned from as well, and brought back to how often each class occurs.

    Parameters
    ----------
    arrow : fitted `TimeArrow`, or its `untrained` form as a baseline. In 2D.
    head : "residual" or "linear".
    fine_tune : train the network of `arrow` along (a copy of it); False leaves its features as they are.
    size : pixels of a place along y and x.
    calibrate : fit a temperature.
    n_steps, batch_size, learning_rate, weight_decay : optimisation (AdamW, one cycle).
    random_state, device, progress : as in `TimeArrow`.

    Attributes
    ----------
    classes_ : names of the events, in the order of the columns of `predict_proba`.
    temperature_ : 1 when it could not be fitted.
    history_ : figure -> one value a step: loss (nats), accuracy (on batches in which every class is as frequent).

    Notes
    -----
    Memory: 4 n n_features size^2 bytes for n places to learn from. Source: Chen, Namboodiri and Sero 2024 (heads, balanced
    sampling, temperature); softmax confidence throughout, and no place is in two parts of a split.
    """

    def __init__(
        self,
        arrow: TimeArrow,
        *,
        head: Literal["residual", "linear"] = "residual",
        fine_tune: bool = False,
        size: int = 24,
        calibrate: bool = True,
        n_steps: int = 300,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        random_state: RandomState = 0,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        check_option("head", head, event_head.HEADS)
        check_whole("size", size, low=8)
        check_whole("n_steps", n_steps)
        check_whole("batch_size", batch_size, low=2)
        self.arrow, self.head, self.fine_tune, self.size, self.calibrate = arrow, head, fine_tune, size, calibrate
        self.n_steps, self.batch_size, self.learning_rate = n_steps, batch_size, learning_rate
        self.weight_decay, self.random_state, self.device, self.progress = weight_decay, random_state, device, progress
        self.classes_: list[str] = []
        self.temperature_ = 1.0
        self.history_: dict[str, list[float]] = {}
        self.seed_ = 0
        self._model: EventNet | None = None
        self._shift = np.zeros(0)

    @whole_or_none
    def fit(
        self, movies: Movie | Sequence[Movie], places: pd.DataFrame | Sequence[pd.DataFrame] | None = None
    ) -> EventClassifier:
        """Learn from places with known events, and return self.

        Parameters
        ----------
        movies : one or several.
        places : for each a table with frame, y, x (pixels) and event; with cell_id, those of one cell stay on one side of
            splits. None takes `cell_places`: every cell of movies with labels and tracks.

        Raises
        ------
        LabelKeyError
            If fewer than two events occur.
        ShapeError, MissingKeyError, OptionError
            For tables that do not fit the movies, a movie in 3D, or one without labels or tracks where no places are given.
        KeyboardInterrupt
            When it is interrupted; the model is then as it was before.
        """
        import pandas as pd

        several = [movies] if isinstance(movies, Movie) else list(movies)
        tables = [cell_places(m) for m in several] if places is None else places
        tables = [tables] if isinstance(tables, pd.DataFrame) else list(tables)
        if len(tables) != len(several):
            raise ShapeError(expected(f"{len(several)} tables of places", len(tables), "One for every movie."))
        for table in tables:
            if "event" not in table.columns:
                remedy = "Add the column, or tracks to the movie."
                raise LabelKeyError(expected("places with the column event", list(table.columns), remedy))
        event = np.concatenate([t["event"].astype(str).to_numpy() for t in tables])
        self.classes_ = sorted(set(event), key=lambda name: (name != "none", name))
        if len(self.classes_) < 2:
            remedy = "An event that never occurs cannot be learned."
            raise LabelKeyError(expected("two events at least", ", ".join(self.classes_) or "none", remedy))
        codes = np.array([self.classes_.index(e) for e in event])
        group = np.concatenate(
            [
                np.array([f"{i} {c}" for c in (t["cell_id"] if "cell_id" in t.columns else range(len(t)))])
                for i, t in enumerate(tables)
            ]
        )
        inputs = np.concatenate([self._inputs(m, t) for m, t in zip(several, tables, strict=True)])
        seed = self.seed_ = as_seed(self.random_state)
        frequency = np.bincount(codes, minlength=len(self.classes_)) / len(codes)
        self._shift = np.log(frequency * len(self.classes_))
        self.temperature_ = 1.0
        if self.calibrate:
            held = _held_out(group, codes, np.random.default_rng(seed))
            if np.bincount(codes[held], minlength=len(self.classes_)).min() >= LEAST_CALIBRATED:
                self._learn(inputs[~held], codes[~held], seed)
                self.temperature_ = fit_temperature(self._logits(inputs[held]), codes[held], offset=self._shift)
        self._learn(inputs, codes, seed)
        return self

    def predict_proba(self, movie: Movie, places: pd.DataFrame | None = None) -> np.ndarray:
        """Return the calibrated probabilities (n, k) of the events of places (None: of all cells, see `cell_places`).

        Raises `CellGraphError` before `fit`, and as `fit` for tables that do not fit.
        """
        logits = self._logits(self._inputs(movie, cell_places(movie) if places is None else places))
        return np.asarray(softmax(logits / self.temperature_ + self._shift, axis=1))

    def predict(self, movie: Movie, places: pd.DataFrame | None = None) -> np.ndarray:
        """Return the most probable event (n,) of places."""
        return np.asarray(self.classes_, object)[self.predict_proba(movie, places).argmax(axis=1)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write two safetensors files: the classifier to `path`, its `TimeArrow` to the same with ".arrow" before the suffix."""
        from pathlib import Path

        from cellgraph_clr.training.weights import save_weights

        header = {
            "kind": "EventClassifier",
            "options": {k: getattr(self, k) for k in OPTIONS},
            "seed": self.seed_,
            "classes": self.classes_,
            "temperature": self.temperature_,
            "shift": self._shift.tolist(),
            "history": self.history_,
        }
        target = Path(path)
        save_weights(target, dict(self._fitted().state_dict()), header)
        self.arrow.save(target.with_suffix(f".arrow{target.suffix}"))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> EventClassifier:
        """Return a saved classifier. Raises `MissingFileError` and `ModelFileError`."""
        from pathlib import Path

        from cellgraph_clr.models.time_arrow import TimeArrow
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.weights import load_weights

        target = Path(path)
        tensors, header = load_weights(target, "EventClassifier")
        arrow = TimeArrow.load(target.with_suffix(f".arrow{target.suffix}"), device=device)
        model = cls(arrow, device=device, random_state=header["seed"], **header["options"])
        model.seed_ = header["seed"]
        model.classes_, model.temperature_, model.history_ = header["classes"], header["temperature"], header["history"]
        model._shift = np.array(header["shift"])
        net = model._new_model()
        net.load_state_dict(tensors)
        model._model = net.to(usable_device(device)).eval()
        return model

    def _inputs(self, movie: Movie, places: pd.DataFrame) -> np.ndarray:
        """Return the features of places in two frames, or their pixels with a margin where the network is trained along."""
        if movie.ndim != 2:
            raise ShapeError(expected("a movie in 2D", f"{movie.ndim}D", "Project it, or look at the planes."))
        if self.fine_tune:
            side = self.size + 2 * MARGIN
            return cut_places(places, lambda t: normalised(movie.frame(t)), len(movie), size=side)
        return cut_places(places, lambda t: self.arrow.dense(movie, t), len(movie), size=self.size)

    def _new_model(self) -> EventNet:
        from cellgraph_clr.training.events import EventNet

        head = event_head.EventHead(self.arrow.config.n_features, len(self.classes_), self.size, kind=self.head)
        return EventNet(head, self.arrow.backbone_copy() if self.fine_tune else None, MARGIN)

    def _learn(self, inputs: np.ndarray, codes: np.ndarray, seed: int) -> None:
        import torch

        from cellgraph_clr.training.contrastive import Runtime, train_contrastive
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.events import EventModule
        from cellgraph_clr.training.module import Schedule

        device = usable_device(self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self._new_model()
        digest = run_digest([seed, self.head, self.size], [inputs, codes])
        schedule = Schedule(self.n_steps, self.batch_size, self.learning_rate, self.weight_decay)
        module = EventModule(model, inputs, codes, schedule, digest, strength=self.arrow.config.strength, seed=seed)
        train_contrastive(module, Runtime(device=device, progress=self.progress))
        self._model, self.history_ = module.model.to(device).eval(), module.history

    def _logits(self, inputs: np.ndarray) -> np.ndarray:
        import torch

        model = self._fitted()
        device = next(model.parameters()).device
        with torch.inference_mode():
            parts = [
                model(torch.from_numpy(inputs[i : i + 128]).float().to(device)) for i in range(0, len(inputs), 128)
            ]
        if not parts:
            return np.zeros((0, len(self.classes_)))
        return torch.cat(parts).double().cpu().numpy()

    def _fitted(self) -> EventNet:
        if self._model is None:
            raise CellGraphError(expected("a fitted classifier", "one that was not fitted", "Call `fit` first."))
        return self._model


OPTIONS = (
    "head", "fine_tune", "size", "calibrate", "n_steps", "batch_size", "learning_rate", "weight_decay",
)  # fmt: skip


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
