"""Batches visit every cell; a batch is a function of seed and step."""

import numpy as np
import pytest

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.models.cell_graph import batches as module
from cellgraph_clr.models.cell_graph.batches import AnchorBatches


@pytest.fixture(params=[True, False], ids=["tiled", "whole"])
def tiled(request, monkeypatch):
    monkeypatch.setattr(module, "FULL_GRAPH_CELLS", 500 if request.param else 2000)
    return request.param


@pytest.mark.usefixtures("tiled")
def test_every_cell_is_visited_about_equally_often(rng):
    cells = CellTable.build(np.arange(1000), rng.random((1000, 2)), unit="pixel")
    visits = np.zeros(1000)
    batches = AnchorBatches(cells, batch_size=128, seed=0)
    for step in range(80):
        batch = batches(step)
        assert len(np.unique(batch)) == len(batch)
        assert len(batch) <= 128
        visits[batch] += 1
    assert visits.min() >= 6
    assert visits.max() <= 14


@pytest.mark.usefixtures("tiled")
def test_a_batch_depends_on_seed_and_step_alone(rng):
    cells = CellTable.build(np.arange(1000), rng.random((1000, 2)), unit="pixel")
    one, other, third = (AnchorBatches(cells, batch_size=128, seed=s) for s in (0, 0, 1))
    forwards = [one(step) for step in range(20)]
    for step in reversed(range(20)):
        np.testing.assert_array_equal(other(step), forwards[step])
    assert not all(np.array_equal(third(step), forwards[step]) for step in range(20))


def test_tiles_are_compact(rng, monkeypatch):
    monkeypatch.setattr(module, "FULL_GRAPH_CELLS", 500)
    cells = CellTable.build(np.arange(1000), rng.random((1000, 2)), unit="pixel")
    batch = AnchorBatches(cells, batch_size=160, seed=0)(0)
    inside = np.zeros(1000, bool)
    inside[batch] = True
    from scipy.spatial import cKDTree

    near = cKDTree(cells.position).query(cells.position[batch], 5)[1][:, 1:]
    assert inside[near].mean() > 0.4  # by chance 0.16
