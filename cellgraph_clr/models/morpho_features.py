"""`MorphoFeatures`: shape and texture of cells and nuclei, learned from labels and images."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_precision, check_whole, expected
from cellgraph_clr._core.errors import CellGraphError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.models.morpho_codes import CodeGroup
from cellgraph_clr.models.morpho_config import KINDS, MorphoFeaturesConfig
from cellgraph_clr.models.morpho_inputs import COMPARTMENTS, as_pictures, compartments
from cellgraph_clr.models.runs import config_of

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["MorphoFeatures", "MorphoFeaturesConfig"]

BLOCK = 512  # cells whose inputs are held at a time when codes are read


class MorphoFeatures:
    """Learned shape and texture of cells, and of their nuclei where these are known.

    Up to six groups of features: {cell, nucleus} x {shape, coarse, fine}. Each is the code of a network of its own, trained
    without labels: two views of a cell (other points on its surface, bent and scaled; its crop turned and distorted; another
    patch of it) are told from the other cells by InfoNCE, and crops are rebuilt from their code. Codes of shape do not change
    with pose or size, codes of texture see crops at a stated physical resolution.

    Parameters
    ----------
    random_state : seed of everything random.
    device : "auto" (GPU when there is one), "cpu", "cuda", …
    precision : "32", or "bf16" for products of networks in training; views and losses stay in float32.
    progress : show a bar; None shows it on terminals and in notebooks.
    **config : fields of `MorphoFeaturesConfig`; an unknown one raises `OptionError`.

    Attributes
    ----------
    config : `MorphoFeaturesConfig`.
    groups_ : names of the groups that were learned, e.g. "cell_shape".
    missing_ : groups left out, and why.
    history_ : group -> figure -> one value a step: loss (nats), alignment, uniformity, effective_rank, reconstruction.

    Notes
    -----
    A cell cut by the border of the image, or of fewer than 8 voxels, is not learned from, but gets its features. Cells without
    a nucleus have NaN in the groups of nuclei. Memory: per cell and group 96 n_points bytes of surface or 2 (c + 1) k size^d
    of crops; labels and image are read box by box.

    Source
    ------
    Zinchenko et al. 2023, eLife 12:e80918 (MorphoFeatures).
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
        self.config = config_of(MorphoFeaturesConfig, config)
        self.random_state, self.device, self.precision, self.progress = random_state, device, precision, progress
        self.missing_: dict[str, str] = {}
        self.history_: dict[str, dict[str, list[float]]] = {}
        self.seed_ = 0
        self._groups: dict[str, CodeGroup] = {}

    @property
    def groups_(self) -> list[str]:
        """Names of the groups that were learned."""
        return list(self._groups)

    def __repr__(self) -> str:
        """Return the constructor's form."""
        return f"MorphoFeatures({', '.join(f'{k}={v!r}' for k, v in asdict(self.config).items())})"

    def fit(
        self,
        labels: Any,
        image: Any | None = None,
        nuclei: Any | None = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 100,
    ) -> MorphoFeatures:
        """Learn from labels, and return self.

        Parameters
        ----------
        labels : `LabelImage` (`cgc.read_labels`) or label array, 2D or 3D, in memory or in chunks; or a list of them, of one
            dimension and the same channels, that are learned from together.
        image : (c, [z,] y, x) or ([z,] y, x) intensities; None takes those of `labels`. Without any, texture is left out.
            A list for a list of labels.
        nuclei : labels of nuclei on the same grid, in memory. A list for a list of labels.
        checkpoint : folder that runs are saved to, one file a group; a killed run goes on from it. None saves nothing.
        checkpoint_every : steps between two savings.

        Raises
        ------
        NoCellsError
            If no two cells can be learned from.
        LabelImageError, ShapeError
            For bad labels, or images and nuclei on another grid.
        OptionError
            If every kind asked for needs an image and there is none.
        NonFiniteError, ModelFileError
            When the loss stops being finite; for a checkpoint of another run.
        KeyboardInterrupt
            When it is interrupted; the model is then as it was before.
        """
        from cellgraph_clr.training.contrastive import Runtime
        from cellgraph_clr.training.devices import usable_device

        check_whole("checkpoint_every", checkpoint_every)
        pictures = as_pictures(labels, image, nuclei)
        parts = [compartments(picture, inside) for picture, inside in pictures]
        seed = as_seed(self.random_state)
        missing: dict[str, str] = {}
        history: dict[str, dict[str, list[float]]] = {}
        groups: dict[str, CodeGroup] = {}
        if nuclei is None:
            missing |= {f"nucleus_{kind}": "no nuclei" for kind in self.config.kinds}
        for same in zip(*parts, strict=True):
            name = same[0].name
            learned = [(part, np.flatnonzero(part.learnable)) for part in same]
            n_learned = sum(len(rows) for _, rows in learned)
            for kind in self.config.kinds:
                group = CodeGroup(f"{name}_{kind}", self.config, seed)
                if kind != "shape" and pictures[0][0].image is None:
                    missing[group.name] = "no image"
                    continue
                if n_learned < 2:
                    found = f"{n_learned} of {name} whole and large enough"
                    raise NoCellsError(expected("two cells to learn from", found, "Use a larger image."))
                runtime = Runtime(
                    device=usable_device(self.device),
                    precision=self.precision,
                    checkpoint=None if checkpoint is None else Path(checkpoint) / f"{group.name}.ckpt",
                    checkpoint_every=checkpoint_every,
                    progress=self.progress,
                )
                if checkpoint is not None:
                    Path(checkpoint).mkdir(parents=True, exist_ok=True)
                history[group.name] = group.learn(learned, runtime)
                groups[group.name] = group
        if not groups:
            raise OptionError(expected("an image for texture", "none", "Pass `image=` or `kinds=('shape',)`."))
        self.seed_, self.missing_, self.history_, self._groups = seed, missing, history, groups
        return self

    def transform(self, labels: Any, image: Any | None = None, nuclei: Any | None = None) -> pd.DataFrame:
        """Return the features of all cells of one image: a DataFrame by `cell_id`, columns "cell_shape_0", …, float32.

        Arguments as `fit`, of one image; `CellGraphError` before it, `ShapeError` for images of other dimension or channels.
        Cells without a nucleus have NaN in its groups. In blocks of 512 cells.
        """
        import pandas as pd

        if not self._groups:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` first."))
        ((picture, inside), *more) = as_pictures(labels, image, nuclei)
        if more:
            found, remedy = f"{len(more) + 1}", "Call it for each: ids may repeat."
            raise ShapeError(expected("one label image", found, remedy))
        self._check_input(picture, inside)
        blocks: dict[str, np.ndarray] = {}
        parts = compartments(picture, inside)
        ids = parts[0].scan.cell_id
        for part in parts:
            has = np.flatnonzero(part.row >= 0)
            for name, group in self._groups.items():
                if not name.startswith(part.name):
                    continue
                out = np.full((len(ids), self.config.n_features), np.nan, np.float32)
                for start in range(0, len(has), BLOCK):
                    rows = has[start : start + BLOCK]
                    out[rows] = group.codes(part, rows)
                blocks |= {f"{name}_{i}": out[:, i] for i in range(out.shape[1])}
        return pd.DataFrame(blocks, index=pd.Index(ids, name="cell_id"))

    def fit_transform(self, labels: Any, image: Any | None = None, nuclei: Any | None = None) -> pd.DataFrame:
        """Return `transform` of the image that was learned from."""
        return self.fit(labels, image, nuclei).transform(labels, image, nuclei)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file (beside, then renamed)."""
        from cellgraph_clr.training.weights import save_weights

        if not self._groups:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` first."))
        tensors = {
            f"{name}.{k}": v
            for name, group in self._groups.items()
            if group.encoder is not None
            for k, v in group.encoder.state_dict().items()
        }
        header = {
            "kind": "MorphoFeatures",
            "config": asdict(self.config),
            "seed": self.seed_,
            "about": {name: group.about for name, group in self._groups.items()},
            "missing": self.missing_,
            "history": self.history_,
        }
        save_weights(path, tensors, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> MorphoFeatures:
        """Return a saved model. Raises `MissingFileError` and `ModelFileError`."""
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.weights import load_weights

        tensors, header = load_weights(path, "MorphoFeatures")
        model = cls(random_state=header["seed"], device=device, **header["config"])
        model.seed_, model.missing_, model.history_ = header["seed"], header["missing"], header["history"]
        names = [f"{part}_{kind}" for part in COMPARTMENTS for kind in KINDS]
        for name in filter(header["about"].__contains__, names):
            group = CodeGroup(name, model.config, model.seed_, header["about"][name])
            own = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
            group.load(own, usable_device(device))
            model._groups[name] = group
        return model

    def _check_input(self, picture: Any, nuclei: Any | None) -> None:
        channels = 0 if picture.image is None else picture.image.shape[0]
        for name, group in self._groups.items():
            about = group.about
            if about["ndim"] != picture.ndim:
                raise ShapeError(expected(f"labels in {about['ndim']}D", f"{picture.ndim}D", "Fit on such labels."))
            if group.kind != "shape" and about["n_channels"] != channels:
                remedy = "Pass the channels that were learned from."
                raise ShapeError(expected(f"an image of {about['n_channels']} channels", channels, remedy))
            if name.startswith("nucleus") and nuclei is None:
                raise ShapeError(expected("labels of nuclei", "none", "Pass `nuclei`, as in `fit`."))
