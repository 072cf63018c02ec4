"""`DeepInfoMax`: profiles of windows, fields and cells of screening images, learned without labels of phenotypes."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.ahead import ahead
from cellgraph_clr._core.checks import check_precision, check_whole, expected, listing
from cellgraph_clr._core.errors import CellGraphError, NoCellsError, OptionError, PairsError, ShapeError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.analysis.phenotypes import sphering
from cellgraph_clr.cells.foreground import Foreground, fit_foreground
from cellgraph_clr.cells.label_means import label_means
from cellgraph_clr.encoders.fields import STRIDE
from cellgraph_clr.models.infomax_config import DeepInfoMaxConfig
from cellgraph_clr.models.infomax_inputs import FieldReader, warn_saturated
from cellgraph_clr.models.runs import config_of, run_digest, whole_or_none

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from cellgraph_clr.cells.plate import Plate
    from cellgraph_clr.encoders.fields import FieldEncoder

__all__ = ["DeepInfoMax", "DeepInfoMaxConfig"]

LOOKED_AT = 24  # fields that foreground is learned from
PRIOR_WIDTH = 64


class DeepInfoMax:
    """Profiles of screening images: what a field looks like locally tells of which sample it is, and of no other.

    An encoder gives a local vector for every 8 x 8 pixels and a global one for a crop. The mutual information between local
    vectors of the foreground and global vectors of the same sample, in all of its fields, is maximised against other samples.

    Parameters
    ----------
    random_state : seed of everything random.
    device : "auto" (GPU when there is one), "cpu", "cuda", …
    precision : "32", or "bf16" for products of networks in training; views and losses stay in float32.
    progress : show a bar; None shows it on terminals and in notebooks.
    **config : fields of `DeepInfoMaxConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config : `DeepInfoMaxConfig`.
    history_ : figure -> one value a step: loss (minus the information, nats), effective_rank, prior.
    foreground_ : how foreground was told.
    samples_ : names of the samples learned from.

    Notes
    -----
    32 fields are kept in memory, whatever their number. Intensity and density are kept: no normalisation between convolutions by
    default, and means instead of maxima; the report on BBBC018 puts two phenotypes that it could not tell apart down to these.
    Source: Hjelm et al. 2019 (Deep InfoMax); the form for samples of several fields follows a report on BBBC018 (2023).
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
        self.config = config_of(DeepInfoMaxConfig, config)
        self.random_state, self.device, self.precision, self.progress = random_state, device, precision, progress
        self.history_: dict[str, list[float]] = {}
        self.foreground_: Foreground | None = None
        self.seed_ = 0
        self.samples_: list[str] = []
        self._encoder: FieldEncoder | None = None
        self._channels: list[str] = []
        self._range: tuple[np.ndarray, np.ndarray] | None = None
        self._light: np.ndarray | None = None
        self._sphere: tuple[np.ndarray, np.ndarray] | None = None

    def __repr__(self) -> str:
        """Return the constructor's form."""
        return f"DeepInfoMax({', '.join(f'{k}={v!r}' for k, v in asdict(self.config).items())})"

    @whole_or_none
    def fit(
        self,
        plate: Plate,
        *,
        samples: Sequence[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
    ) -> DeepInfoMax:
        """Learn from the samples of a plate, and return self.

        Parameters
        ----------
        plate : `cgc.read_plate` or `cgc.Plate.build`.
        samples : those to learn from; None takes all.
        checkpoint : file the run is saved to; a killed run goes on from it. None saves nothing.
        checkpoint_every : steps between two savings.

        Raises
        ------
        PairsError
            For a single sample: there is nothing to differ from.
        NoCellsError
            Without foreground.
        ShapeError
            For fields smaller than `size`, or of other channels.
        MissingKeyError, OptionError, NonFiniteError, ModelFileError
            For an unknown sample, labels that are not there, a loss that stops being finite, a checkpoint of another run.
        KeyboardInterrupt
            When it is interrupted; the model is then as it was before.

        Notes
        -----
        Warns of samples with one field, whose crops are then of one field, and of fields of which more than 1 % is saturated.
        """
        import torch

        from cellgraph_clr.encoders.critic import Critic
        from cellgraph_clr.training.contrastive import Runtime, train_contrastive
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.infomax import InfoMaxModule
        from cellgraph_clr.training.module import Schedule

        check_whole("checkpoint_every", checkpoint_every)
        c = self.config
        names = sorted(set(plate.table["sample"])) if samples is None else list(dict.fromkeys(map(str, samples)))
        if len(names) < 2:
            raise PairsError(expected("two samples at least", ", ".join(names) or "none", "One has no negatives."))
        lines = [plate.rows([name]) for name in names]
        single = [name for name, rows in zip(names, lines, strict=True) if len(rows) == 1]
        if single:
            warnings.warn(
                f"One field only of {listing(single)}: its crops are all of that field.", UserWarning, stacklevel=3
            )
        self.seed_ = as_seed(self.random_state)
        self._channels, self.samples_ = list(plate.channels), names
        used = np.sort(np.concatenate(lines))
        some = np.random.default_rng(self.seed_).choice(used, min(LOOKED_AT, len(used)), replace=False)
        scaled = plate.normalised(c.normalise, illumination=c.illumination, random_state=self.seed_)
        self._range, self._light = scaled.scales
        self.foreground_ = fit_foreground(scaled, some, method=c.foreground, random_state=self.seed_)  # type: ignore[arg-type]
        warn_saturated(plate, some)
        reader = FieldReader(scaled, self.foreground_, c.size)
        if not any(reader(int(i))[1].any() for i in some):
            raise NoCellsError(expected("fields with foreground", "none in those looked at", "Try `foreground='all'`."))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed_)
            encoder = self._new_encoder()
            critic = Critic(c.n_features, c.n_features)
            prior = torch.nn.Sequential(
                torch.nn.Linear(c.n_features, PRIOR_WIDTH), torch.nn.ReLU(), torch.nn.Linear(PRIOR_WIDTH, 1)
            )
        about = [asdict(c), self.seed_, names, plate.table.astype(str).to_numpy().tolist()]
        module = InfoMaxModule(
            encoder,
            critic,
            prior if c.prior > 0 else None,
            reader,
            lines,
            Schedule(c.n_steps, c.batch_size, c.learning_rate, c.weight_decay),
            run_digest(about, [scaled.image(int(i))[:, ::16, ::16] for i in some]),
            estimator=c.estimator,
            size=c.size,
            n_fields=c.n_fields,
            gain=c.gain,
            blur=c.blur,
            weight=c.prior,
            seed=self.seed_,
        )
        device = usable_device(self.device)
        runtime = Runtime(
            device=device,
            precision=self.precision,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            checkpoint_every=checkpoint_every,
            progress=self.progress,
        )
        train_contrastive(module, runtime)
        self._encoder, self.history_ = module.encoder.to(device).eval(), module.history
        self._sphere = None
        if c.sphere:
            profiles = self.transform(plate, rows=used).drop(columns="foreground")
            sample = plate.table["sample"].to_numpy()[profiles.index.get_level_values("line")]
            self._sphere = sphering(profiles.to_numpy(float), sample)
        return self

    def transform(self, plate: Plate, *, stride: int | None = None, rows: np.ndarray | None = None) -> pd.DataFrame:
        """Return the profile of every window of every field.

        Parameters
        ----------
        plate : of the channels learned from; scaled as the plate learned from.
        stride : pixels between windows; None takes windows side by side (`config.size`).
        rows : lines; None takes all.

        Returns
        -------
        By (line, y, x), the window's first pixel: infomax_0, …, and foreground, its share of the window. Means of local vectors
        weigh by foreground; a field is encoded once, whatever its windows. With `config.sphere`, distances are in units of the
        spread within samples.

        Raises
        ------
        CellGraphError, ShapeError
            Before `fit`; for other channels or fields smaller than a window.
        """
        import pandas as pd
        import torch

        from cellgraph_clr.training.infomax import coarse

        c, encoder = self.config, self._fitted()
        step = c.size if stride is None else stride
        check_whole("stride", step, low=STRIDE)
        if step % STRIDE:
            raise OptionError(
                expected(f"`stride` as a multiple of {STRIDE}", step, "Local vectors are that far apart.")
            )
        keys, values = [], []
        side, hop = c.size // STRIDE, step // STRIDE
        for line, (image, mask) in self._fields(plate, rows):
            local = self._local(image)
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
        if self._sphere is not None:
            found[:, :-1] = (found[:, :-1] - self._sphere[0]) @ self._sphere[1]
        return pd.DataFrame(found, index=index, columns=columns, dtype=np.float32)

    def transform_cells(self, plate: Plate, *, rows: np.ndarray | None = None) -> pd.DataFrame:
        """Return the profile of every cell: means of local vectors over its mask, by (line, cell_id), never sphered.

        A cell smaller than 8 x 8 pixels takes the local vectors it touches, by how much of it lies in each. Raises `OptionError`
        for a plate without labels, and as `transform`.
        """
        import pandas as pd

        plate.check_labels()
        assert plate.labels is not None
        keys, values = [], []
        for line, (image, _) in self._fields(plate, rows):
            local = self._local(image).float().cpu().numpy()
            labels = np.asarray(plate.labels(line))[: local.shape[1] * STRIDE, : local.shape[2] * STRIDE]
            y, x = np.nonzero(labels)
            ids, means = label_means(labels[y, x], local[:, y // STRIDE, x // STRIDE])
            keys += [(line, int(i)) for i in ids]
            values.append(means)
        index = pd.MultiIndex.from_tuples(keys, names=["line", "cell_id"])
        columns = [f"infomax_{i}" for i in range(self.config.n_features)]
        return pd.DataFrame(np.concatenate(values), index=index, columns=columns, dtype=np.float32)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file (beside, then renamed). Raises `CellGraphError` before `fit`."""
        import torch

        from cellgraph_clr.training.weights import save_weights

        tensors = dict(self._fitted().state_dict())
        if self._light is not None:
            tensors["light"] = torch.from_numpy(self._light)
        if self._sphere is not None:
            tensors |= {f"sphere.{i}": torch.from_numpy(v) for i, v in enumerate(self._sphere)}
        header = {
            "kind": "DeepInfoMax",
            "config": asdict(self.config),
            "seed": self.seed_,
            "channels": self._channels,
            "samples": self.samples_,
            "range": None if self._range is None else [v.tolist() for v in self._range],
            "foreground": None if self.foreground_ is None else asdict(self.foreground_),
            "history": self.history_,
        }
        save_weights(path, tensors, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> DeepInfoMax:
        """Return a saved model. Raises `MissingFileError` and `ModelFileError`."""
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.weights import load_weights

        tensors, header = load_weights(path, "DeepInfoMax")
        model = cls(random_state=header["seed"], device=device, **header["config"])
        model.seed_, model.history_, model._channels = header["seed"], header["history"], header["channels"]
        model.samples_ = header["samples"]
        model.foreground_ = Foreground(**header["foreground"])
        if header["range"] is not None:
            low, high = (np.array(v, np.float32) for v in header["range"])
            model._range = (low, high)
        light = tensors.pop("light", None)
        model._light = None if light is None else light.numpy()
        if header["config"]["sphere"]:
            mean, matrix = (tensors.pop(f"sphere.{i}").numpy() for i in (0, 1))
            model._sphere = mean, matrix
        encoder = model._new_encoder()
        encoder.load_state_dict(tensors)
        model._encoder = encoder.to(usable_device(device)).eval()
        return model

    def _new_encoder(self) -> FieldEncoder:
        from cellgraph_clr.encoders.fields import FieldEncoder

        c = self.config
        return FieldEncoder(
            len(self._channels),
            c.n_features,
            c.n_features,
            n_hidden=c.n_hidden,
            norm=c.norm,
            residual=c.residual,
        )

    def _fields(self, plate: Plate, rows: np.ndarray | None) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
        """Return lines (None: all) with image and foreground, read ahead."""
        self._fitted()
        if list(plate.channels) != self._channels:
            found = ", ".join(plate.channels)
            remedy = "Pass the channels that were learned from, in their order."
            raise ShapeError(expected(f"channels {', '.join(self._channels)}", found, remedy))
        c = self.config
        scaled = plate.with_scales(self._range, self._light, by_field=c.normalise == "field")
        foreground = self.foreground_
        if c.foreground == "labels" and plate.labels is None:
            foreground = Foreground("all")
        assert foreground is not None  # fitted
        reader = FieldReader(scaled, foreground, c.size)
        return ahead(reader, range(len(plate)) if rows is None else [int(i) for i in rows])

    def _local(self, image: np.ndarray) -> Any:
        import torch

        encoder = self._fitted()
        with torch.inference_mode():
            return encoder(torch.from_numpy(image)[None].to(next(encoder.parameters()).device))[0]

    def _fitted(self) -> FieldEncoder:
        if self._encoder is None:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` first."))
        return self._encoder
