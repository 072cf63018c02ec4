"""Common edges of two graphs, and what happens to cells without any."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import GeometryError, OptionError, ShapeError
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.combine import intersection, with_isolates
from cellgraph_clr.graphs.graph import CellGraph

CELLS = CellTable.build(
    [3, 5, 7, 9], [[0, 0], [0, 1], [0, 3], [9, 9]], unit="pixel", sample=np.array(["a"] * 3 + ["b"])
)


def graph(*edges, **features):
    return CellGraph.from_pairs(CELLS, np.array(edges, int).reshape(-1, 2), features)


def test_intersection_keeps_common_edges_and_all_features():
    a = graph((0, 1), (1, 2), contact_area=np.array([4.0, 5.0]))
    b = graph((1, 2), (0, 2), overlap=np.array([0.25, 0.5]))
    both = intersection(a, b)
    assert both.edges.tolist() == [[1, 2]]
    assert {k: v.tolist() for k, v in both.edge_features.items()} == {
        "length": [2.0],
        "contact_area": [5.0],
        "overlap": [0.25],
    }
    assert len(intersection(a, graph()).edges) == 0


def test_intersection_refuses_other_cells():
    other = CellTable.build([1, 2], [[0, 0], [1, 1]], unit="pixel")
    with pytest.raises(ShapeError, match="same cells"):
        intersection(graph((0, 1)), CellGraph.from_pairs(other, np.array([[0, 1]])))


def test_isolates_are_kept_joined_or_refused():
    lonely = graph((0, 1), contact_area=np.array([2.0]))
    assert with_isolates(lonely, "keep") is lonely
    joined = with_isolates(lonely, "nearest")
    assert joined.edges.tolist() == [[0, 1], [1, 2]]  # the last cell is alone in its sample
    assert joined.edge_features["contact_area"].tolist() == [2.0, 0.0]
    assert joined.edge_features["length"].tolist() == [1.0, 2.0]
    with pytest.raises(GeometryError, match=r"2 cells without \(ids 7, 9\)"):
        with_isolates(lonely, "raise")
    with pytest.raises(OptionError, match="isolates"):
        with_isolates(lonely, "drop")
