"""Soft targets: one-hot, smoothed, mixed up."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mix_up", "smooth_one_hot"]


def smooth_one_hot(codes: Tensor, n_classes: int, smoothing: float) -> Tensor:
    """Return targets (b, k) float32: ``1 - s + s / k`` on the class, ``s / k`` elsewhere (s = `smoothing`)."""
    out = torch.full((len(codes), n_classes), smoothing / n_classes)
    return out.scatter_(1, codes.unsqueeze(1), 1 - smoothing + smoothing / n_classes)


def mix_up(x: Tensor, targets: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return inputs (b, f) and targets (b, k) mixed with those of a random partner, one Beta(alpha, alpha) weight each.

    alpha 0 returns both unchanged. Source: Zhang et al. 2018, eq. 1.
    """
    if alpha == 0 or len(x) < 2:
        return x, targets
    shape = torch.full((len(x), 2), float(alpha))
    share = torch._standard_gamma(shape, generator=generator)  # noqa: SLF001 - the seeded form torch offers
    weight = (share[:, 0] / share.sum(1).clamp_min(torch.finfo().tiny)).unsqueeze(1).to(x.device)
    partner = torch.randperm(len(x), generator=generator).to(x.device)
    return weight * x + (1 - weight) * x[partner], weight * targets + (1 - weight) * targets[partner]
