"""`TimeArrow`: features of movies, learned from the direction of time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_precision, check_whole, expected
from cellgraph_clr._core.errors import CellGraphError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.cells.label_means import label_means
from cellgraph_clr.models.arrow_config import TimeArrowConfig
from cellgraph_clr.models.arrow_inputs import check_movies, dense_by_tiles, normalised, stacked_frames, time_ranges
from cellgraph_clr.models.runs import config_of, run_digest, whole_or_none

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

    from cellgraph_clr.cells.movie import Movie
    from cellgraph_clr.encoders.arrow import ArrowNet

__all__ = ["TimeArrow", "TimeArrowConfig"]

TILE = 256  # pixels of a tile along y and x
SETTLED = 8  # frames that an untrained network takes its statistics from
N_VALIDATION = 512  # pairs that the accuracy on frames held out is measured on


class TimeArrow:
    """Dense features of movies, learned without labels by telling which of two frames came first.

    What changes irreversibly (growth, division, death) is what tells the order, so that this is what features hold. Pairs are
    crops of the same place in two frames; gain, offset, noise and small shifts are drawn for every frame anew.

    Parameters
    ----------
    random_state : seed of everything random.
    device : "auto" (GPU when there is one), "cpu", "cuda", …
    precision : "32", or "bf16" for products of networks in training; views and losses stay in float32.
    progress : show a bar; None shows it on terminals and in notebooks.
    **config : fields of `TimeArrowConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config : `TimeArrowConfig`.
    history_ : figure -> one value a step: loss (nats; log 2 is chance), accuracy, decorrelation.
    accuracy_, accuracy_error_ : share of 512 pairs of the frames held out whose order is told, and its standard error; None
        without such frames. Chance is 0.5.

    Notes
    -----
    Frames are normalised one by one (1 and 99.8 percentiles) and held as float16 while learning; `transform` reads one frame
    at a time. Source: Gallusser, Stieber and Weigert 2023 (TAP).
    """

    def __init__(
        self,
        *,
        random_state: RandomState = 0,
        device: str = "auto",
        precision: str = "32",
        progress: bool | None = None,
        **config: Any,
    ) -> None:
        check_precision(precision)
        self.config = config_of(TimeArrowConfig, config)
        self.random_state, self.device, self.precision, self.progress = random_state, device, precision, progress
        self.history_: dict[str, list[float]] = {}
        self.accuracy_: float | None = None
        self.accuracy_error_: float | None = None
        self.seed_ = 0
        self._net: ArrowNet | None = None
        self._about: dict[str, int] = {}

    def __repr__(self) -> str:
        """Return the constructor's form."""
        return f"TimeArrow({', '.join(f'{k}={v!r}' for k, v in asdict(self.config).items())})"

    @whole_or_none
    def fit(
        self,
        movies: Movie | Sequence[Movie],
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
    ) -> TimeArrow:
        """Learn from one or several movies, and return self.

        Parameters
        ----------
        movies : of one dimension and the same channels; labels are not used.
        checkpoint : file the run is saved to; a killed run goes on from it. None saves nothing.
        checkpoint_every : steps between two savings.

        Raises
        ------
        ShapeError
            For movies of too few frames or pixels, or that differ in dimension or channels.
        NoCellsError
            If all frames are without content.
        NonFiniteError, ModelFileError
            When the loss stops being finite; for a checkpoint of another run.
        KeyboardInterrupt
            When it is interrupted; the model is then as it was before.
        """
        import torch

        from cellgraph_clr.training.arrow import ArrowModule, PairSource, arrow_accuracy
        from cellgraph_clr.training.contrastive import Runtime, train_contrastive
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.module import Schedule

        check_whole("checkpoint_every", checkpoint_every)
        c, device = self.config, usable_device(self.device)
        several = check_movies(movies, size=c.size + 4, reach=max(c.steps))
        ranges = [time_ranges(len(m), c.validation, c.held_out, max(c.steps)) for m in several]
        frames = [stacked_frames(m, 2**c.n_levels) for m in several]
        if all(f.min() == f.max() for f in frames):
            raise NoCellsError(expected("frames with content", "frames of one value", "Check the file."))
        self.seed_ = as_seed(self.random_state)
        self._about = {"ndim": several[0].ndim, "n_channels": int(several[0].frames.shape[1])}
        source = PairSource(frames, [r[0] for r in ranges], c.steps, c.size, c.min_content)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed_)
            net = self._new_net()
        schedule = Schedule(c.n_steps, c.batch_size, c.learning_rate, c.weight_decay)
        module = ArrowModule(
            net,
            source,
            schedule,
            run_digest([asdict(c), self.seed_, self._about], frames),
            weight=c.decorrelation,
            strength=c.strength,
            zoom=c.zoom,
            seed=self.seed_,
        )
        runtime = Runtime(
            device=device,
            precision=self.precision,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            checkpoint_every=checkpoint_every,
            progress=self.progress,
        )
        train_contrastive(module, runtime)
        self._net, self.history_ = module.net.to(device).eval(), module.history
        self.accuracy_ = self.accuracy_error_ = None
        if c.validation > 0:
            unseen = PairSource(frames, [r[1] for r in ranges], c.steps, c.size, c.min_content)
            self.accuracy_, self.accuracy_error_ = arrow_accuracy(
                self._net, unseen, N_VALIDATION, self.seed_, device=device
            )
        return self

    def score(self, movies: Movie | Sequence[Movie], *, n_pairs: int = N_VALIDATION) -> tuple[float, float]:
        """Return the share of pairs, of all frames of other movies, whose order is told, and its standard error.

        Raises as `fit`, and `CellGraphError` before it.
        """
        from cellgraph_clr.training.arrow import PairSource, arrow_accuracy

        c, net = self.config, self._fitted()
        several = check_movies(movies, size=c.size + 4, reach=max(c.steps))
        for movie in several:
            self._check(movie)
        frames = [stacked_frames(m, 2**c.n_levels) for m in several]
        source = PairSource(frames, [(0, len(m)) for m in several], c.steps, c.size, c.min_content)
        device = str(next(net.parameters()).device)
        return arrow_accuracy(net, source, n_pairs, self.seed_, device=device)

    def dense(self, movie: Movie, t: int, *, tile: int = TILE) -> np.ndarray:
        """Return the features (n_features, [z,] y, x) float32 of every pixel of one frame.

        `tile` pixels along y and x are worked out at a time, a multiple of 2 ** n_levels: flat memory, the same values. Raises
        `CellGraphError` before `fit`, `ShapeError` for other channels.
        """
        import torch

        net = self._fitted()
        self._check(movie)
        backbone = net.backbone
        check_whole("tile", tile, low=backbone.multiple)
        if tile % backbone.multiple:
            raise OptionError(expected(f"`tile` as a multiple of {backbone.multiple}", tile, "Sides are halved."))
        device = next(net.parameters()).device

        def features(piece: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return net.dense(torch.from_numpy(piece)[None].to(device)).float().cpu().numpy()[0]

        return dense_by_tiles(
            normalised(movie.frame(t)),
            features,
            self.config.n_features,
            multiple=backbone.multiple,
            halo=backbone.halo,
            tile=tile,
        )

    def transform(self, movie: Movie, *, out: Any = None) -> pd.DataFrame | np.ndarray:
        """Return features of cells and frames where the movie has labels, else dense features.

        Parameters
        ----------
        movie : of the dimension and channels learned from.
        out : (t, n_features, [z,] y, x) array, memory map or Zarr that dense features are written to, frame by frame, also when
            there are labels.

        Returns
        -------
        With labels a DataFrame by (frame, cell_id), float32: means over the mask of the features of every pixel. Without, `out`
        or a new float16 array.

        Raises
        ------
        CellGraphError, ShapeError
            Before `fit`; for other channels, or an `out` of another shape.
        """
        import pandas as pd

        c = self.config
        shape = (len(movie), c.n_features, *movie.frames.shape[2:])
        if out is not None and tuple(out.shape) != shape:
            raise ShapeError(expected(f"`out` of shape {shape}", tuple(out.shape), "Make another."))
        if out is None and movie.labels is None:
            out = np.empty(shape, np.float16)
        keys, values = [], []
        for t in range(len(movie)):
            dense = self.dense(movie, t)
            if out is not None:
                out[t] = dense
            if movie.labels is None:
                continue
            labels = np.asarray(movie.labels[t])
            inside = labels > 0
            ids, means = label_means(labels[inside], dense[:, inside])
            keys += [(t, int(i)) for i in ids]
            values.append(means)
        if movie.labels is None:
            return np.asarray(out) if isinstance(out, np.ndarray) else out
        index = pd.MultiIndex.from_tuples(keys, names=["frame", "cell_id"])
        columns = [f"timearrow_{i}" for i in range(c.n_features)]
        return pd.DataFrame(np.concatenate(values), index=index, columns=columns, dtype=np.float32)

    def attribution(self, movie: Movie, t: int, *, step: int | None = None) -> np.ndarray:
        """Return where in a frame the order of time is seen (y, x) float32, 0 and above: Grad-CAM on the dense features.

        Parameters
        ----------
        movie : in 2D, of the channels learned from.
        t : the frame, of which the one `step` later is taken as the second.
        step : None takes the first of `config.steps`.

        Raises
        ------
        CellGraphError, ShapeError
            Before `fit`; for a movie in 3D, other channels, or a frame without one `step` later.

        Notes
        -----
        ``|sum_c a_c A_c|`` with A the features of frame t and a_c the sum over its pixels of the gradient of its number (highest
        for the frame that comes first). Source: Selvaraju et al. 2017; as in Gallusser et al. 2023.
        """
        import torch

        net = self._fitted()
        self._check(movie)
        step = self.config.steps[0] if step is None else step
        if movie.ndim != 2:
            raise ShapeError(expected("a movie in 2D", f"{movie.ndim}D", "Project it, or look at the planes."))
        if not 0 <= t < len(movie) - step:
            raise ShapeError(expected(f"a frame from 0 to {len(movie) - step - 1}", t, "It needs one after it."))
        both = np.stack([self.dense(movie, t), self.dense(movie, t + step)])
        maps = torch.from_numpy(both)[None].to(next(net.parameters()).device).requires_grad_()
        (slope,) = torch.autograd.grad(net.order(maps)[0, 0], maps)
        weight = slope[0, 0].sum(dim=(1, 2))
        cam = (weight[:, None, None] * maps[0, 0]).sum(dim=0).abs()
        return np.asarray(cam.detach().cpu().numpy())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file (beside, then renamed). Raises `CellGraphError` before `fit`."""
        from cellgraph_clr.training.weights import save_weights

        header = {
            "kind": "TimeArrow",
            "config": asdict(self.config),
            "seed": self.seed_,
            "about": self._about,
            "history": self.history_,
            "accuracy": [self.accuracy_, self.accuracy_error_],
        }
        save_weights(path, dict(self._fitted().state_dict()), header)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> TimeArrow:
        """Return a saved model. Raises `MissingFileError` and `ModelFileError`."""
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.weights import load_weights

        tensors, header = load_weights(path, "TimeArrow")
        model = cls(random_state=header["seed"], device=device, **header["config"])
        model.seed_, model.history_, model._about = header["seed"], header["history"], header["about"]
        model.accuracy_, model.accuracy_error_ = header["accuracy"]
        net = model._new_net()
        net.load_state_dict(tensors)
        model._net = net.to(usable_device(device)).eval()
        return model

    def backbone_copy(self) -> ArrowNet:
        """Return a copy of the learned network, to be trained further. Raises `CellGraphError` before `fit`."""
        from copy import deepcopy

        return deepcopy(self._fitted())

    def untrained(self, movie: Movie, *, random_state: RandomState = 0) -> TimeArrow:
        """Return a model of the same form whose weights were drawn and never trained: the baseline of what is learned.

        Statistics of normalisation are those of 8 frames of the movie.
        """
        import torch

        other = TimeArrow(random_state=random_state, device=self.device, **asdict(self.config))
        other.seed_ = as_seed(random_state)
        other._about = {"ndim": movie.ndim, "n_channels": int(movie.frames.shape[1])}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(other.seed_)
            net = other._new_net()
        frames = [normalised(movie.frame(int(t))) for t in np.linspace(0, len(movie) - 1, SETTLED)]
        net.settle([torch.from_numpy(f)[None] for f in frames])
        other._net = net.eval()
        return other

    def _fitted(self) -> ArrowNet:
        if self._net is None:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` first."))
        return self._net

    def _check(self, movie: Movie) -> None:
        found = (movie.ndim, int(movie.frames.shape[1]))
        if found != (self._about["ndim"], self._about["n_channels"]):
            wanted = f"movies in {self._about['ndim']}D of {self._about['n_channels']} channels"
            raise ShapeError(expected(wanted, f"{found[0]}D, {found[1]} channels", "Fit on such movies."))

    def _new_net(self) -> ArrowNet:
        from cellgraph_clr.encoders.arrow import ArrowNet

        c = self.config
        return ArrowNet(
            self._about["n_channels"],
            c.n_features,
            ndim=self._about["ndim"],
            n_hidden=c.n_hidden,
            n_levels=c.n_levels,
        )
