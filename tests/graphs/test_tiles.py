"""Tiles: the curve visits everything once and stays local; halos are complete."""

import numpy as np
import pytest

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.proximity import knn
from cellgraph_clr.graphs.tiles import curve_order, halo


@pytest.fixture(params=[2, 3])
def cells(request):
    rng = np.random.default_rng(0)
    sample = np.array(["a", "b"])[rng.integers(0, 2, 400)]
    return CellTable.build(np.arange(400), rng.random((400, request.param)), unit="pixel", sample=sample)


def test_the_curve_is_a_local_permutation(cells):
    order = curve_order(cells)
    assert sorted(order.tolist()) == list(range(400))
    step = np.linalg.norm(np.diff(cells.position[order], axis=0), axis=1).mean()
    assert step < 0.5 * np.linalg.norm(np.diff(cells.position, axis=0), axis=1).mean()


@pytest.mark.parametrize("n_hops", [0, 1, 2])
def test_the_halo_holds_all_cells_within_reach(cells, n_hops):
    adjacency = knn(cells, n_neighbors=4).graph().adjacency()
    core = np.array([7, 3, 250])
    part = halo(adjacency, core, n_hops)
    reach = set(core.tolist())
    for _ in range(n_hops):
        reach |= {int(j) for i in reach for j in adjacency[i].indices}
    assert part.rows.tolist() == sorted(reach)
    assert part.rows[part.core].tolist() == core.tolist()
    assert (part.adjacency != adjacency[part.rows][:, part.rows]).nnz == 0
