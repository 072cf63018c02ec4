"""The encoder: its formula, permutation, tiles, isolates, gradients."""

import numpy as np
import pytest
import torch

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.encoders.graph import EDGE_AWARE, ENCODERS, GraphEncoder, sparse_tensor
from cellgraph_clr.graphs.proximity import knn
from cellgraph_clr.graphs.tiles import halo


@pytest.fixture
def setting():
    rng = np.random.default_rng(0)
    adjacency = (
        knn(CellTable.build(np.arange(80), rng.random((80, 2)), unit="pixel"), n_neighbors=4)
        .graph()
        .adjacency()
        .tolil()
    )
    adjacency[5] = 0
    adjacency[:, 5] = 0  # an isolate
    torch.manual_seed(0)
    return GraphEncoder(7, 16, 5, 2).eval(), torch.randn(80, 7), adjacency.tocsr()


def test_equals_its_formula_with_dense_matrices(setting):
    encoder, x, adjacency = setting
    dense = torch.from_numpy(adjacency.toarray())
    mean = dense / dense.sum(1, keepdim=True).clamp_min(1)
    h = torch.relu(encoder.enter(x))
    states = [h]
    for layer, norm in zip(encoder.layers, encoder.norms, strict=True):
        h = h + torch.relu(norm(layer.lin_l(mean @ h) + layer.lin_r(h)))
        states.append(h)
    expected = encoder.leave(torch.cat(states, 1))
    torch.testing.assert_close(encoder(x, sparse_tensor(adjacency)), expected, atol=1e-5, rtol=1e-5)


@pytest.fixture(params=ENCODERS)
def kind(request, setting):
    """Return an encoder of each kind, x, the adjacency, and edge features as a function of both ends."""
    _, x, adjacency = setting
    torch.manual_seed(0)
    encoder = GraphEncoder(7, 16, 5, 2, kind=request.param, n_edge=3).eval()
    adjacency = adjacency.copy()
    adjacency.data = np.arange(1, adjacency.nnz + 1, dtype=np.float32)  # the values name the entries
    features = torch.randn(adjacency.nnz, 3)

    def embed(x, part):
        return encoder(x, sparse_tensor(part), features[part.data.astype(np.int64) - 1])

    return encoder, x, adjacency, embed


def test_permuting_cells_permutes_the_output(kind):
    _, x, adjacency, embed = kind
    order = np.random.default_rng(1).permutation(80)
    moved = adjacency[order][:, order]
    moved.sort_indices()
    torch.testing.assert_close(embed(x[order], moved), embed(x, adjacency)[order], atol=1e-5, rtol=1e-5)


def test_a_tile_with_its_halo_is_exact(kind):
    _, x, adjacency, embed = kind
    part = halo(adjacency, np.arange(10, 30), 2)
    tile = embed(x[part.rows], part.adjacency)[part.core]
    torch.testing.assert_close(tile, embed(x, adjacency)[10:30], atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_parameter(kind):
    encoder, x, adjacency, embed = kind
    embed(x, adjacency).pow(2).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_edge_features_matter_where_they_are_read(setting):
    _, x, adjacency = setting
    for name in ENCODERS:
        encoder = GraphEncoder(7, 16, 5, 1, kind=name, n_edge=1).eval()
        one, two = (encoder(x, sparse_tensor(adjacency), torch.full((adjacency.nnz, 1), v)) for v in (0.0, 3.0))
        assert torch.equal(one, two) == (name not in EDGE_AWARE)


def test_no_layers_is_a_perceptron_of_the_cell_alone(setting):
    _, x, adjacency = setting
    encoder = GraphEncoder(7, 16, 5, 0)
    alone = sparse_tensor(adjacency * 0)
    torch.testing.assert_close(encoder(x, sparse_tensor(adjacency)), encoder(x, alone))
