"""Encoder and decoder of crops: residual convolutions in 2D or 3D, and a code between them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["CropDecoder", "CropEncoder"]

GROUPS = 8


def _conv(ndim: int) -> type[nn.Conv2d] | type[nn.Conv3d]:
    return nn.Conv2d if ndim == 2 else nn.Conv3d


class _Residual(nn.Module):
    """``x + conv(relu(norm(conv(relu(norm(x))))))``; group normalisation, so that a crop does not see its batch."""

    def __init__(self, width: int, ndim: int) -> None:
        super().__init__()
        conv = _conv(ndim)
        self.body = nn.Sequential(
            nn.GroupNorm(min(GROUPS, width), width),
            nn.ReLU(),
            conv(width, width, 3, padding=1),
            nn.GroupNorm(min(GROUPS, width), width),
            nn.ReLU(),
            conv(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class CropEncoder(nn.Module):
    """Crops of cells to one vector per crop.

    Parameters
    ----------
    n_in : channels, the mask of the cell among them.
    n_out : width of the code.
    ndim : 2 or 3.
    n_hidden : channels of the first level, doubled at each of the others; the one option of size.
    n_levels : levels; each halves the side.

    Shapes
    ------
    (b, n_in, [z,] y, x), sides of at least 2 ** n_levels → (b, n_out)
    """

    def __init__(self, n_in: int, n_out: int = 80, *, ndim: int = 3, n_hidden: int = 16, n_levels: int = 3) -> None:
        super().__init__()
        conv = _conv(ndim)
        layers: list[nn.Module] = []
        width = n_hidden
        for level in range(n_levels):
            width = n_hidden * 2**level
            layers += [conv(n_in if level == 0 else width // 2, width, 4, stride=2, padding=1), _Residual(width, ndim)]
        self.body = nn.Sequential(*layers, nn.GroupNorm(min(GROUPS, width), width), nn.ReLU())
        self.leave = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return the codes (b, n_out)."""
        h = self.body(x).flatten(2)
        out: Tensor = self.leave(torch.cat([h.mean(dim=2), h.amax(dim=2)], dim=1))
        return out


class CropDecoder(nn.Module):
    """Codes back to crops, the mirror image of `CropEncoder`.

    Shapes
    ------
    (b, n_code) → (b, n_out, [z,] y, x) of sides `shape`, each a multiple of 2 ** n_levels.
    """

    def __init__(
        self, n_out: int, shape: tuple[int, ...], n_code: int = 80, *, n_hidden: int = 16, n_levels: int = 3
    ) -> None:
        super().__init__()
        ndim = len(shape)
        up = nn.ConvTranspose2d if ndim == 2 else nn.ConvTranspose3d
        width = n_hidden * 2 ** (n_levels - 1)
        self._start = (width, *(n // 2**n_levels for n in shape))
        self.enter = nn.Linear(n_code, int(torch.Size(self._start).numel()))
        layers: list[nn.Module] = []
        for level in reversed(range(n_levels)):
            narrow = n_hidden * 2 ** (level - 1) if level else n_out
            layers += [_Residual(width, ndim), up(width, narrow, 4, stride=2, padding=1)]
            width = narrow
        self.body = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        """Return the crops (b, n_out, [z,] y, x)."""
        out: Tensor = self.body(self.enter(code).reshape(len(code), *self._start))
        return out
