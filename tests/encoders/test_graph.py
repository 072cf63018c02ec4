"""The encoder: its formula, permutation, tiles, isolates, gradients."""

import numpy as np
import pytest
import torch

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.encoders.graph import GraphEncoder, sparse_tensor
from cellgraph_clr.graphs.proximity import knn
from cellgraph_clr.graphs.tiles import halo


@pytest.fixture
def setting():
    rng = np.random.default_rng(0)
    adjacency = knn(CellTable.build(np.arange(80), rng.random((80, 2)), unit="pixel"), n_neighs=4).adjacency().tolil()
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


def test_permuting_cells_permutes_the_output(setting):
    encoder, x, adjacency = setting
    order = np.random.default_rng(1).permutation(80)
    moved = encoder(x[order], sparse_tensor(adjacency[order][:, order]))
    torch.testing.assert_close(moved, encoder(x, sparse_tensor(adjacency))[order], atol=1e-5, rtol=1e-5)


def test_a_tile_with_its_halo_is_exact(setting):
    encoder, x, adjacency = setting
    part = halo(adjacency, np.arange(10, 30), 2)
    tile = encoder(x[part.rows], sparse_tensor(part.adjacency))[part.core]
    torch.testing.assert_close(tile, encoder(x, sparse_tensor(adjacency))[10:30], atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_parameter(setting):
    encoder, x, adjacency = setting
    encoder(x, sparse_tensor(adjacency)).pow(2).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in encoder.parameters())


def test_no_layers_is_a_perceptron_of_the_cell_alone(setting):
    _, x, adjacency = setting
    encoder = GraphEncoder(7, 16, 5, 0)
    alone = sparse_tensor(adjacency * 0)
    torch.testing.assert_close(encoder(x, sparse_tensor(adjacency)), encoder(x, alone))
