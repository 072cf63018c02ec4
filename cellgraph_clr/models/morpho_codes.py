"""One group of a `MorphoFeatures`: the network of a kind of feature of cells or nuclei, learned and read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr.models.morpho_inputs import (
    channel_moments,
    crop_resolution,
    cut_crops,
    standardised_crops,
    surface_arrays,
    touching,
)
from cellgraph_clr.models.runs import run_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from cellgraph_clr.models.morpho_config import MorphoFeaturesConfig
    from cellgraph_clr.models.morpho_inputs import Compartment
    from cellgraph_clr.training.codes import ViewSource
    from cellgraph_clr.training.contrastive import Runtime

__all__ = ["CodeGroup"]

POOL = 4  # times the points of a view that are drawn once from every surface


@dataclass(slots=True, eq=False)
class CodeGroup:
    """Codes of one kind ("shape", "coarse", "fine") of one compartment ("cell", "nucleus").

    `about` says what was learned from: ndim, n_channels and, for crops, their resolution and moments of the channels.
    """

    name: str
    config: MorphoFeaturesConfig
    seed: int
    about: dict[str, Any] = field(default_factory=dict)
    encoder: nn.Module | None = None

    @property
    def kind(self) -> str:
        """The part of the name after the compartment."""
        return self.name.split("_")[1]

    def learn(self, parts: Sequence[tuple[Compartment, np.ndarray]], runtime: Runtime) -> dict[str, list[float]]:
        """Learn from some cells (rows) of the same compartment of one or several images; return the history."""
        import torch

        from cellgraph_clr.training.codes import CodeModule
        from cellgraph_clr.training.contrastive import train_contrastive
        from cellgraph_clr.training.module import Schedule

        c = self.config
        source, digest = self._source(parts)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            networks = self._networks()
        module = CodeModule(
            networks,
            source,
            Schedule(c.n_steps, c.batch_size, c.learning_rate, c.weight_decay),
            digest,
            temperature=c.temperature,
            reconstruction=c.reconstruction,
            seed=self.seed,
            one_by_one=c.positives == "patches",
            beside=touching(parts) if c.positives == "neighbors" else None,
        )
        train_contrastive(module, runtime)
        self.encoder = module.encoder.to(runtime.device).eval()
        return module.history

    def load(self, weights: dict[str, Tensor], device: str) -> None:
        """Take the weights of a learned encoder."""
        encoder = self._networks()["encoder"]
        encoder.load_state_dict(weights)
        self.encoder = encoder.to(device).eval()

    def codes(self, part: Compartment, rows: np.ndarray) -> np.ndarray:
        """Return the codes (m, n_features) of some cells: the mean over draws of points, or over patches."""
        import torch

        from cellgraph_clr.views.points import centred

        c, encoder = self.config, self.encoder
        assert encoder is not None  # learned or loaded before
        device = next(encoder.parameters()).device

        def code(*inputs: Tensor) -> np.ndarray:
            with torch.inference_mode():
                batches = zip(*(x.split(c.batch_size) for x in inputs), strict=True)
                return torch.cat([encoder(*(x.to(device) for x in b)).float().cpu() for b in batches]).numpy()

        if self.kind == "shape":
            points, normals = (torch.from_numpy(a) for a in surface_arrays(part, rows, POOL * c.n_points, self.seed))
            draws = [code(centred(points[:, i::POOL]), normals[:, i::POOL]) for i in range(POOL)]
            return np.mean(draws, axis=0)
        image, mask = cut_crops(part, rows, self.kind, c, self.about["resolution"], self.seed)
        patches = torch.from_numpy(standardised_crops(image, mask, c, self.about["moments"])).float()
        return np.mean([code(patches[:, k]) for k in range(patches.shape[1])], axis=0)

    def _networks(self) -> dict[str, nn.Module]:
        """Return encoder, projection and perhaps decoder, with new weights."""
        from cellgraph_clr.encoders.graph import ProjectionHead
        from cellgraph_clr.encoders.points import PointEncoder
        from cellgraph_clr.encoders.volumes import CropDecoder, CropEncoder

        c, about = self.config, self.about
        projection = ProjectionHead(c.n_features, c.n_features)
        if self.kind == "shape":
            return {"encoder": PointEncoder(c.n_features, n_hidden=2 * c.n_hidden), "projection": projection}
        ndim, size = about["ndim"], c.fine_size if self.kind == "fine" else c.coarse_size
        encoder = CropEncoder(about["n_channels"] + 1, c.n_features, ndim=ndim, n_hidden=c.n_hidden)
        networks: dict[str, nn.Module] = {"encoder": encoder, "projection": projection}
        if c.reconstruction > 0:
            networks["decoder"] = CropDecoder(about["n_channels"], (size,) * ndim, c.n_features, n_hidden=c.n_hidden)
        return networks

    def _source(self, parts: Sequence[tuple[Compartment, np.ndarray]]) -> tuple[ViewSource, str]:
        """Return where views come from, and a hash of the run; notes in `about` what was read."""
        import torch

        from cellgraph_clr.training.codes import CropViews, SurfaceViews

        c = self.config
        self.about = {"ndim": parts[0][0].image.ndim, "n_channels": 0}
        source: ViewSource
        if self.kind == "shape":
            surfaces = [surface_arrays(part, rows, POOL * c.n_points, self.seed) for part, rows in parts]
            points, normals = (np.concatenate(a) for a in zip(*surfaces, strict=True))
            source = SurfaceViews(torch.from_numpy(points), torch.from_numpy(normals), c.n_points, c.strength)
            arrays = [points, normals]
        else:
            resolution = crop_resolution([part for part, _ in parts], self.kind, c)
            cuts = [cut_crops(part, rows, self.kind, c, resolution, self.seed) for part, rows in parts]
            image, mask = (np.concatenate(a) for a in zip(*cuts, strict=True))
            moments = channel_moments(image, mask) if c.normalise == "image" else ()
            self.about |= {
                "n_channels": image.shape[2],
                "resolution": resolution,
                "moments": [m.tolist() for m in moments],
            }
            crops = standardised_crops(image, mask, c, self.about["moments"])
            source = CropViews(torch.from_numpy(crops), c.strength, c.masked)
            arrays = [crops]
        return source, run_digest([asdict(c), self.seed, self.name, self.about], arrays)
