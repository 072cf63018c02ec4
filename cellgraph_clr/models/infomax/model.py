"""`DeepInfoMax`: profiles of windows, fields and cells of screening images, learned without labels of phenotypes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from cellgraph_clr._core.ahead import ahead
from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, check_whole, expected, listing
from cellgraph_clr._core.errors import ModelFileError, NoCellsError, OptionError, PairsError, ShapeError
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.rng import as_seed
from cellgraph_clr.analysis.phenotypes import sphering
from cellgraph_clr.cells.foreground import Foreground, fit_foreground
from cellgraph_clr.cells.label_means import label_means
from cellgraph_clr.cells.plate import field_masks
from cellgraph_clr.models.infomax.config import STRIDE, DeepInfoMaxConfig
from cellgraph_clr.models.infomax.data import FieldReader, SampleCrops, coarse, lines_of, read_field, warn_saturated
from cellgraph_clr.models.infomax.network import new_encoder
from cellgraph_clr.models.infomax.task import InfoMaxTask
from cellgraph_clr.training.devices import one_thread
from cellgraph_clr.training.recipe import Fitted, Recipe, run_digest
from cellgraph_clr.training.run import Watch, train
from cellgraph_clr.training.saved import DAMAGED, OVERFLOWN

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd
    from torch import nn

    from cellgraph_clr.cells.plate import Plate

__all__ = ["DeepInfoMax"]

LOOKED_AT = 24  # fields that foreground is learned from


class DeepInfoMax(Recipe[DeepInfoMaxConfig]):
    """Profiles of screening images: what a field looks like locally tells of which sample it is, and of no other.

    An encoder gives a local vector for every 8 x 8 pixels and a global one for a crop. The mutual information between local
    vectors of the foreground and global vectors of the same sample, in all of its fields, is maximised against other samples.

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
        Fields of `DeepInfoMaxConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config
        `DeepInfoMaxConfig`.
    history_
        Figure -> one value a step: loss (minus the information, nats), effective_rank, prior.
    foreground_ : Foreground or None
        How foreground was told.
    samples_ : list of str
        Names of the samples learned from.

    Notes
    -----
    32 fields are kept in memory, whatever their number. Intensity and density are kept: no normalisation between convolutions by
    default, and means instead of maxima; the report on BBBC018 puts two phenotypes that it could not tell apart down to these.
    Source: Hjelm et al. 2019 (Deep InfoMax); the form for samples of several fields follows a report on BBBC018 (2023).

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> rng = np.random.default_rng(0)
    >>> images = [rng.random((1, 64, 64)).astype(np.float32) + i // 2 for i in range(4)]
    >>> table = pd.DataFrame({"sample": ["a", "a", "b", "b"], "field": [0, 1, 0, 1]})
    >>> plate = cgc.Plate.build(table, images)
    >>> model = cgc.models.DeepInfoMax(window_px=32, n_steps=2, n_features=4, foreground="all", progress=False).fit(plate)
    >>> model.samples_
    ['a', 'b']
    """

    config_class = DeepInfoMaxConfig
    array_axes = {  # noqa: RUF012 - never changed
        "low": ("channels",),
        "high": ("channels",),
        "illumination": ("channels", None, None),
        "sphere_mean": ("n_features",),
        "sphere": ("n_features", "n_features"),
    }
    arrays_above_zero = ("illumination",)
    about_form = {"channels": [str], "samples": [str], "foreground": {"method": str, "threshold": float}}  # noqa: RUF012 - never changed

    @property
    def samples_(self) -> list[str]:
        """Names of the samples learned from.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(3, 2, side=64, random_state=0)
        >>> names = plate.table["sample"].unique().tolist()
        >>> model = cgc.models.DeepInfoMax(window_px=32, n_steps=2, n_features=4, progress=False).fit(plate, samples=names[:2])
        >>> model.samples_ == names[:2]
        True
        """
        return [] if self._state is None else list(self._state.about["samples"])

    @property
    def foreground_(self) -> Foreground | None:
        """How foreground was told.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> model = cgc.models.DeepInfoMax(window_px=32, n_steps=2, n_features=4, foreground="otsu", progress=False).fit(plate)
        >>> model.foreground_.method
        'otsu'
        """
        return None if self._state is None else Foreground(**self._state.about["foreground"])

    @checked
    def fit(
        self,
        plate: Plate,
        *,
        samples: Sequence[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
        callbacks: Sequence[Any] = (),
        logger: Any = None,
    ) -> Self:
        """Learn from the samples of a plate, and return self.

        Parameters
        ----------
        plate : Plate
            `cgc.read_plate` or `cgc.Plate.build`.
        samples : sequence of str or None, default None
            Those to learn from; None takes all.
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
        PairsError
            For a single sample: there is nothing to differ from.
        NoCellsError
            Without foreground.
        ShapeError
            For fields smaller than `window_px`, or of other channels.
        MissingKeyError, OptionError, NonFiniteError, ModelFileError
            For an unknown sample, labels that are not there, a loss that stops being finite, a checkpoint of another run.
        KeyboardInterrupt, SystemExit
            When it is interrupted, or asked to end by SIGTERM; the model is then as it was before.

        Notes
        -----
        Warns of samples with one field, whose crops are then of one field, and of fields of which more than 1 % is saturated.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> model = cgc.models.DeepInfoMax(window_px=32, n_steps=2, n_features=4, progress=False).fit(plate)
        >>> len(model.history_["loss"])  # one value a step
        2
        """
        watch = Watch(checkpoint, checkpoint_every, callbacks, logger)
        c, seed = self.config, as_seed(self.random_state)
        names = sorted(set(plate.table["sample"])) if samples is None else list(dict.fromkeys(map(str, samples)))
        if len(names) < 2:
            raise PairsError(expected("two samples at least", ", ".join(names) or "none", "One has no negatives."))
        rows = [plate.rows([name]) for name in names]
        single = [name for name, own in zip(names, rows, strict=True) if len(own) == 1]
        if single:
            warn(f"One field only of {listing(single)}: its crops are all of that field.")
        used = np.sort(np.concatenate(rows))
        some = np.random.default_rng(seed).choice(used, min(LOOKED_AT, len(used)), replace=False)
        scaled = plate.normalized(c.intensity_scale, illumination=c.illumination, random_state=seed)
        foreground = fit_foreground(scaled, some, method=c.foreground, random_state=seed)  # type: ignore[arg-type]
        warn_saturated(plate, some)
        reader = FieldReader(scaled, foreground, c.window_px)
        if not any(reader(int(i))[1].any() for i in some):
            raise NoCellsError(expected("fields with foreground", "none in those looked at", "Try `foreground='all'`."))
        task = InfoMaxTask(c, SampleCrops(c, reader, rows), len(plate.channels), seed)
        digest = ""
        if checkpoint is not None:
            run = [self._options(), seed, names, plate.table.astype(str).to_numpy().tolist()]
            digest = run_digest(run, [scaled.image(int(i))[:, ::16, ::16] for i in some])
        trained = train(
            task, self.runtime, watch, fingerprint=digest, options={**self._options(), "random_state": seed}
        )
        about = {"channels": list(plate.channels), "samples": names, "foreground": asdict(foreground)}
        encoder = {"encoder": trained.networks["encoder"]}
        state = Fitted(encoder, trained.history, seed, about, _scale_arrays(*scaled.scales))
        if c.sphere:
            profiles = self._with(state).transform(plate, rows=used).drop(columns="foreground")
            sample = plate.table["sample"].to_numpy()[profiles.index.get_level_values("line")]
            mean, matrix = sphering(profiles.to_numpy(float), sample)
            state = replace(state, arrays={**state.arrays, "sphere_mean": mean, "sphere": matrix})
        self._state = state
        return self

    @checked
    def transform(self, plate: Plate, *, stride: int | None = None, rows: np.ndarray | None = None) -> pd.DataFrame:
        """Return the profile of every window of every field.

        Parameters
        ----------
        plate : Plate
            Of the channels learned from; scaled as the plate learned from.
        stride : int or None, default None
            Pixels between windows; None takes windows side by side (`config.window_px`).
        rows : numpy.ndarray or None, default None
            Lines of its table, by number from 0 or a mask; None takes all, none gives an empty table.

        Returns
        -------
        pandas.DataFrame
            By (line, y, x), the window's first pixel: infomax_0, …, and foreground, its share of the window. Means of
            local vectors weigh by foreground; a field is encoded once, whatever its windows. With `config.sphere`,
            distances are in units of the spread within samples.

        Raises
        ------
        CellGraphError, ShapeError
            Before `fit`; for other channels or fields smaller than a window.
        OptionError
            For `rows` that are no lines of the plate, and a `stride` that is no multiple of 8.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> model = cgc.models.DeepInfoMax(window_px=32, n_steps=2, n_features=4, progress=False).fit(plate)
        >>> model.transform(plate).shape  # four windows in each of four fields; four features and the share of foreground
        (16, 5)
        """
        import pandas as pd

        c, encoder = self.config, self._encoder()
        arrays = self._fitted().arrays
        step = c.window_px if stride is None else stride
        check_whole("stride", step, low=STRIDE)
        if step % STRIDE:
            raise OptionError(
                expected(f"`stride` as a multiple of {STRIDE}", step, "Local vectors are that far apart.")
            )
        keys, values = [], [np.zeros((0, c.n_features + 1), np.float32)]
        side, hop = c.window_px // STRIDE, step // STRIDE
        for line, (local, mask, _) in self._encoded(plate, rows):
            share = torch.from_numpy(coarse(mask).astype(np.float32)).to(local.device)
            for y in range(0, share.shape[0] - side + 1, hop):  # the windows of a line at once
                parts = share[y : y + side].unfold(1, side, hop).transpose(0, 1)
                vectors = local[:, y : y + side].unfold(2, side, hop).permute(2, 0, 1, 3)
                with torch.inference_mode():
                    codes = encoder.summary(vectors, parts).float()
                keys += [(line, y * STRIDE, k * step) for k in range(len(parts))]
                values.append(torch.cat([codes, parts.mean(dim=(1, 2))[:, None]], dim=1).cpu().numpy())
        columns = [*(f"infomax_{i}" for i in range(c.n_features)), "foreground"]
        index = pd.MultiIndex.from_tuples(keys, names=["line", "y", "x"])
        found = np.concatenate(values)
        if "sphere" in arrays:
            with np.errstate(over="ignore", invalid="ignore"):
                found[:, :-1] = (found[:, :-1] - arrays["sphere_mean"]) @ arrays["sphere"]
        check_finite(found, what="codes", remedy=OVERFLOWN)
        return pd.DataFrame(found, index=index, columns=columns, dtype=np.float32)

    @checked
    def transform_cells(self, plate: Plate, *, rows: np.ndarray | None = None) -> pd.DataFrame:
        """Return the profile of every cell: means of local vectors over its mask, by (line, cell_id), never sphered.

        A cell smaller than 8 x 8 pixels takes the local vectors it touches, by how much of it lies in each. Raises `OptionError`
        for a plate without labels, and as `transform`.

        Parameters
        ----------
        plate : Plate
            With labels.
        rows : numpy.ndarray or None, default None
            Lines of its table, by number from 0 or a mask; None takes all, none gives an empty table.

        Returns
        -------
        pandas.DataFrame
            The profile of every cell: means of local vectors over its mask, by (line, cell_id), never sphered.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> plate = cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
        >>> model = cgc.models.DeepInfoMax(window_px=32, n_steps=2, n_features=4, progress=False).fit(plate)
        >>> model.transform_cells(plate, rows=[0]).index.names
        FrozenList(['line', 'cell_id'])
        """
        import pandas as pd

        plate.check_labels()
        keys, values = [], [np.zeros((0, self.config.n_features), np.float32)]
        for line, (vectors, mask, shape) in self._encoded(plate, rows):
            local = vectors.float().cpu().numpy()
            labels = field_masks(plate, line, shape)[: mask.shape[0], : mask.shape[1]]
            y, x = np.nonzero(labels)
            ids, means = label_means(labels[y, x], local[:, y // STRIDE, x // STRIDE])
            keys += [(line, int(i)) for i in ids]
            values.append(means)
        index = pd.MultiIndex.from_tuples(keys, names=["line", "cell_id"])
        columns = [f"infomax_{i}" for i in range(self.config.n_features)]
        found = np.concatenate(values)
        check_finite(found, what="codes", remedy=OVERFLOWN)
        return pd.DataFrame(found, index=index, columns=columns, dtype=np.float32)

    def _new_networks(self, about: Mapping[str, Any]) -> dict[str, nn.Module]:
        return {"encoder": new_encoder(self.config, len(about["channels"]))}

    def _encoder(self) -> Any:
        return self.network("encoder")

    def _encoded(
        self, plate: Plate, rows: np.ndarray | None
    ) -> Iterator[tuple[int, tuple[torch.Tensor, np.ndarray, tuple[int, ...]]]]:
        """Yield rows of the plate (None: all) with the local vectors (d, y / 8, x / 8), foreground and shape of their field.

        On a CPU fields are encoded side by side, each by one thread, which wait for one another less than the threads of a layer.
        """
        read, encoder = self._reader(plate), self._encoder()
        device = next(encoder.parameters()).device

        def encoded(i: int) -> tuple[torch.Tensor, np.ndarray, tuple[int, ...]]:
            image, mask, shape = read(i)
            with torch.inference_mode():
                return encoder(torch.from_numpy(image)[None].to(device))[0], mask, shape

        lines = lines_of(plate, rows).tolist()
        n_threads = min(torch.get_num_threads(), len(lines)) if device.type == "cpu" else 1
        with one_thread() if n_threads > 1 else nullcontext():
            yield from ahead(encoded, lines, n_threads=max(n_threads, 1))

    def _reader(self, plate: Plate) -> Callable[[int], tuple[np.ndarray, np.ndarray, tuple[int, ...]]]:
        """Return what reads a field of the plate with its foreground, scaled as those learned from."""
        state, c = self._fitted(), self.config
        channels = state.about["channels"]
        if list(plate.channels) != list(channels):
            found = ", ".join(plate.channels)
            remedy = "Pass the channels that were learned from, in their order."
            raise ShapeError(expected(f"channels {', '.join(channels)}", found, remedy))
        if ("low" in state.arrays) != ("high" in state.arrays):
            raise ModelFileError(expected("both limits of intensities", "one", DAMAGED))
        limits = (state.arrays["low"], state.arrays["high"]) if "low" in state.arrays else None
        scaled = plate.with_scales(limits, state.arrays.get("illumination"), by_field=c.intensity_scale == "field")
        foreground = Foreground(**state.about["foreground"])
        if c.foreground == "labels" and plate.labels is None:
            foreground = Foreground("all")
        return partial(read_field, scaled, foreground, c.window_px)


def _scale_arrays(
    limits: tuple[np.ndarray, np.ndarray] | None, illumination: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Return what images are scaled by, as it is saved."""
    arrays = {} if illumination is None else {"illumination": illumination}
    return arrays if limits is None else arrays | {"low": limits[0], "high": limits[1]}
