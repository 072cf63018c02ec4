"""Critic of InfoMax: how well a local vector and a global one go together."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Critic"]


class Critic(nn.Module):
    """Scores of local with global vectors: the dot product of two small networks, over the root of its width.

    Source: Hjelm et al. 2019, "encode and dot product" with a shortcut around each network.
    """

    def __init__(self, n_local: int, n_global: int, width: int = 64) -> None:
        super().__init__()
        self.local = _Shortcut(n_local, width)
        self.whole = _Shortcut(n_global, width)
        self.scale = width**-0.5

    def forward(self, local: Tensor, whole: Tensor) -> Tensor:
        """Return scores (l, g) of local (l, n_local) with global vectors (g, n_global)."""
        out: Tensor = self.local(local) @ self.whole(whole).T * self.scale
        return out


class _Shortcut(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU(), nn.Linear(n_out, n_out))
        self.around = nn.Linear(n_in, n_out)
        self.norm = nn.LayerNorm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.body(x) + self.around(x))
        return out
