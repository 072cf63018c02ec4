"""Two views of cells: other points on their surface, bent and scaled; their crop turned and distorted, or other patches of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cellgraph_clr.models.morpho.deformation import centred, deform, scale_along_axes
from cellgraph_clr.models.morpho.distortion import distorted, turned
from cellgraph_clr.models.morpho.points import nearest_points

__all__ = ["CropViews", "SurfaceViews", "ViewSource"]

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
