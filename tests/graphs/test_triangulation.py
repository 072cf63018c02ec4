import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.triangulation import delaunay


def test_cells_apart_by_rounding_only_stay_connected(rng):
    position = rng.random((50, 2)) * 1000
    position = np.concatenate([position, position[:3] + 5e-13])
    graph, _ = delaunay(CellTable.build(np.arange(53), position, unit="pixel"), max_distance=None)
    assert (np.bincount(graph.edges.ravel(), minlength=53) > 0).all()


@pytest.mark.parametrize("seed", [507, 872, 948])
def test_points_that_qhull_does_not_even_name_stay_connected(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(20, 200)), int(rng.integers(2, 4))
    offset = 10.0 ** rng.integers(-3, 9) * (rng.random(d) > 0.5)
    grid = rng.random((n, d)) if seed % 3 else rng.integers(0, 8, (n, d)).astype(float)
    k, rounding = int(rng.integers(1, n)), 10.0 ** -rng.integers(6, 17)
    position = (
        np.concatenate([grid, grid[:k] + rounding * rng.normal(size=(k, d))]) * 10.0 ** rng.integers(-6, 6) + offset
    )
    graph, _ = delaunay(CellTable.build(np.arange(len(position)), position, unit="pixel"), max_distance=None)
    assert connected_components(graph.adjacency(), directed=False)[0] == 1
