"""Augmented views of a cell graph: masked and jittered features, dropped edges and nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError

if TYPE_CHECKING:
    from cellgraph_clr.models.cell_graph.config import CellGraphCLRConfig

__all__ = ["augmented", "drop_edges", "drop_nodes", "jitter_features", "mask_features"]


def augmented(
    config: CellGraphCLRConfig, x: Tensor, adjacency: csr_matrix, rng: np.random.Generator, generator: torch.Generator
) -> tuple[Tensor, csr_matrix]:
    """Return another view of a graph: features (n, f) and adjacency, as the options of a model ask, or its own `augment`.

    Raises `ShapeError` where an `augment` changes the number of cells or features.
    """
    if config.augment is not None:
        values, edges = config.augment(x, adjacency, rng)
        found = (tuple(values.shape), edges.shape)
        if found != (tuple(x.shape), adjacency.shape):
            wanted = f"features {tuple(x.shape)} and an adjacency {adjacency.shape} from `augment`"
            raise ShapeError(expected(wanted, f"{found[0]} and {found[1]}", "Hide cells, do not remove them."))
        return values.to(x.dtype), edges
    edges, stays = drop_nodes(adjacency, config.drop_nodes, rng)
    edges = drop_edges(edges, config.drop_edges, rng)
    values = jitter_features(mask_features(x, config.mask_features, generator), config.jitter, generator)
    return values if stays.all() else values * torch.from_numpy(stays).unsqueeze(1), edges


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
    """Return the symmetric adjacency with each undirected edge left out with probability `share`; values are kept.

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
    chosen = key[upper][rng.random(int(upper.sum())) >= share]  # sorted, since CSR rows are
    kept = np.zeros(len(rows), bool)
    if len(chosen):
        kept = chosen[np.searchsorted(chosen, key).clip(max=len(chosen) - 1)] == key
    return _entries(adjacency, rows, kept)


def drop_nodes(adjacency: csr_matrix, share: float, rng: np.random.Generator) -> tuple[csr_matrix, np.ndarray]:
    """Return the adjacency without the edges of cells left out with probability `share`, and (n,) bool: who stays.

    The caller hides the features of those left out. O(edges).
    """
    n = adjacency.shape[0]
    if share == 0:
        return adjacency, np.ones(n, bool)
    stays = rng.random(n) >= share
    rows = np.repeat(np.arange(n), np.diff(adjacency.indptr))
    return _entries(adjacency, rows, stays[rows] & stays[adjacency.indices]), stays


def _entries(adjacency: csr_matrix, rows: np.ndarray, kept: np.ndarray) -> csr_matrix:
    """Return the matrix with the stored entries `kept` only; `rows` is the row of each entry."""
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[kept], minlength=adjacency.shape[0]))])
    return csr_matrix((adjacency.data[kept], adjacency.indices[kept], indptr), shape=adjacency.shape)
