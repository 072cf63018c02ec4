"""Augmented views of a cell graph: masked and jittered features, dropped edges."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

__all__ = ["drop_edges", "jitter_features", "mask_features"]


def mask_features(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return x (n, f) with each entry set to 0 (the mean of standardised features) with probability `share`."""
    if share == 0:
        return x
    keep = torch.rand(x.shape, generator=generator, device=generator.device) >= share
    return x * keep.to(x.device, x.dtype)


def jitter_features(x: Tensor, scale: float, generator: torch.Generator) -> Tensor:
    """Return x (n, f) plus Gaussian noise of standard deviation `scale` (in units of the features)."""
    if scale == 0:
        return x
    noise = torch.randn(x.shape, generator=generator, device=generator.device, dtype=x.dtype)
    return x + scale * noise.to(x.device)


def drop_edges(adjacency: csr_matrix, share: float, rng: np.random.Generator) -> csr_matrix:
    """Return the symmetric adjacency with each undirected edge left out with probability `share`.

    O(edges); rows and columns keep their order.
    """
    if share == 0:
        return adjacency
    n = adjacency.shape[0]
    rows = np.repeat(np.arange(n), np.diff(adjacency.indptr))
    upper = rows < adjacency.indices
    low = np.minimum(rows, adjacency.indices).astype(np.int64)
    high = np.maximum(rows, adjacency.indices).astype(np.int64)
    key = low * n + high
    kept = np.zeros(len(rows), bool)
    chosen = key[upper][rng.random(int(upper.sum())) >= share]  # sorted, since CSR rows are
    at = np.searchsorted(chosen, key).clip(max=max(len(chosen) - 1, 0))
    if len(chosen):
        kept = chosen[at] == key
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[kept], minlength=n))])
    return csr_matrix((adjacency.data[kept], adjacency.indices[kept], indptr), shape=adjacency.shape)
