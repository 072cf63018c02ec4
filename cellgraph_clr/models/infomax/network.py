"""Encoder of fields: local vectors on a grid, and one global vector pooled over the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cellgraph_clr.models.infomax.config import STRIDE
from cellgraph_clr.training.objects import built

if TYPE_CHECKING:
    from cellgraph_clr.models.infomax.config import DeepInfoMaxConfig

__all__ = ["STRIDE", "FieldEncoder", "new_encoder", "pooled"]


def pooled(local: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return means (b, c) of local vectors (b, c, h, w) over weights (b, h, w); plain means without, or where all are 0."""
    flat = local.flatten(2)
    if weight is None:
        return flat.mean(dim=2)
    w = weight.flatten(1)
    w = torch.where(w.sum(dim=1, keepdim=True) > 0, w, torch.ones_like(w))
    return (flat * w.unsqueeze(1)).sum(dim=2) / w.sum(dim=1, keepdim=True)


class FieldEncoder(nn.Module):
    """Images to local vectors, one for 8 x 8 pixels, and to a global one.

    Parameters
    ----------
    n_in : channels.
    n_local, n_global : widths of the vectors.
    n_hidden : channels of the first level, doubled at each of three; the one option of size.
    norm : "none" keeps brightness, "group" and "batch" normalize, and lose part of it.
    residual : one more residual block a level.

    Notes
    -----
    Global vectors come from means, not maxima, so that they know how dense a field is. What leaves the convolutions, and its
    means, are brought to one scale over the batch: differences between crops, in brightness too, stay, and are not lost beside
    what all crops share.
    Source: Hjelm et al. 2019, encoder for small images; means in place of the flattened map are ours.
    """

    def __init__(
        self,
        n_in: int,
        n_local: int = 32,
        n_global: int = 32,
        *,
        n_hidden: int = 16,
        norm: str = "none",
        residual: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = n_in
        for level in range(3):
            out = n_hidden * 2**level
            layers += [nn.Conv2d(width, out, 4, stride=2, padding=1), *_normed(norm, out), nn.ReLU()]
            if residual:
                layers.append(_Residual(out, norm))
            width = out
        self.body = nn.Sequential(*layers)
        self.local = nn.Sequential(nn.Conv2d(width, n_local, 1), nn.BatchNorm2d(n_local))
        self.whole = nn.Sequential(
            nn.BatchNorm1d(n_local), nn.Linear(n_local, 2 * n_global), nn.ReLU(), nn.Linear(2 * n_global, n_global)
        )
        for module in self.body.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return local vectors (b, n_local, y / 8, x / 8) of images (b, n_in, y, x)."""
        out: Tensor = self.local(self.body(x))
        return out

    def summary(self, local: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return global vectors (b, n_global) of local ones, pooled over weights (b, h, w)."""
        out: Tensor = self.whole(pooled(local, weight))
        return out


class _Residual(nn.Module):
    """``relu(x + norm(conv(x)))``."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), *_normed(norm, width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


def _normed(norm: str, width: int) -> list[nn.Module]:
    if norm == "group":
        return [nn.GroupNorm(min(8, width), width)]
    return [nn.BatchNorm2d(width)] if norm == "batch" else []


def new_encoder(config: DeepInfoMaxConfig, n_channels: int) -> nn.Module:
    """Return the encoder that a configuration names, or one of the user's, for images of some channels."""
    c = config
    if not isinstance(c.encoder, str):
        return built(c.encoder, n_channels, c.n_features, option="encoder")
    n = c.n_features
    return FieldEncoder(n_channels, n, n, n_hidden=c.n_hidden, norm=c.norm, residual=c.residual)
