"""Views of crops: turns and mirrors, then gain, offset, gamma, blur, noise and elastic warping."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["distorted", "turned"]


def _uniform(n: int, ndim: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return (low + (high - low) * torch.rand(n, generator=generator)).view(n, 1, *(1,) * ndim)


def turned(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Return crops (b, c, [z,] y, x) with equal sides, each turned by right angles and mirrored at random. O(size)."""
    ndim = crops.ndim - 2
    out = torch.empty_like(crops)
    for i, crop in enumerate(crops):
        order = torch.randperm(ndim, generator=generator) + 1
        flips = [a + 1 for a in range(ndim) if torch.rand((), generator=generator) < 0.5]
        out[i] = crop.permute(0, *order.tolist()).flip(flips)
    return out


def _warp(crops: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Return crops warped by a smooth random field, `strength` (of the side) its standard deviation."""
    b, ndim = len(crops), crops.ndim - 2
    coarse = torch.randn(b, ndim, *(4,) * ndim, generator=generator) * 2 * strength
    mode = "bilinear" if ndim == 2 else "trilinear"
    field = functional.interpolate(coarse, size=crops.shape[2:], mode=mode, align_corners=True)
    still = torch.eye(ndim, ndim + 1).expand(b, -1, -1)
    grid = functional.affine_grid(still, list(crops.shape), align_corners=True)
    return functional.grid_sample(crops, grid + field.movedim(1, -1), align_corners=True)


def _blur(image: Tensor, share: Tensor) -> Tensor:
    """Return the image mixed with itself averaged over three voxels a side, by `share`."""
    pool = functional.avg_pool2d if image.ndim == 4 else functional.avg_pool3d
    return torch.lerp(image, pool(image, 3, stride=1, padding=1), share)


def distorted(crops: Tensor, strength: float, generator: torch.Generator, *, masked: bool = True) -> Tensor:
    """Return crops with all but the last channel distorted, and the last, the mask, warped along.

    Parameters
    ----------
    crops : (b, c + 1, [z,] y, x) standardised image channels and the mask.
    strength : 0 changes nothing; 1 draws gain and gamma in exp(± 0.5), offset ± 0.5, noise up to 0.1 of the standard deviation,
        up to 0.3 of a blur over three voxels (more would take the texture away), and a warp of 0.03 of the side.
    generator : of everything drawn.
    masked : keep the image 0 outside of the mask.
    """
    b, ndim = len(crops), crops.ndim - 2
    warped = _warp(crops, 0.03 * strength, generator) if strength > 0 else crops
    image, mask = warped[:, :-1], warped[:, -1:]
    gain = torch.exp(_uniform(b, ndim, -0.5, 0.5, generator) * strength)
    gamma = torch.exp(_uniform(b, ndim, -0.5, 0.5, generator) * strength)
    image = gain * image.sign() * image.abs().clamp(min=1e-6) ** gamma
    image = image + strength * _uniform(b, ndim, -0.5, 0.5, generator)
    image = _blur(image, _uniform(b, ndim, 0, 0.3 * strength, generator))
    noise = 0.1 * strength * torch.rand(b, *(1,) * (ndim + 1), generator=generator)
    image = image + noise * torch.randn(image.shape, generator=generator)
    return torch.cat([image * (mask > 0.5) if masked else image, mask], dim=1)
