"""`TimeArrow`: features of movies, learned from the direction of time."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, check_whole, expected
from cellgraph_clr._core.errors import NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.cells.label_means import label_means
from cellgraph_clr.cells.movie import check_movie
from cellgraph_clr.models.time_arrow.config import TimeArrowConfig
from cellgraph_clr.models.time_arrow.data import FramePairs
from cellgraph_clr.models.time_arrow.frames import check_movies, dense_by_tiles, normalised, stacked_frames, time_ranges
from cellgraph_clr.models.time_arrow.network import ArrowNet, new_backbone, new_network
from cellgraph_clr.models.time_arrow.task import ArrowTask, arrow_accuracy
from cellgraph_clr.training.devices import seeded, usable_device
from cellgraph_clr.training.recipe import Fitted, Recipe, run_digest
from cellgraph_clr.training.run import Watch, train

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from cellgraph_clr.cells.movie import Movie

__all__ = ["TimeArrow"]

TILE = 256  # pixels of a tile along y and x
SETTLED = 8  # frames that an untrained network takes its statistics from
N_VALIDATION = 512  # pairs that the accuracy on frames held out is measured on


class TimeArrow(Recipe[TimeArrowConfig]):
    """Dense features of movies, learned without labels by telling which of two frames came first.

    What changes irreversibly (growth, division, death) is what tells the order, so that this is what features hold. Pairs are
    crops of the same place in two frames; gain, offset, noise and small shifts are drawn for every frame anew.

    Parameters
    ----------
    random_state : int, numpy.random.Generator or None, default 0
        Seed of everything random.
    device : str, default "auto"
        "auto" (GPU when there is one), "cpu", "cuda", ….
    precision : str, default "32"
        "32", or "bf16" for products of networks in training; views and losses stay in float32.
    num_workers : int, default 0
        Processes that draw batches ahead; 0 draws them in between. The result is the same.
    progress : bool or None, default None
        Show a bar; None shows it on terminals and in notebooks.
    **config
        Fields of `TimeArrowConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config
        `TimeArrowConfig`.
    history_
        Figure -> one value a step: loss (nats; log 2 is chance), accuracy, decorrelation.
    accuracy_, accuracy_error_ : float or None
        Share of 512 pairs of the frames held out whose order is told, and its standard error; None without such frames.
        Chance is 0.5.

    Notes
    -----
    Frames are normalised one by one (1 and 99.8 percentiles) and held as float16 while learning; `transform` reads one frame
    at a time. Source: Gallusser, Stieber and Weigert 2023 (TAP).

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(6, 8, side=96, random_state=0)
    >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=32, progress=False).fit(movie)
    >>> features = model.transform(movie)
    """

    config_class = TimeArrowConfig
    about_form = {"ndim": int, "n_channels": int}  # noqa: RUF012 - never changed

    @property
    def accuracy_(self) -> float | None:
        """Share of the pairs held out whose order is told; None without such frames.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(6, 8, side=64, random_state=0)
        >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=16, n_features=4, progress=False).fit(movie)
        >>> 0 <= model.accuracy_ <= 1  # of the frames held out
        True
        """
        return None if self._state is None else self._state.about.get("accuracy")

    @property
    def accuracy_error_(self) -> float | None:
        """Standard error of `accuracy_`.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(6, 8, side=64, random_state=0)
        >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=16, n_features=4, validation=0, progress=False).fit(movie)
        >>> print(model.accuracy_error_)  # no frames were held out
        None
        """
        return None if self._state is None else self._state.about.get("accuracy_error")

    def fit(
        self,
        movies: Movie | Sequence[Movie],
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        callbacks: Sequence[Any] = (),
        logger: Any = None,
    ) -> Self:
        """Learn from one or several movies, and return self.

        Parameters
        ----------
        movies : Movie or sequence of Movie
            Of one dimension and the same channels; labels are not used.
        checkpoint : str or path-like or None, default None
            File the run is saved to; a killed run goes on from it. None saves nothing.
        checkpoint_every : int, default 100
            Steps between two savings.
        callbacks : sequence of object, default ()
            Lightning callbacks; the figures of `history_` are logged at every step.
        logger : object, default None
            Lightning logger or loggers; None logs nothing.

        Returns
        -------
        Self
            The fitted model.

        Raises
        ------
        ShapeError
            For movies of too few frames or pixels, or that differ in dimension or channels.
        NoCellsError
            If all frames are without content.
        OptionError
            For a device that cannot be used, callbacks that are none of Lightning's, or a backbone that does not fit `crop_px`.
        NonFiniteError, ModelFileError
            When the loss stops being finite; for a checkpoint of another run.
        KeyboardInterrupt, SystemExit
            When it is interrupted, or asked to end by SIGTERM; the model is then as it was before.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movies = [cgc.datasets.event_movie(6, 8, side=64, random_state=i) for i in (0, 1)]
        >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=16, n_features=4, validation=0, progress=False).fit(movies)
        >>> len(model.history_["loss"])  # one value a step
        2
        """
        watch = Watch(checkpoint, checkpoint_every, callbacks, logger)
        c, seed = self.config, as_seed(self.random_state)
        several = check_movies(movies, size=c.crop_px + 4, reach=max(c.steps))
        ranges = [time_ranges(len(m), c.validation, c.held_out, max(c.steps)) for m in several]
        form = {"ndim": several[0].ndim, "n_channels": int(several[0].frames.shape[1])}
        frames = [stacked_frames(m, self._multiple(form)) for m in several]
        if all(f.min() == f.max() for f in frames):
            raise NoCellsError(expected("frames with content", "frames of one value", "Check the file."))
        task = ArrowTask(c, self._pairs(frames, [r[0] for r in ranges]), form["ndim"], form["n_channels"], seed)
        digest = run_digest([self._options(), seed, form], frames) if checkpoint else ""
        trained = train(
            task, self.runtime, watch, fingerprint=digest, options={**self._options(), "random_state": seed}
        )
        about: dict[str, Any] = dict(form)
        if c.validation > 0:
            held_out = self._pairs(frames, [r[1] for r in ranges])
            found = arrow_accuracy(trained.networks["net"], held_out, N_VALIDATION, seed)  # type: ignore[arg-type]
            about |= dict(zip(("accuracy", "accuracy_error"), found, strict=True))
        self._state = Fitted(trained.networks, trained.history, seed, about)
        return self

    def _pairs(self, frames: list[np.ndarray], ranges: Sequence[tuple[int, int]]) -> FramePairs:
        c = self.config
        return FramePairs(frames, ranges, c.steps, c.crop_px, c.min_content)

    def _multiple(self, form: Mapping[str, int]) -> int:
        """Return what sides of frames are multiples of. Raises `OptionError` where `crop_px` is none."""
        if isinstance(self.config.backbone, str):
            return int(2**self.config.n_levels)
        with seeded(0):
            multiple = int(new_backbone(self.config, form["n_channels"], form["ndim"]).multiple)  # type: ignore[arg-type]
        if self.config.crop_px % multiple:
            remedy = "Choose another `crop_px`."
            raise OptionError(
                expected(f"`crop_px` as a multiple of the backbone's {multiple}", self.config.crop_px, remedy)
            )
        return multiple

    def score(self, movies: Movie | Sequence[Movie], *, n_pairs: int = N_VALIDATION) -> tuple[float, float]:
        """Return the share of pairs, of all frames of other movies, whose order is told, and its standard error.

        Raises as `fit`, and `CellGraphError` before it.

        Parameters
        ----------
        movies : Movie or sequence of Movie
            One movie or several.
        n_pairs : int, default N_VALIDATION
            Pairs of frames that are looked at.

        Returns
        -------
        tuple of float, float
            The share of pairs, of all frames of other movies, whose order is told, and its standard error.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> first, second = (cgc.datasets.event_movie(6, 8, side=64, random_state=i) for i in (0, 1))
        >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=16, n_features=4, validation=0, progress=False).fit(first)
        >>> accuracy, error = model.score(second, n_pairs=16)  # of a movie that it has not seen; chance is 0.5
        >>> 0 <= accuracy <= 1
        True
        """
        c, net = self.config, self._net()
        several = check_movies(movies, size=c.crop_px + 4, reach=max(c.steps))
        for movie in several:
            self._check(movie)
        frames = [stacked_frames(m, net.backbone.multiple) for m in several]  # type: ignore[arg-type]
        return arrow_accuracy(net, self._pairs(frames, [(0, len(m)) for m in several]), n_pairs, self.seed_)

    def dense(self, movie: Movie, t: int, *, tile: int = TILE) -> np.ndarray:
        """Return the features (n_features, [z,] y, x) float32 of every pixel of one frame.

        `tile` pixels along y and x are worked out at a time, a multiple of 2 ** n_levels: flat memory, the same values. Raises
        `CellGraphError` before `fit`, `ShapeError` for other channels.

        Parameters
        ----------
        movie : Movie
            The movie.
        t : int
            Number of the frame.
        tile : int, default TILE
            Pixels of a tile that is worked on at once.

        Returns
        -------
        numpy.ndarray
            The features (n_features, [z,] y, x) float32 of every pixel of one frame.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(6, 8, side=64, random_state=0)
        >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=16, n_features=4, validation=0, progress=False).fit(movie)
        >>> model.dense(movie, 0).shape  # features, y, x
        (4, 64, 64)
        """
        net = self._net()
        self._check(movie)
        backbone: Any = net.backbone
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

    @checked
    def transform(self, movie: Movie, *, out: Any = None) -> pd.DataFrame | np.ndarray:
        """Return features of cells and frames where the movie has labels, else dense features.

        Parameters
        ----------
        movie : Movie
            Of the dimension and channels learned from.
        out : object, default None
            (t, n_features, [z,] y, x) array, memory map or Zarr that dense features are written to, frame by frame,
            also when there are labels.

        Returns
        -------
        pandas.DataFrame or numpy.ndarray
            With labels a DataFrame by (frame, cell_id), float32: means over the mask of the features of every pixel.
            Without, `out` or a new float16 array.

        Raises
        ------
        CellGraphError, ShapeError
            Before `fit`; for other channels, or an `out` of another shape.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(6, 8, side=64, random_state=0)
        >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=16, n_features=4, validation=0, progress=False).fit(movie)
        >>> table = model.transform(movie)
        >>> table.index.names, table.shape[1]
        (FrozenList(['frame', 'cell_id']), 4)
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
        """Return where in a frame the order of time is seen ([z,] y, x) float32, 0 and above: Grad-CAM on the dense features.

        Parameters
        ----------
        movie : Movie
            Of the dimension and channels learned from.
        t : int
            The frame, of which the one `step` later is taken as the second.
        step : int or None, default None
            None takes the first of `config.steps`.

        Returns
        -------
        numpy.ndarray
            Where in a frame the order of time is seen ([z,] y, x) float32, 0 and above.

        Raises
        ------
        CellGraphError, ShapeError
            Before `fit`; for movies of another dimension or other channels, or a frame without one `step` later.
        OptionError, NonFiniteError
            For numbers that are not whole; NaN in the frames.

        Notes
        -----
        ``|sum_c a_c A_c|`` with A the features of frame t and a_c the sum over its pixels of the gradient of its number (highest
        for the frame that comes first). Source: Selvaraju et al. 2017; as in Gallusser et al. 2023.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(6, 8, side=64, random_state=0)
        >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=16, n_features=4, validation=0, progress=False).fit(movie)
        >>> heat = model.attribution(movie, 3)
        >>> heat.shape, bool((heat >= 0).all())
        ((64, 64), True)
        """
        net = self._net()
        self._check(movie)
        step = self.config.steps[0] if step is None else step
        check_whole("step", step, high=len(movie) - 1)
        check_whole("t", t, low=0)
        if not 0 <= t < len(movie) - step:
            raise ShapeError(expected(f"a frame from 0 to {len(movie) - step - 1}", t, "It needs one after it."))
        both = np.stack([self.dense(movie, t), self.dense(movie, t + step)])
        check_finite(both, what=f"features of frames {t} and {t + step}", remedy="Look for NaN in the frames.")
        maps = torch.from_numpy(both)[None].to(next(net.parameters()).device).requires_grad_()
        (slope,) = torch.autograd.grad(net.order(maps)[0, 0], maps)
        weight = slope[0, 0].flatten(1).sum(dim=1)
        cam = torch.einsum("c,c...->...", weight, maps[0, 0]).abs()
        return np.asarray(cam.detach().cpu().numpy())

    def backbone_copy(self) -> ArrowNet:
        """Return a copy of the learned network, to be trained further.

        Returns
        -------
        ArrowNet
            A copy of the learned network, to be trained further.

        Raises
        ------
        CellGraphError
            Before `fit`.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(6, 8, side=64, random_state=0)
        >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=16, n_features=4, validation=0, progress=False).fit(movie)
        >>> model.backbone_copy() is model.network("net")
        False
        """
        return deepcopy(self._net())

    def untrained(self, movie: Movie, *, random_state: RandomState = 0) -> TimeArrow:
        """Return a model of the same form whose weights were drawn and never trained: the baseline of what is learned.

        Statistics of normalisation are those of 8 frames of the movie.

        Parameters
        ----------
        movie : Movie
            A movie of the kind that it is for.
        random_state : int, numpy.random.Generator or None, default 0
            Seed of the weights.

        Returns
        -------
        TimeArrow
            A model of the same form whose weights were drawn and never trained.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.event_movie(6, 8, side=64, random_state=0)
        >>> baseline = cgc.models.TimeArrow(n_features=4).untrained(movie)
        >>> baseline.history_, baseline.transform(movie).shape[1]
        ({}, 4)
        """
        check_movie(movie)
        about = {"ndim": movie.ndim, "n_channels": int(movie.frames.shape[1])}
        seed = as_seed(random_state)
        with seeded(seed):
            networks = self._new_networks(about)
        frames = [normalised(movie.frame(int(t))) for t in np.linspace(0, len(movie) - 1, SETTLED)]
        networks["net"].settle([torch.from_numpy(f)[None] for f in frames])
        networks["net"].to(usable_device(self.device)).eval()
        other = self._with(Fitted(networks, {}, seed, about))
        other.random_state = random_state
        return other

    def _net(self) -> ArrowNet:
        net: Any = self.network("net")
        return net

    def _check(self, movie: Movie) -> None:
        check_movie(movie)
        about = self._fitted().about
        found = (movie.ndim, int(movie.frames.shape[1]))
        if found != (about["ndim"], about["n_channels"]):
            wanted = f"movies in {about['ndim']}D of {about['n_channels']} channels"
            raise ShapeError(expected(wanted, f"{found[0]}D, {found[1]} channels", "Fit on such movies."))

    def _new_networks(self, about: Mapping[str, Any]) -> dict[str, Any]:
        return {"net": new_network(self.config, about["n_channels"], about["ndim"])}
