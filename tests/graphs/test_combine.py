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


def test_features_of_the_intersection_are_those_of_their_edges(rng):
    n = 12
    cells = CellTable.build(np.arange(n), rng.random((n, 2)), unit="pixel")
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    value = {tuple(e): v for e, v in zip(pairs.tolist(), rng.random(len(pairs)).astype(np.float32), strict=True)}

    def some(name, share):
        chosen = pairs[rng.random(len(pairs)) < share]
        return CellGraph.from_pairs(cells, chosen, {name: np.array([value[tuple(e)] for e in chosen.tolist()])})

    a, b = some("first", 0.7), some("second", 0.5)
    both = intersection(a, b)
    common = sorted(set(map(tuple, a.edges.tolist())) & set(map(tuple, b.edges.tolist())))
    assert list(map(tuple, both.edges.tolist())) == common
    for name in ("first", "second"):
        assert both.edge_features[name].tolist() == [value[e] for e in common]


def test_isolates_at_the_place_of_others_are_joined_to_them():
    position = np.array([[0, 0], [0, 1], [5, 5], [5, 5], [5, 5], [0, 1]])
    cells = CellTable.build(np.arange(6), position, unit="pixel")
    joined = with_isolates(CellGraph.from_pairs(cells, np.array([[0, 1]])), "nearest")
    edges = set(map(tuple, joined.edges.tolist()))
    assert {(0, 1), (1, 5)} <= edges
    assert (np.bincount(joined.edges.ravel(), minlength=6) > 0).all()
    new = np.flatnonzero((joined.edges != [0, 1]).any(1))
    assert not joined.edge_features["length"][new].any()


@pytest.mark.parametrize("doubles_first", [True, False])
def test_a_cell_is_not_its_own_nearest(doubles_first, rng):
    """Every cell has a double at its place that has no edge, in the rows ahead or behind."""
    position = np.tile(rng.random((40, 2)), (2, 1))
    chain = np.stack([np.arange(39), np.arange(1, 40)], axis=1) + (40 if doubles_first else 0)
    cells = CellTable.build(np.arange(80), position, unit="pixel")
    joined = with_isolates(CellGraph.from_pairs(cells, chain), "nearest")
    assert {(i, i + 40) for i in range(40)} <= set(map(tuple, joined.edges.tolist()))
    assert len(joined.edges) == 39 + 40
