"""Soft targets: one-hot, smoothed, mixed up, or the composition of the neighbourhood; and the losses on them by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cellgraph_clr.losses.functional import soft_cross_entropy, soft_infonce
from cellgraph_clr.models.classifiers.data import HARD

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["mix_up", "neighbor_composition", "smooth_one_hot", "soft_loss", "starting_targets"]


def starting_targets(loss: str, codes: np.ndarray, n_classes: int, smoothing: float) -> Tensor:
    """Return the targets (n, k) float32 of classes (n,): one-hot for hard losses, smoothed for the others."""
    return smooth_one_hot(torch.from_numpy(codes), n_classes, 0.0 if loss in HARD else smoothing)


def soft_loss(loss: str, logits: Tensor, targets: Tensor, prior: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the loss of every sample (b,) in nats; a hard loss is its soft form on one-hot targets."""
    if loss in ("soft_infonce", "infonce"):
        return soft_infonce(logits, targets, prior, temperature)
    return soft_cross_entropy(logits, targets, temperature)


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


def neighbor_composition(adjacency: csr_matrix, codes: np.ndarray, n_classes: int, *, own: float = 0.5) -> Tensor:
    """Return targets (n, k) float32: the classes around each cell, mixed with its own by the share `own`.

    Parameters
    ----------
    adjacency : csr_matrix
        (n, n) CSR; values weigh the neighbours (ones, contact areas).
    codes : numpy.ndarray
        (n,) int64 classes, -1 where unknown. Neighbours of unknown class do not count.
    n_classes : int
        k.
    own : float, default 0.5
        Weight of the cell's own class, 0 to 1. A cell without known neighbours keeps its own class alone, one without a
        class takes its neighbours' alone, and one without either has a row of zeros: leave it out of training.

    Notes
    -----
    O(edges + n k). The composition of the neighbourhood as a soft label is a target of ours for SoftInfoNCE, which takes any.
    """
    known = codes >= 0
    one_hot = np.zeros((len(codes), n_classes), np.float32)
    one_hot[known, codes[known]] = 1
    around = np.asarray(adjacency @ one_hot, np.float32)
    mass = around.sum(axis=1, keepdims=True)
    around = np.divide(around, mass, out=np.zeros_like(around), where=mass > 0)
    share = np.where(mass[:, 0] == 0, 1.0, np.where(known, own, 0.0)).astype(np.float32)[:, None]
    return torch.from_numpy(share * one_hot + (1 - share) * around)
