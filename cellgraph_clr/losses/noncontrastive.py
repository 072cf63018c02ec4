"""Losses without noise samples: VICReg, the control of the contrastive ones, and decorrelation of feature maps."""

from __future__ import annotations

import torch
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.precision import full_precision

__all__ = ["decorrelation", "vicreg"]

EPSILON = 1e-4


def _variance(z: Tensor, target: float) -> Tensor:
    """Return how far the standard deviation of the columns falls below `target`, on average."""
    return torch.relu(target - (z.var(dim=0) + EPSILON).sqrt()).mean()


def _covariance(z: Tensor) -> Tensor:
    """Return the sum of squared covariances between different columns, divided by their number."""
    centred = z - z.mean(dim=0)
    cov = centred.T @ centred / (len(z) - 1)
    return (cov.square().sum() - cov.diagonal().square().sum()) / z.shape[1]


@full_precision
def vicreg(
    anchor: Tensor,
    candidates: Tensor,
    positives: Tensor,
    *,
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
    target: float = 1.0,
) -> Tensor:
    """Return the VICReg loss of a batch, a scalar, float32 at least.

    ``invariance * s + variance * (v(A) + v(C)) + covariance * (c(A) + c(C))``: s is the mean squared distance of an anchor to
    its positives, v keeps every column spread out, c keeps columns uncorrelated.

    Parameters
    ----------
    anchor, candidates : (a, d) and (c, d) float tensors, as they come: not normalised.
    positives : (a, c) bool tensor; every anchor weighs the same however many it has, one without any is left out of s.
    invariance, variance, covariance : weights of the terms.
    target : standard deviation below which a column is penalised.

    Raises
    ------
    ShapeError
        If there are fewer than two anchors or candidates: there is no variance.

    Notes
    -----
    O((a + c) d^2 + pairs d); no scores are held.

    Source
    ------
    Bardes, Ponce and LeCun 2022, eq. 1 to 6; several positives are averaged, as an extension of ours.
    """
    if len(anchor) < 2 or len(candidates) < 2:
        found = f"{len(anchor)} and {len(candidates)}"
        raise ShapeError(expected("at least two anchors and two candidates", found, "Use larger batches."))
    row, column = positives.nonzero(as_tuple=True)
    p = positives.sum(1)
    apart = (anchor[row] - candidates[column]).square().sum(1) / p[row]
    s = apart.sum() / (p > 0).sum().clamp_min(1)
    v = _variance(anchor, target) + _variance(candidates, target)
    return invariance * s + variance * v + covariance * (_covariance(anchor) + _covariance(candidates))


@full_precision
def decorrelation(features: Tensor, temperature: float = 0.2) -> Tensor:
    """Return the mean over images of ``-mean_c log softmax_c'(x_c . x_c' / T)_c`` (), nats, float32 at least.

    Parameters
    ----------
    features : (b, c, …) maps; each is centred and scaled to length 1 first, so that the value does not depend on their size.
    temperature : T, above 0.

    Notes
    -----
    0 when maps are uncorrelated and T small, log c when all are equal. Log-space throughout (the published form adds 1e-10
    inside the logarithm). O(b c^2 n). Source: Gallusser et al. 2023, equation of the decorrelation loss; the scaling is ours.
    """
    x = features.flatten(2)
    x = torch.nn.functional.normalize(x - x.mean(dim=2, keepdim=True), dim=2)
    scores = x @ x.transpose(1, 2) / temperature
    return -scores.log_softmax(dim=2).diagonal(dim1=1, dim2=2).mean()
