"""The network of time-arrow prediction: dense features of every frame, and a head that does not care which frame is first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.models.time_arrow.unet import UNet
from cellgraph_clr.training.objects import built

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr.models.time_arrow.config import TimeArrowConfig

__all__ = ["ArrowNet", "EquivariantBlock", "new_backbone", "new_network"]


class EquivariantBlock(nn.Module):
    """``y_s = L x_s + mean_s' G x_s'`` over frames s: permuted frames give permuted outputs."""

    def __init__(self, n_in: int, n_out: int, *, ndim: int) -> None:
        super().__init__()
        conv = nn.Conv2d if ndim == 2 else nn.Conv3d
        norm = nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d
        self.own, self.shared = conv(n_in, n_out, 1), conv(n_in, n_out, 1, bias=False)
        self.norm = norm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Return (b, s, n_out, …) of (b, s, n_in, …)."""
        b, s = x.shape[:2]
        flat = x.flatten(0, 1)
        shared = self.shared(flat).unflatten(0, (b, s)).mean(dim=1, keepdim=True)
        out = (self.own(flat).unflatten(0, (b, s)) + shared).flatten(0, 1)
        normed: Tensor = nn.functional.leaky_relu(self.norm(out))
        return normed.unflatten(0, (b, s))


class ArrowNet(nn.Module):
    """Frames to dense features, and to one number a frame, highest for the one that comes first.

    Parameters
    ----------
    backbone : (b, c, [z,] y, x) to features (b, n_features, [z,] y, x), see `Backbone`.
    n_features : dense features.
    ndim : 2 or 3.

    Notes
    -----
    ``forward(flip(x)) = flip(forward(x))`` by construction. Source: Gallusser et al. 2023 (TAP), head "minimal".
    """

    def __init__(self, backbone: nn.Module, n_features: int = 32, *, ndim: int = 2) -> None:
        super().__init__()
        conv = nn.Conv2d if ndim == 2 else nn.Conv3d
        norm = nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d
        self.backbone = backbone
        self.projection = nn.Sequential(conv(n_features, n_features, 1), norm(n_features))
        self.blocks = nn.ModuleList([EquivariantBlock(n_features, n_features, ndim=ndim) for _ in range(2)])
        self.own, self.shared = nn.Linear(n_features, 1), nn.Linear(n_features, 1, bias=False)

    def dense(self, x: Tensor) -> Tensor:
        """Return the features (b, n_features, [z,] y, x) of frames (b, c, [z,] y, x)."""
        out: Tensor = self.projection(self.backbone(x))
        return out

    def settle(self, frames: Sequence[Tensor]) -> None:
        """Take the statistics of normalisation from frames (b, c, [z,] y, x) alone, the mean over them; weights stay.

        Sides are cut to multiples of what the backbone needs. The network is left in training mode.
        """
        norms = [m for m in self.modules() if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm3d))]
        usual = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean of all
        self.train()
        multiple: Any = self.backbone.multiple
        with torch.no_grad():
            for frame in frames:
                for axis in range(2, frame.dim()):
                    frame = frame.narrow(axis, 0, frame.shape[axis] // multiple * multiple)
                self(frame.unsqueeze(1))
        for norm, momentum in zip(norms, usual, strict=True):
            norm.momentum = momentum

    def order(self, features: Tensor) -> Tensor:
        """Return one number a frame (b, s) for dense features (b, s, n_features, [z,] y, x)."""
        for block in self.blocks:
            features = block(features)
        pooled = features.flatten(3).mean(dim=3)
        out: Tensor = (self.own(pooled) + self.shared(pooled).mean(dim=1, keepdim=True)).squeeze(2)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Return one number a frame (b, s) for frames (b, s, c, [z,] y, x)."""
        b, s = x.shape[:2]
        return self.order(self.dense(x.flatten(0, 1)).unflatten(0, (b, s)))


def new_backbone(config: TimeArrowConfig, n_channels: int, ndim: int) -> nn.Module:
    """Return the backbone that a configuration names, or one of the user's; raises `OptionError` where that lacks attributes."""
    c = config
    if isinstance(c.backbone, str):
        return UNet(n_channels, c.n_features, ndim=ndim, n_hidden=c.n_hidden, n_levels=c.n_levels)
    backbone = built(c.backbone, n_channels, c.n_features, ndim, option="backbone")
    for name in ("multiple", "halo"):
        if not isinstance(getattr(backbone, name, None), int):
            remedy = "See docs/own_systems.md."
            raise OptionError(expected(f"`backbone` with a whole number `{name}`", type(backbone).__name__, remedy))
    return backbone


def new_network(config: TimeArrowConfig, n_channels: int, ndim: int) -> ArrowNet:
    """Return the network of a configuration for movies of some channels in 2D or 3D."""
    return ArrowNet(new_backbone(config, n_channels, ndim), config.n_features, ndim=ndim)
