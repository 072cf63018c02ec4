"""Graph encoder: residual message passing with per-node normalisation and jumping knowledge."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import SAGEConv

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["GraphEncoder", "ProjectionHead", "sparse_tensor"]


def sparse_tensor(adjacency: csr_matrix, device: torch.device | str = "cpu") -> Tensor:
    """Return a CSR torch tensor of a symmetric adjacency; the form in which PyG layers need no pyg-lib."""
    with warnings.catch_warnings(), torch.sparse.check_sparse_tensor_invariants(enable=False):
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta.*")
        return torch.sparse_csr_tensor(
            torch.from_numpy(adjacency.indptr.astype(np.int64)),
            torch.from_numpy(adjacency.indices.astype(np.int64)),
            torch.from_numpy(np.asarray(adjacency.data, np.float32)),
            size=adjacency.shape,
            device=device,
        )


class GraphEncoder(nn.Module):
    """Cells with features on a graph to one vector per cell.

    ``h_0 = relu(W x)``, ``h_l = h_{l-1} + relu(LayerNorm(SAGE_l(h_{l-1})))``, ``z = V [h_0, …, h_L]``: residual
    GraphSAGE layers (mean of neighbours) with jumping knowledge by concatenation. LayerNorm is per node, so tiles with a
    halo of `n_layers` hops give exactly the result of the whole graph.

    Parameters
    ----------
    n_in : width of the input features.
    n_hidden : width of the layers.
    n_out : width of the embedding.
    n_layers : message passing layers; 0 is a perceptron on the cell alone.

    Shapes
    ------
    x (n, n_in), adjacency (n, n) sparse CSR → (n, n_out)

    Source
    ------
    Hamilton et al. 2017 (GraphSAGE, mean), Xu et al. 2018 (jumping knowledge).
    """

    def __init__(self, n_in: int, n_hidden: int, n_out: int, n_layers: int) -> None:
        super().__init__()
        self.enter = nn.Linear(n_in, n_hidden)
        self.layers = nn.ModuleList(SAGEConv(n_hidden, n_hidden) for _ in range(n_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(n_hidden) for _ in range(n_layers))
        self.leave = nn.Linear(n_hidden * (n_layers + 1), n_out)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Return the embedding of every cell."""
        h = torch.relu(self.enter(x))
        states = [h]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = h + torch.relu(norm(layer(h, adjacency)))
            states.append(h)
        return self.leave(torch.cat(states, dim=1))


class ProjectionHead(nn.Sequential):
    """Two-layer perceptron between the embedding and the loss; thrown away after training (Chen et al. 2020)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(nn.Linear(n_in, n_in), nn.ReLU(), nn.Linear(n_in, n_out))
