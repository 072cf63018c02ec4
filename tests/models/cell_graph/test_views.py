"""Augmentations do what their share says, keep what they must, and follow the seed."""

import numpy as np
import pytest
import torch

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.proximity import knn
from cellgraph_clr.models.cell_graph.views import drop_edges, drop_nodes, jitter_features, mask_features


@pytest.fixture
def adjacency(rng):
    return knn(CellTable.build(np.arange(300), rng.random((300, 2)), unit="pixel"), n_neighbors=6).graph().adjacency()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_masked_entries_are_zero_and_as_many_as_asked():
    x = torch.ones(400, 50)
    masked = mask_features(x, 0.3, generator())
    assert set(masked.unique().tolist()) == {0.0, 1.0}
    assert float((masked == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert x.all()  # the input is not edited


def test_jitter_has_the_scale_asked():
    x = torch.zeros(400, 50)
    assert float(jitter_features(x, 0.2, generator()).std()) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_dropped_edges_leave_a_symmetric_part(adjacency, share):
    part = drop_edges(adjacency, share, np.random.default_rng(0))
    assert (part != part.T).nnz == 0
    assert not (part - adjacency.multiply(part)).nnz
    assert part.nnz / adjacency.nnz == pytest.approx(1 - share, abs=0.05)


def test_the_same_seed_gives_the_same_view(adjacency):
    x = torch.ones(20, 5)
    assert torch.equal(mask_features(x, 0.5, generator(1)), mask_features(x, 0.5, generator(1)))
    assert not torch.equal(mask_features(x, 0.5, generator(1)), mask_features(x, 0.5, generator(2)))
    one, two = (drop_edges(adjacency, 0.5, np.random.default_rng(s)) for s in (0, 1))
    assert (one != two).nnz


def test_dropped_nodes_lose_all_their_edges(adjacency):
    part, stays = drop_nodes(adjacency, 0.3, np.random.default_rng(0))
    assert stays.mean() == pytest.approx(0.7, abs=0.08)
    expected = adjacency.toarray() * np.outer(stays, stays)
    np.testing.assert_array_equal(part.toarray(), expected)
    assert drop_nodes(adjacency, 0.0, np.random.default_rng(0))[0] is adjacency
