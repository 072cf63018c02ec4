"""Soft targets lie on the simplex; the composition of the neighbourhood."""

import numpy as np
import torch
from scipy.sparse import csr_matrix

from cellgraph_clr.models.classifiers.targets import mix_up, neighbor_composition, smooth_one_hot


def test_composition_of_the_neighbours_mixed_with_the_own_class():
    edges = np.array([[0, 1, 2, 0, 0], [1, 0, 0, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0]])
    codes = np.array([0, 1, 0, -1, -1])
    targets = neighbor_composition(csr_matrix(edges), codes, 2, own=0.4)
    expected = [[0.4 + 0.6 * 2 / 3, 0.6 / 3], [0.6, 0.4], [1, 0], [0, 0], [0, 0]]
    torch.testing.assert_close(targets, torch.tensor(expected))


def test_unknown_cells_take_what_is_around_them():
    edges = csr_matrix(np.array([[0, 1], [1, 0]]))
    targets = neighbor_composition(edges, np.array([-1, 1]), 3)
    assert targets.tolist() == [[0, 1, 0], [0, 1, 0]]  # the second has no neighbour of known class


def test_soft_targets_lie_on_the_simplex():
    targets = smooth_one_hot(torch.tensor([0, 2]), 4, 0.2)
    torch.testing.assert_close(targets[0], torch.tensor([0.85, 0.05, 0.05, 0.05]))
    x, mixed = mix_up(torch.eye(2), targets, 0.5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(mixed.sum(1), torch.ones(2))
    torch.testing.assert_close(x.sum(1), torch.ones(2))
    assert mix_up(x, targets, 0.0, torch.Generator().manual_seed(0))[1] is targets
