"""Masked log-space math in torch: masks are -inf, and a row without an entry has a defined value."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["masked_logsumexp"]


def masked_logsumexp(scores: Tensor, mask: Tensor) -> Tensor:
    """Return log sum exp over the last axis of the entries where `mask` is True.

    Parameters
    ----------
    scores : (..., n) float tensor.
    mask : (..., n) bool tensor.

    Returns
    -------
    (...) tensor; -inf where no entry is left, with a gradient of zero there.
    """
    any_left = mask.any(-1)
    safe = torch.where(mask, scores, -torch.inf)
    safe = torch.where(any_left.unsqueeze(-1), safe, torch.zeros_like(safe))
    return torch.where(any_left, torch.logsumexp(safe, dim=-1), -torch.inf)
