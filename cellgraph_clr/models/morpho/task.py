"""Codes of shapes and textures: two views of a cell, told from the other cells; crops are rebuilt as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.losses.modules import InfoNCEp
from cellgraph_clr.models.morpho.networks import new_networks
from cellgraph_clr.training.figures import alignment, effective_rank, uniformity
from cellgraph_clr.training.task import Schedule, generators

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scipy.sparse import csr_matrix

    from cellgraph_clr.models.morpho.config import MorphoFeaturesConfig
    from cellgraph_clr.models.morpho.views import ViewSource
    from cellgraph_clr.training.task import Lowered

__all__ = ["CodeTask"]


class _Batch(NamedTuple):
    """Two views: inputs of the encoder (b m, …) with what a decoder should make of them; and which codes (…, …) are alike."""

    views: list[tuple[tuple[Tensor, ...], Tensor | None]]
    same: Tensor
    n_cells: int


@dataclass(eq=False)
class CodeTask:
    """Encoder, projection and perhaps a decoder on a `ViewSource`.

    ``L = InfoNCEp(two views of a cell against the other cells) + w mean squared error of the rebuilt crops``; with the one
    positive that "views" have, it is InfoNCE. With "patches" crops are compared instead of their mean, all those of the cell in
    the other view being positives.

    Parameters
    ----------
    config : the options.
    kind : "shape", "coarse" or "fine".
    source : where views come from.
    ndim, n_channels : of the images.
    beside : (n, n) which cells touch, or None; half of a batch are then neighbours of the other half, and positives as well.
    seed : of everything drawn.
    """

    config: MorphoFeaturesConfig
    kind: str
    source: ViewSource
    ndim: int
    n_channels: int
    beside: csr_matrix | None
    seed: int

    @property
    def schedule(self) -> Schedule:
        """Steps and rates."""
        return Schedule(self.config.n_steps, self.config.learning_rate, self.config.weight_decay)

    def networks(self) -> dict[str, nn.Module]:
        """Return projection, encoder and perhaps a decoder."""
        return new_networks(self.config, self.kind, self.ndim, self.n_channels)

    def draw(self, step: int) -> _Batch:
        """Return two views of some cells."""
        rng, generator = generators(self.seed, step)
        rows = self._rows(rng)
        views = self.source.views(rows, generator)
        repeat = len(views[0][0][0]) // len(rows) if self.config.positives == "patches" else 1
        return _Batch(views, self._positives(rows.numpy(), repeat), len(rows))

    def loss(self, networks: Mapping[str, Lowered], batch: _Batch) -> tuple[Tensor, dict[str, Tensor | float]]:
        """Return the loss, and its parts."""
        codes, rebuilt = [], torch.zeros((), device=batch.same.device)
        for inputs, target in batch.views:
            code = networks["encoder"](*inputs)
            crops = code.unflatten(0, (batch.n_cells, -1))
            codes.append(networks["projection"](code if self.config.positives == "patches" else crops.mean(dim=1)))
            if "decoder" in networks and target is not None:
                rebuilt = rebuilt + (networks["decoder"](code) - target).square().mean() / 2
        contrast = InfoNCEp(self.config.temperature)(codes[0], codes[1], batch.same)
        figures: dict[str, Tensor | float] = {
            "loss": contrast,
            "alignment": alignment(codes[0], codes[1], batch.same),
            "uniformity": uniformity(codes[0]),
            "effective_rank": effective_rank(codes[0]),
        }
        return contrast + self.config.reconstruction * rebuilt, figures | (
            {"reconstruction": rebuilt} if "decoder" in networks else {}
        )

    def _rows(self, rng: np.random.Generator) -> Tensor:
        """Return the cells of a batch; where neighbours are positives, every other one is beside the one before it."""
        n = min(self.config.batch_size, self.source.n_cells)
        order = rng.permutation(self.source.n_cells)
        if self.beside is None:
            return torch.from_numpy(order[:n])
        chosen: dict[int, None] = {}
        for row in order:
            near = self.beside.indices[self.beside.indptr[row] : self.beside.indptr[row + 1]]
            chosen[int(row)] = None
            if len(near):
                chosen[int(rng.choice(near))] = None
            if len(chosen) >= n:
                break
        return torch.tensor(list(chosen)[:n])

    def _positives(self, rows: np.ndarray, repeat: int) -> Tensor:
        """Return which codes of one view (b repeat) are positives of which of the other."""
        same = np.eye(len(rows), dtype=bool)
        if self.beside is not None:
            same |= self.beside[rows][:, rows].toarray() > 0
        found = torch.from_numpy(same)
        return found.repeat_interleave(repeat, dim=0).repeat_interleave(repeat, dim=1) if repeat > 1 else found
