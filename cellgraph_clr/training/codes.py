"""Codes of shapes and textures: two views of a cell, told from the other cells; crops are rebuilt as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from cellgraph_clr.encoders.points import nearest_points
from cellgraph_clr.losses.modules import InfoNCEp
from cellgraph_clr.training.figures import alignment, effective_rank, uniformity
from cellgraph_clr.training.module import Schedule, StepModule, check_loss
from cellgraph_clr.views.crops import distorted, turned
from cellgraph_clr.views.points import centred, deform, scale_along_axes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scipy.sparse import csr_matrix

__all__ = ["CodeModule", "CropViews", "SurfaceViews", "ViewSource"]

ARAP_NEIGHBORS = 8


class ViewSource(Protocol):
    """Where views come from: how many cells there are, and two views of some of them, each of one input a cell or several."""

    @property
    def n_cells(self) -> int:
        """Return the number of cells."""

    def views(self, rows: Tensor, generator: torch.Generator) -> list[tuple[tuple[Tensor, ...], Tensor | None]]:
        """Return, twice, the inputs of the encoder (b m, …) and what a decoder should make of them (None: nothing).

        The m inputs of a cell stand together; their codes are averaged.
        """


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceViews:
    """Surfaces: a draw of points out of many, scaled along random axes, bent as rigidly as possible.

    points, normals : (n, P, d) float32, of which a view draws `n_points`. strength : 0 gives draws alone.
    """

    points: Tensor
    normals: Tensor
    n_points: int
    strength: float

    @property
    def n_cells(self) -> int:
        """Return the number of cells."""
        return len(self.points)

    def views(self, rows: Tensor, generator: torch.Generator) -> list[tuple[tuple[Tensor, ...], Tensor | None]]:
        """Return points and normals (b, n_points, d), centred and scaled, twice."""
        return [(self._view(rows, generator), None) for _ in range(2)]

    def _view(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        many = self.points.shape[1]
        drawn = torch.rand(len(rows), many, generator=generator).topk(self.n_points, dim=1).indices.unsqueeze(2)
        drawn = drawn.expand(-1, -1, self.points.shape[2])
        points, normals = self.points[rows].gather(1, drawn), self.normals[rows].gather(1, drawn)
        if self.strength > 0:
            points, normals = scale_along_axes(points, normals, 0.1 * self.strength, generator)
            near = nearest_points(points, min(ARAP_NEIGHBORS, self.n_points - 1))
            points, normals = deform(points, normals, near, generator, strength=0.1 * self.strength)
        return centred(points), normals


@dataclass(frozen=True, slots=True, eq=False)
class CropViews:
    """Crops: half of a cell's patches a view, turned (what is to be rebuilt) and then distorted (what is seen).

    crops : (n, k, c + 1, [z,] y, x) standardised channels and the mask.
    """

    crops: Tensor
    strength: float
    masked: bool

    @property
    def n_cells(self) -> int:
        """Return the number of cells."""
        return len(self.crops)

    def views(self, rows: Tensor, generator: torch.Generator) -> list[tuple[tuple[Tensor, ...], Tensor | None]]:
        """Return the distorted crops (b m, c + 1, …) and the channels of those before (b m, c, …), twice.

        The two views of a cell share no patch, unless it has but one.
        """
        k = self.crops.shape[1]
        m = max(1, k // 2)
        order = torch.rand(len(rows), k, generator=generator).argsort(dim=1)
        out: list[tuple[tuple[Tensor, ...], Tensor | None]] = []
        for chosen in (order[:, :m], order[:, -m:]):
            target = turned(self.crops[rows.unsqueeze(1), chosen].flatten(0, 1).float(), generator)
            out.append(((distorted(target, self.strength, generator, masked=self.masked),), target[:, :-1]))
        return out


class CodeModule(StepModule):
    """Encoder, projection and perhaps a decoder on a `ViewSource`.

    ``L = InfoNCEp(two views of a cell against the other cells) + w mean squared error of the rebuilt crops``; with the one
    positive that "views" have, it is InfoNCE.

    `one_by_one` compares crops instead of their mean, all those of the cell in the other view being positives. With `beside`
    (n, n) half of a batch are neighbours of the other half, and neighbours are positives as well.
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        source: ViewSource,
        schedule: Schedule,
        fingerprint: str,
        *,
        temperature: float,
        reconstruction: float,
        seed: int,
        one_by_one: bool = False,
        beside: csr_matrix | None = None,
    ) -> None:
        super().__init__(schedule, fingerprint, source.n_cells)
        self.encoder, self.projection = parts["encoder"], parts["projection"]
        self.decoder = parts.get("decoder")
        self.loss = InfoNCEp(temperature)
        self.source, self.reconstruction, self.seed = source, reconstruction, seed
        self.one_by_one, self.beside = one_by_one, beside

    def training_step(self, batch: Any, index: int) -> Tensor:  # noqa: ARG002
        """Return the loss of step `global_step`."""
        step = self.global_step
        rng = np.random.default_rng([self.seed, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        rows = self._rows(rng)
        codes, rebuilt = [], torch.zeros((), device=self.device)
        for inputs, target in self.source.views(rows, generator):
            code = self.lowered(self.encoder)(*(x.to(self.device) for x in inputs))
            crops = code.unflatten(0, (len(rows), -1))
            codes.append(self.lowered(self.projection)(code if self.one_by_one else crops.mean(dim=1)))
            if self.decoder is not None and target is not None:
                rebuilt = rebuilt + (self.lowered(self.decoder)(code) - target.to(self.device)).square().mean() / 2
        same = self._positives(rows.numpy(), len(codes[0]) // len(rows)).to(self.device)
        contrast = self.loss(codes[0], codes[1], same)
        check_loss(float(contrast.detach() + rebuilt.detach()))
        figures = {
            "loss": float(contrast.detach()),
            "alignment": alignment(codes[0], codes[1], same),
            "uniformity": uniformity(codes[0]),
            "effective_rank": effective_rank(codes[0]),
        }
        self.record(figures | ({} if self.decoder is None else {"reconstruction": float(rebuilt.detach())}))
        return contrast + self.reconstruction * rebuilt

    def _rows(self, rng: np.random.Generator) -> Tensor:
        """Return the cells of a batch; where neighbours are positives, every other one is beside the one before it."""
        n = min(self.schedule.batch_size, self.n_items)
        order = rng.permutation(self.n_items)
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
