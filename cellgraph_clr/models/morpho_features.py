"""`MorphoFeatures`: shape and texture of cells and nuclei, learned from labels and images."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_key, check_whole, expected
from cellgraph_clr._core.errors import CellGraphError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.models.morpho_config import KINDS, MorphoFeaturesConfig
from cellgraph_clr.models.morpho_inputs import (
    Compartment,
    as_label_image,
    compartments,
    crop_tensor,
    surface_arrays,
)

if TYPE_CHECKING:
    import os

    import pandas as pd
    from torch import Tensor, nn

    from cellgraph_clr.training.codes import ViewSource

__all__ = ["MorphoFeatures", "MorphoFeaturesConfig"]

POOL = 4  # times the points of a view that are drawn once from every surface
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
    precision : "32", or "bf16" for products in training.
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
    a nucleus have NaN in the groups of nuclei. Memory: per cell and group 24 POOL n_points bytes of surface or 2 (c + 1) k size^d
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
        known = {f.name for f in fields(MorphoFeaturesConfig)}
        for name in config:
            check_key(name, sorted(known), where="MorphoFeaturesConfig", error=OptionError)
        self.config = MorphoFeaturesConfig(**config)
        self.random_state, self.device, self.precision, self.progress = random_state, device, precision, progress
        self.missing_: dict[str, str] = {}
        self.history_: dict[str, dict[str, list[float]]] = {}
        self.seed_ = 0
        self._encoders: dict[str, nn.Module] = {}
        self._about: dict[str, dict[str, Any]] = {}  # group -> ndim, channels, resolution, moments

    @property
    def groups_(self) -> list[str]:
        """Names of the groups that were learned."""
        return list(self._encoders)

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
        labels : `LabelImage` (`cgc.read_labels`) or label array, 2D or 3D, in memory or in chunks.
        image : (c, [z,] y, x) or ([z,] y, x) intensities; None takes those of `labels`. Without any, texture is left out.
        nuclei : labels of nuclei on the same grid, in memory.
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
        """
        check_whole("checkpoint_every", checkpoint_every)
        picture = as_label_image(labels, image)
        parts, _, _ = compartments(picture, nuclei)
        self.seed_ = as_seed(self.random_state)
        self.missing_, self.history_, self._encoders, self._about = {}, {}, {}, {}
        if nuclei is None:
            self.missing_ |= {f"nucleus_{kind}": "no nuclei" for kind in self.config.kinds}
        for part in parts:
            for kind in self.config.kinds:
                group = f"{part.name}_{kind}"
                if kind != "shape" and picture.image is None:
                    self.missing_[group] = "no image"
                    continue
                rows = np.flatnonzero(part.learnable)
                if len(rows) < 2:
                    found = f"{len(rows)} of {part.name} whole and large enough"
                    raise NoCellsError(expected("two cells to learn from", found, "Use a larger image."))
                path = None if checkpoint is None else Path(checkpoint) / f"{group}.ckpt"
                self._learn(group, part, kind, rows, path, checkpoint_every)
        if not self._encoders:
            raise OptionError(expected("an image for texture", "none", "Pass `image=` or `kinds=('shape',)`."))
        return self

    def transform(self, labels: Any, image: Any | None = None, nuclei: Any | None = None) -> pd.DataFrame:
        """Return the features of all cells: a DataFrame by `cell_id` with columns "cell_shape_0", …, float32.

        Arguments and errors as `fit`; `CellGraphError` before it, `ShapeError` for images of other dimension or channels. Cells
        without a nucleus have NaN in its groups. In blocks of 512 cells.
        """
        import pandas as pd

        if not self._encoders:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` first."))
        picture = as_label_image(labels, image)
        self._check_input(picture, nuclei)
        parts, s, _ = compartments(picture, nuclei)
        blocks: dict[str, np.ndarray] = {}
        for part in parts:
            has = np.flatnonzero(part.row >= 0)
            for kind in KINDS:
                group = f"{part.name}_{kind}"
                if group not in self._encoders:
                    continue
                out = np.full((len(s.cell_id), self.config.n_features), np.nan, np.float32)
                for start in range(0, len(has), BLOCK):
                    rows = has[start : start + BLOCK]
                    out[rows] = self._codes(group, part, kind, rows)
                blocks |= {f"{group}_{i}": out[:, i] for i in range(out.shape[1])}
        return pd.DataFrame(blocks, index=pd.Index(s.cell_id, name="cell_id"))

    def fit_transform(self, labels: Any, image: Any | None = None, nuclei: Any | None = None) -> pd.DataFrame:
        """Return `transform` of what was learned from."""
        return self.fit(labels, image, nuclei).transform(labels, image, nuclei)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file (beside, then renamed)."""
        from cellgraph_clr.training.weights import save_weights

        if not self._encoders:
            raise CellGraphError(expected("a fitted model", "one that was not fitted", "Call `fit` first."))
        tensors = {f"{g}.{k}": v for g, e in self._encoders.items() for k, v in e.state_dict().items()}
        header = {
            "kind": "MorphoFeatures",
            "config": asdict(self.config),
            "seed": self.seed_,
            "about": self._about,
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
        model._about = header["about"]
        for group in model._about:
            encoder = model._new_parts(group)["encoder"]
            own = {k.removeprefix(f"{group}."): v for k, v in tensors.items() if k.startswith(f"{group}.")}
            encoder.load_state_dict(own)
            model._encoders[group] = encoder.to(usable_device(device)).eval()
        return model

    def _check_input(self, picture: Any, nuclei: Any | None) -> None:
        channels = 0 if picture.image is None else picture.image.shape[0]
        for group, about in self._about.items():
            if about["ndim"] != picture.ndim:
                raise ShapeError(expected(f"labels in {about['ndim']}D", f"{picture.ndim}D", "Fit on such labels."))
            if not group.endswith("shape") and about["n_channels"] != channels:
                remedy = "Pass the channels that were learned from."
                raise ShapeError(expected(f"an image of {about['n_channels']} channels", channels, remedy))
            if group.startswith("nucleus") and nuclei is None:
                raise ShapeError(expected("labels of nuclei", "none", "Pass `nuclei`, as in `fit`."))

    def _new_parts(self, group: str) -> dict[str, nn.Module]:
        """Return encoder, projection and perhaps decoder of a group, with new weights."""
        from cellgraph_clr.encoders.graph import ProjectionHead
        from cellgraph_clr.encoders.points import PointEncoder
        from cellgraph_clr.encoders.volumes import CropDecoder, CropEncoder

        c, about = self.config, self._about[group]
        projection = ProjectionHead(c.n_features, c.n_features)
        kind = group.split("_")[1]
        if kind == "shape":
            return {"encoder": PointEncoder(c.n_features, n_hidden=2 * c.n_hidden), "projection": projection}
        ndim, size = about["ndim"], c.fine_size if kind == "fine" else c.coarse_size
        encoder = CropEncoder(about["n_channels"] + 1, c.n_features, ndim=ndim, n_hidden=c.n_hidden)
        parts: dict[str, nn.Module] = {"encoder": encoder, "projection": projection}
        if c.reconstruction > 0:
            parts["decoder"] = CropDecoder(about["n_channels"], (size,) * ndim, c.n_features, n_hidden=c.n_hidden)
        return parts

    def _learn(
        self, group: str, part: Compartment, kind: str, rows: np.ndarray, path: Path | None, checkpoint_every: int
    ) -> None:
        import torch

        from cellgraph_clr.training.codes import CodeModule
        from cellgraph_clr.training.contrastive import Runtime, train_contrastive
        from cellgraph_clr.training.devices import usable_device
        from cellgraph_clr.training.module import Schedule

        c, device = self.config, usable_device(self.device)
        source, digest = self._source(group, part, kind, rows)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed_)
            parts = self._new_parts(group)
        module = CodeModule(
            parts,
            source,
            Schedule(c.n_steps, c.batch_size, c.learning_rate, c.weight_decay),
            digest,
            temperature=c.temperature,
            reconstruction=c.reconstruction,
            seed=self.seed_,
        )
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        runtime = Runtime(
            device=device,
            precision=self.precision,
            checkpoint=path,
            checkpoint_every=checkpoint_every,
            progress=self.progress,
        )
        train_contrastive(module, runtime)
        self._encoders[group] = module.encoder.to(device).eval()
        self.history_[group] = module.history

    def _source(self, group: str, part: Compartment, kind: str, rows: np.ndarray) -> tuple[ViewSource, str]:
        """Return where views of a group come from, and a hash of the run; notes what was read in `_about`."""
        import torch

        from cellgraph_clr.training.codes import CropViews, SurfaceViews

        c = self.config
        about: dict[str, Any] = {"ndim": part.image.ndim, "n_channels": 0}
        source: ViewSource
        if kind == "shape":
            points, normals = surface_arrays(part, rows, POOL * c.n_points, self.seed_)
            source = SurfaceViews(torch.from_numpy(points), torch.from_numpy(normals), c.n_points, c.strength)
            arrays = [points, normals]
        else:
            wanted = c.fine_resolution if kind == "fine" else c.coarse_resolution
            crops, resolution, moments = crop_tensor(part, rows, kind, c, wanted, None, self.seed_)
            about |= {
                "n_channels": crops.shape[2] - 1,
                "resolution": resolution,
                "moments": [m.tolist() for m in moments],
            }
            source = CropViews(torch.from_numpy(crops), c.strength, c.masked)
            arrays = [crops]
        self._about[group] = about
        digest = hashlib.sha256(json.dumps([asdict(c), self.seed_, group, about], default=str).encode())
        for array in arrays:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return source, digest.hexdigest()

    def _codes(self, group: str, part: Compartment, kind: str, rows: np.ndarray) -> np.ndarray:
        """Return the codes (m, n_features) of some cells: the mean over draws of points, or over patches."""
        import torch

        from cellgraph_clr.views.points import centred

        c, encoder, about = self.config, self._encoders[group], self._about[group]
        device = next(encoder.parameters()).device

        def code(*inputs: Tensor) -> np.ndarray:
            with torch.inference_mode():
                parts = zip(*(x.split(c.batch_size) for x in inputs), strict=True)
                return torch.cat([encoder(*(x.to(device) for x in p)).float().cpu() for p in parts]).numpy()

        if kind == "shape":
            points, normals = (torch.from_numpy(a) for a in surface_arrays(part, rows, POOL * c.n_points, self.seed_))
            draws = [code(centred(points[:, i::POOL]), normals[:, i::POOL]) for i in range(POOL)]
            return np.mean(draws, axis=0)
        moments = tuple(np.array(m, np.float32) for m in about["moments"])
        crops, *_ = crop_tensor(part, rows, kind, c, about["resolution"], moments, self.seed_)  # type: ignore[arg-type]
        patches = torch.from_numpy(crops).float()
        return np.mean([code(patches[:, k]) for k in range(patches.shape[1])], axis=0)
