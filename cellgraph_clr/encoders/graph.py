"""Graph encoder: residual message passing with per-node normalisation and jumping knowledge."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv, GENConv, GINConv, SAGEConv

if TYPE_CHECKING:
    from collections.abc import Callable

    from scipy.sparse import csr_matrix

__all__ = ["EDGE_AWARE", "ENCODERS", "GraphEncoder", "edges_of_entries", "encode", "sparse_tensor"]

ENCODERS = ("sage", "gin", "gatv2", "gen")
EDGE_AWARE = ("gatv2", "gen")
HEADS = 4


def sparse_tensor(adjacency: csr_matrix, device: torch.device | str = "cpu") -> Tensor:
    """Return the pattern of a symmetric adjacency as a CSR torch tensor of ones: PyG layers take it without pyg-lib."""
    with warnings.catch_warnings(), torch.sparse.check_sparse_tensor_invariants(enable=False):
        warnings.filterwarnings("ignore", message=".*Sparse CSR tensor support is in beta.*")
        return torch.sparse_csr_tensor(
            torch.from_numpy(adjacency.indptr.astype(np.int64)),
            torch.from_numpy(adjacency.indices.astype(np.int64)),
            torch.ones(adjacency.nnz),
            size=adjacency.shape,
            device=device,
        )


def edges_of_entries(edge_attr: Tensor | None, adjacency: csr_matrix) -> Tensor | None:
    """Return the edge features (entries, e) of an adjacency whose values are their rows in `edge_attr`; None for None."""
    return None if edge_attr is None else edge_attr[torch.from_numpy(adjacency.data)]


def encode(
    encoder: Callable[..., Tensor],
    x: Tensor,
    adjacency: csr_matrix,
    edge_attr: Tensor | None,
    device: torch.device | str,
) -> Tensor:
    """Return the encoder's output (n, d) for features x (n, f) on a graph, with edge features (entries, e) or None."""
    attributes = None if edge_attr is None else edge_attr.to(device)
    return encoder(x.to(device), sparse_tensor(adjacency, device), attributes)


def _edge_index(adjacency: Tensor) -> Tensor:
    """Return (2, entries) int64 of a CSR tensor: where a message comes from, and the row that it goes to."""
    degree = adjacency.crow_indices().diff()
    row = torch.repeat_interleave(torch.arange(len(degree), device=degree.device), degree)
    return torch.stack([adjacency.col_indices(), row])


def _layer(kind: str, width: int, n_edge: int) -> nn.Module:
    """Return one layer of message passing; those of PyG that need no pyg-lib."""
    if kind == "sage":
        return SAGEConv(width, width)
    if kind == "gin":
        return GINConv(nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)), train_eps=True)
    if kind == "gatv2":
        heads = HEADS if width % HEADS == 0 else 1
        return GATv2Conv(width, width // heads, heads=heads, edge_dim=n_edge or None, add_self_loops=False)
    return GENConv(width, width, aggr="softmax", learn_t=True, num_layers=1, edge_dim=n_edge or None)


class GraphEncoder(nn.Module):
    """Cells with features on a graph to one vector per cell.

    ``h_0 = relu(W x)``, ``h_l = h_{l-1} + relu(LayerNorm(conv_l(h_{l-1})))``, ``z = V [h_0, …, h_L]``: residual
    message passing with jumping knowledge by concatenation. LayerNorm is per node and nothing else looks beyond the
    neighbours, so tiles with a halo of `n_layers` hops give exactly the result of the whole graph.

    Parameters
    ----------
    n_in : int
        Width of the input features.
    n_hidden : int
        Width of the layers.
    n_out : int
        Width of the embedding.
    n_layers : int
        Message passing layers; 0 is a perceptron on the cell alone.
    kind : str, default "sage"
        "sage" (mean of neighbours), "gin" (sum, then a perceptron), "gatv2" (attention, 4 heads) or "gen" (softmax
        aggregation with edge features, made for deep stacks).
    n_edge : int, default 0
        Edge features that "gatv2" and "gen" read; the others read none.

    Notes
    -----
    Shapes: x (n, n_in), adjacency (n, n) sparse CSR, edge_attr (entries, n_edge) in its order → (n, n_out).

    "sage" and "gin" are sparse products, O(edges n_hidden) time and O(n n_hidden) memory; "gatv2" and "gen" hold one vector
    per edge.

    References
    ----------
    Hamilton et al. 2017 (GraphSAGE), Xu et al. 2019 (GIN), Brody et al. 2022 (GATv2), Li et al. 2020 (GENConv),
    Xu et al. 2018 (jumping knowledge).
    """

    def __init__(
        self, n_in: int, n_hidden: int, n_out: int, n_layers: int, *, kind: str = "sage", n_edge: int = 0
    ) -> None:
        super().__init__()
        self.reads_edges = kind in EDGE_AWARE and n_edge > 0
        self.by_edge = kind in EDGE_AWARE
        self.enter = nn.Linear(n_in, n_hidden)
        self.layers = nn.ModuleList(_layer(kind, n_hidden, n_edge) for _ in range(n_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(n_hidden) for _ in range(n_layers))
        self.leave = nn.Linear(n_hidden * (n_layers + 1), n_out)

    def forward(self, x: Tensor, adjacency: Tensor, edge_attr: Tensor | None = None) -> Tensor:
        """Return the embedding of every cell."""
        edges = _edge_index(adjacency) if self.by_edge else adjacency
        extra = {"edge_attr": edge_attr} if self.reads_edges else {}
        h = torch.relu(self.enter(x))
        states = [h]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = h + torch.relu(norm(layer(h.float(), edges, **extra)))  # sparse products know no bfloat16
            states.append(h)
        return self.leave(torch.cat(states, dim=1))
