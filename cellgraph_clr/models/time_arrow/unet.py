"""Dense features of images: a U-Net in 2D or 3D whose tiles equal the whole frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["UNet"]


def _conv(ndim: int) -> type[nn.Conv2d] | type[nn.Conv3d]:
    return nn.Conv2d if ndim == 2 else nn.Conv3d


def _norm(ndim: int) -> type[nn.BatchNorm2d] | type[nn.BatchNorm3d]:
    return nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d


def _twice(n_in: int, n_out: int, ndim: int) -> nn.Sequential:
    conv, norm = _conv(ndim), _norm(ndim)
    layers: list[nn.Module] = []
    for width in (n_in, n_out):
        layers += [conv(width, n_out, 3, padding=1, bias=False), norm(n_out), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Images to as many features at every pixel.

    Two convolutions a level, halved by maximum, doubled by repetition, joined at every level. Batch normalisation: in
    evaluation what a pixel gets depends on pixels within `halo` alone, so that overlapping tiles equal the whole frame.

    Parameters
    ----------
    n_in : channels.
    n_out : features.
    ndim : 2 or 3.
    n_hidden : channels of the first level, doubled at every other; the one option of size.
    n_levels : times the sides are halved.

    Shapes
    ------
    (b, n_in, [z,] y, x), sides multiples of 2 ** n_levels → (b, n_out, [z,] y, x)

    Source: Ronneberger et al. 2015; as backbone of time-arrow prediction Gallusser et al. 2023.
    """

    def __init__(self, n_in: int, n_out: int = 32, *, ndim: int = 2, n_hidden: int = 16, n_levels: int = 3) -> None:
        super().__init__()
        widths = [n_hidden * 2**level for level in range(n_levels + 1)]
        self.down = nn.ModuleList([_twice(a, b, ndim) for a, b in zip([n_in, *widths[:-1]], widths, strict=True)])
        self.up = nn.ModuleList([_twice(widths[i] + widths[i + 1], widths[i], ndim) for i in reversed(range(n_levels))])
        self.smaller = (nn.MaxPool2d if ndim == 2 else nn.MaxPool3d)(2)
        self.larger = nn.Upsample(scale_factor=2, mode="nearest")
        self.leave = _conv(ndim)(n_hidden, n_out, 1)
        self.multiple = 2**n_levels
        once = 2 * (
            self.multiple - 1
        )  # pixels: two a level on the way down, as many on the way up, two at the bottom, one grid
        self.halo = -(-(2 * once + 3 * self.multiple) // self.multiple) * self.multiple

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of every pixel."""
        kept = []
        for i, level in enumerate(self.down):
            x = level(x if i == 0 else self.smaller(x))
            kept.append(x)
        for level, beside in zip(self.up, reversed(kept[:-1]), strict=True):
            x = level(torch.cat([self.larger(x), beside], dim=1))
        out: Tensor = self.leave(x)
        return out
