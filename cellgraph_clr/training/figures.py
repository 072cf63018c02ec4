"""What a step reports of its vectors beside the loss: alignment, uniformity, effective rank; tensors () on their device."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["alignment", "effective_rank", "uniformity"]

UNIFORMITY_CELLS = 512  # anchors compared with one another


def alignment(anchor: Tensor, candidates: Tensor, positives: Tensor) -> Tensor:
    """Return the mean squared distance of anchors (a, d) to their positives among candidates (c, d), on the unit sphere.

    0 is perfect, 2 is chance; 0 without positives. Wang and Isola 2020, eq. 5 with exponent 2.
    """
    a, c = (torch.nn.functional.normalize(v.detach().float(), dim=1) for v in (anchor, candidates))
    row, column = positives.nonzero(as_tuple=True)
    return (2 - 2 * (a[row] * c[column]).sum(1)).mean() if len(row) else a.new_zeros(())


def uniformity(vectors: Tensor) -> Tensor:
    """Return ``log mean exp(-2 |u - v|^2)`` over pairs of unit vectors of the first 512 rows: lower is more even.

    0 when all are equal. Wang and Isola 2020, eq. 6 with t = 2. 0 for fewer than two rows.
    """
    u = torch.nn.functional.normalize(vectors.detach()[:UNIFORMITY_CELLS].float(), dim=1)
    if len(u) < 2:
        return u.new_zeros(())
    return torch.pdist(u).square().mul(-2).exp().mean().log()


def effective_rank(vectors: Tensor) -> Tensor:
    """Return the exponential of the entropy of the normalised singular values of the centred vectors (n, d).

    Between 1 and d; how many directions are in use. Roy and Vetterli 2007, eq. 4. 0 where all vectors are equal,
    NaN where some are not finite.
    """
    v = vectors.detach().double()
    covariance = torch.cov(v.T) if len(v) > 1 else v.new_zeros(1, 1)
    finite = covariance.isfinite().all()
    singular = torch.linalg.eigvalsh(covariance.nan_to_num(0, 0, 0).reshape(v.shape[1], -1)).clamp_min(0).sqrt()
    total = singular.sum()
    rank = torch.exp(torch.special.entr(singular / total).sum())
    return torch.where(finite, torch.where(total > 0, rank, torch.zeros_like(rank)), torch.nan)
