"""Encoder of surfaces: residual dynamic edge convolutions on what rotation leaves alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PointEncoder", "nearest_points", "pair_invariants"]


def nearest_points(x: Tensor, k: int) -> Tensor:
    """Return the k nearest other points (b, p, k) int64 of every point of clouds x (b, p, c). O(b p^2 c)."""
    distance = torch.cdist(x, x)
    own = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
    return distance.masked_fill(own, torch.inf).topk(k, dim=2, largest=False).indices


def _gathered(values: Tensor, near: Tensor) -> Tensor:
    """Return values (b, p, c) at neighbours (b, p, k) as (b, p, k, c)."""
    b, p, k = near.shape
    flat = near.reshape(b, p * k, 1).expand(-1, -1, values.shape[2])
    return values.gather(1, flat).reshape(b, p, k, -1)


def pair_invariants(points: Tensor, normals: Tensor, near: Tensor) -> Tensor:
    """Return distance, the three cosines between offset and normals, (b, p, k, 4): all that a pair of oriented points has.

    Unchanged by rotation, translation and mirroring. Source: Drost et al. 2010 (point pair features).
    """
    offset = _gathered(points, near) - points.unsqueeze(2)
    distance = offset.norm(dim=3, keepdim=True)
    direction = offset / distance.clamp(min=1e-6)
    own, other = normals.unsqueeze(2), _gathered(normals, near)
    cosines = [(own * direction).sum(3), (other * direction).sum(3), (own * other).sum(3)]
    return torch.cat([distance, torch.stack(cosines, dim=3)], dim=3)


class _EdgeBlock(nn.Module):
    """``h_i + max_j MLP([h_i, h_j - h_i, invariants_ij])`` with LayerNorm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(2 * width, width)
        self.pair = nn.Linear(4, width)
        self.leave = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, h: Tensor, invariants: Tensor, near: Tensor) -> Tensor:
        own, other = self.enter.weight.chunk(2, dim=1)
        mine = nn.functional.linear(h, own - other, self.enter.bias)  # [h_i, h_j - h_i] W, each product once a point
        theirs = nn.functional.linear(h, other)
        edge = torch.relu(mine.unsqueeze(2) + _gathered(theirs, near) + self.pair(invariants))
        out: Tensor = h + torch.relu(self.norm(self.leave(edge.amax(dim=2))))
        return out


class PointEncoder(nn.Module):
    """Surfaces of cells, points with normals, to one vector per cell, whatever the pose.

    Points see their distance from the centre, the angle of their normal to it, and neighbours through `pair_invariants`:
    rotated or mirrored input gives the same vector to rounding. The first blocks look at neighbours in space at growing
    distances, the others at neighbours among the features (dynamic graph), which joins like parts far apart.

    Parameters
    ----------
    n_out : width of the vector.
    n_hidden : width of the blocks, the one option of size.
    n_blocks : residual blocks, the first half on neighbours in space.
    n_neighbors : of every point.

    Shapes
    ------
    points (b, p, d) centred and scaled, normals (b, p, d), d = 2 or 3, p above n_neighbors → (b, n_out).

    Notes
    -----
    O(b p^2) distances and O(b p k n_hidden) a block. Source: Wang et al. 2019 (EdgeConv), Li et al. 2019 (residual blocks);
    the rotation-invariant input is ours, where Zinchenko et al. 2023 learn it by augmentation.
    """

    def __init__(self, n_out: int = 80, *, n_hidden: int = 32, n_blocks: int = 4, n_neighbors: int = 12) -> None:
        super().__init__()
        self.n_neighbors = n_neighbors
        self.start = nn.Linear(2, n_hidden)
        self.blocks = nn.ModuleList([_EdgeBlock(n_hidden) for _ in range(n_blocks)])
        self.fuse = nn.Linear(n_hidden * (n_blocks + 1), 4 * n_hidden)
        self.leave = nn.Sequential(nn.Linear(8 * n_hidden, 4 * n_hidden), nn.ReLU(), nn.Linear(4 * n_hidden, n_out))

    def forward(self, points: Tensor, normals: Tensor) -> Tensor:
        """Return the vectors (b, n_out)."""
        radius = points.norm(dim=2, keepdim=True)
        outward = (points * normals).sum(2, keepdim=True) / radius.clamp(min=1e-6)
        h = torch.relu(self.start(torch.cat([radius, outward], dim=2)))
        in_space = (len(self.blocks) + 1) // 2
        most = min(self.n_neighbors * 2 ** (in_space - 1), points.shape[1] - 1)
        nearest = nearest_points(points, most)
        states = [h]
        for i, block in enumerate(self.blocks):
            if i < in_space:  # every second, fourth, … of the nearest: as many neighbours from farther away
                step = min(2**i, max(1, most // self.n_neighbors))
                near = nearest[:, :, : step * self.n_neighbors : step]
            else:
                near = nearest_points(h.detach(), min(self.n_neighbors, points.shape[1] - 1))
            h = block(h, pair_invariants(points, normals, near), near)
            states.append(h)
        fused = torch.relu(self.fuse(torch.cat(states, dim=2)))
        out: Tensor = self.leave(torch.cat([fused.amax(dim=1), fused.mean(dim=1)], dim=1))
        return out
