"""One group of a `MorphoFeatures`: what a kind of feature of cells or nuclei is learned from, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.models.morpho.data import (
    channel_moments,
    crop_resolution,
    cut_crops,
    standardised_crops,
    surface_arrays,
    touching,
)
from cellgraph_clr.models.morpho.deformation import centred
from cellgraph_clr.models.morpho.task import CodeTask
from cellgraph_clr.models.morpho.views import CropViews, SurfaceViews

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellgraph_clr.models.morpho.config import MorphoFeaturesConfig
    from cellgraph_clr.models.morpho.data import Compartment
    from cellgraph_clr.models.morpho.views import ViewSource

__all__ = ["CodeGroup"]

POOL = 4  # times the points of a view that are drawn once from every surface


@dataclass(frozen=True, slots=True, eq=False)
class CodeGroup:
    """Codes of one kind ("shape", "coarse", "fine") of one compartment ("cell", "nucleus").

    `about` says what was learned from: ndim, n_channels and, for crops, their resolution and moments of the channels.
    """

    name: str
    config: MorphoFeaturesConfig
    seed: int
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The part of the name after the compartment."""
        return self.name.split("_")[1]

    def task(
        self, parts: Sequence[tuple[Compartment, np.ndarray]]
    ) -> tuple[CodeTask, dict[str, Any], list[np.ndarray]]:
        """Return how to learn from some cells (rows) of one compartment of several images, `about`, and its arrays."""
        source, about, arrays = self.source(parts)
        beside = touching(parts) if self.config.positives == "neighbors" else None
        form = (about["ndim"], about["n_channels"])
        return CodeTask(self.config, self.kind, source, *form, beside, self.seed), about, arrays

    def codes(self, encoder: nn.Module, part: Compartment, rows: np.ndarray) -> np.ndarray:
        """Return the codes (m, n_features) of some cells: the mean over draws of points, or over patches."""
        c = self.config
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

    def source(
        self, parts: Sequence[tuple[Compartment, np.ndarray]]
    ) -> tuple[ViewSource, dict[str, Any], list[np.ndarray]]:
        """Return where views come from, what was read (ndim, n_channels, for crops resolution and moments), and its arrays."""
        c = self.config
        about: dict[str, Any] = {"ndim": parts[0][0].image.ndim, "n_channels": 0}
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
            moments = channel_moments(image, mask) if c.intensity_scale == "image" else ()
            about |= {
                "n_channels": image.shape[2],
                "resolution": resolution,
                "moments": [m.tolist() for m in moments],
            }
            crops = standardised_crops(image, mask, c, about["moments"])
            source = CropViews(torch.from_numpy(crops), c.strength, c.masked)
            arrays = [crops]
        return source, about, arrays
