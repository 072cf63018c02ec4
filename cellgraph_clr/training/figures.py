"""What a step reports beside its loss: contrastive gap, alignment, uniformity, effective rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from cellgraph_clr.views.pairs import Pairs

__all__ = ["alignment", "contrastive_gap", "effective_rank", "uniformity"]

UNIFORMITY_CELLS = 512  # anchors compared with one another


def contrastive_gap(mean_loss: float, pairs: Pairs) -> tuple[float, float]:
    """Return ``(sum log C(N, p) - sum L) / sum p`` over the anchors of a batch and its cap (L = 0), in nats per pair.

    N candidates are left to an anchor after exclusions. A diagnostic, not a bound on mutual information: graph
    neighbours are not conditionally independent. Both are 0 without positives. `mean_loss` is that of InfoNCEp.
    """
    from scipy.special import gammaln

    p = pairs.positives.sum(axis=1)
    n = (~pairs.exclude).sum(axis=1)
    if not p.any():
        return 0.0, 0.0
    cap = (gammaln(n + 1) - gammaln(p + 1) - gammaln(n - p + 1)).sum()
    return float((cap - mean_loss * len(p)) / p.sum()), float(cap / p.sum())


def alignment(anchor: Tensor, candidates: Tensor, positives: Tensor) -> float:
    """Return the mean squared distance of anchors (a, d) to their positives among candidates (c, d), on the unit sphere.

    0 is perfect, 2 is chance; 0 without positives. Wang and Isola 2020, eq. 5 with exponent 2.
    """
    a, c = (torch.nn.functional.normalize(v.detach().float(), dim=1) for v in (anchor, candidates))
    row, column = positives.nonzero(as_tuple=True)
    return float((2 - 2 * (a[row] * c[column]).sum(1)).mean()) if len(row) else 0.0


def uniformity(vectors: Tensor) -> float:
    """Return ``log mean exp(-2 |u - v|^2)`` over pairs of unit vectors of the first 512 rows: lower is more even.

    0 when all are equal. Wang and Isola 2020, eq. 6 with t = 2. 0 for fewer than two rows.
    """
    u = torch.nn.functional.normalize(vectors.detach()[:UNIFORMITY_CELLS].float(), dim=1)
    if len(u) < 2:
        return 0.0
    return float(torch.pdist(u).square().mul(-2).exp().mean().log())


def effective_rank(vectors: Tensor) -> float:
    """Return the exponential of the entropy of the normalised singular values of the centred vectors (n, d).

    Between 1 and d; how many directions are in use. Roy and Vetterli 2007, eq. 4. 0 where all vectors are equal.
    """
    v = vectors.detach().double()
    covariance = torch.cov(v.T) if len(v) > 1 else torch.zeros(1, 1)
    singular = torch.linalg.eigvalsh(covariance.reshape(v.shape[1], -1)).clamp_min(0).sqrt()
    if float(singular.sum()) == 0:
        return 0.0
    share = singular / singular.sum()
    return float(torch.exp(torch.special.entr(share).sum()))
