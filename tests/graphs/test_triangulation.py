import numpy as np

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.triangulation import delaunay


def test_cells_apart_by_rounding_only_stay_connected(rng):
    position = rng.random((50, 2)) * 1000
    position = np.concatenate([position, position[:3] + 5e-13])
    graph, _ = delaunay(CellTable.build(np.arange(53), position, unit="pixel"), max_distance=None)
    assert (np.bincount(graph.edges.ravel(), minlength=53) > 0).all()
