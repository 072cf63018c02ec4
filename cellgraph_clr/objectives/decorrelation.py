"""Feature maps that differ: each map should be like itself and unlike the others."""

from __future__ import annotations

import torch
from torch import Tensor

from cellgraph_clr._core.precision import full_precision

__all__ = ["decorrelation"]


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
