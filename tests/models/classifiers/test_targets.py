import numpy as np
import torch
from scipy.sparse import csr_matrix

from cellgraph_clr.models.classifiers.targets import neighbor_composition


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
