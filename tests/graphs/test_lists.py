"""Neighbour lists: the matrices of the same edges, sample by sample, without sorting; refused sizes."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import MissingKeyError, ShapeError
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.combine import with_isolates
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.lists import NeighborLists
from cellgraph_clr.graphs.proximity import knn, radius

SEARCHES = {
    "knn": lambda c: knn(c, n_neighbors=3),
    "mutual": lambda c: knn(c, n_neighbors=3, mutual=True),
    "radius": lambda c: radius(c, radius=0.15),
}


def cells(rng, n, d=2, n_samples=1, n_frames=1, places=None):
    position = rng.random((n, d)) if places is None else rng.integers(places, size=(n, d)) / places
    sample = rng.integers(n_samples, size=n).astype(str)
    return CellTable.build(np.arange(n), position, unit="pixel", sample=sample, frame=rng.integers(n_frames, size=n))


def by_hand(table, search):
    """The edges and lengths of a search by all distances."""
    n = len(table)
    apart = np.linalg.norm(table.position[:, None] - table.position[None], axis=2)
    same = (table.sample[:, None] == table.sample) & (table.frame[:, None] == table.frame) & ~np.eye(n, dtype=bool)
    if search == "radius":
        return np.where(same & (apart <= 0.15), apart, np.nan)
    named = np.zeros((n, n), bool)
    for i in range(n):
        order = np.lexsort((np.arange(n), np.where(same[i], apart[i], np.inf)))
        named[i, [j for j in order[:3] if same[i, j]]] = True
    return np.where(named & named.T if search == "mutual" else named | named.T, apart, np.nan)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.filterwarnings("ignore:.*samples? .*ha(s|ve) fewer")
def test_matrices_are_those_of_all_distances_and_of_edges(search, seed):
    rng = np.random.default_rng(seed)
    table = cells(
        rng,
        int(rng.integers(1, 90)),
        d=2 + seed % 2,
        n_samples=1 + seed % 3,
        n_frames=1 + seed % 2,
        places=None if seed % 4 else 6,
    )
    lists = SEARCHES[search](table)
    ones, length = lists.adjacencies(None, "length")
    wanted = by_hand(table, search)
    found = np.full(wanted.shape, np.nan)
    found[length.nonzero() if (length.data > 0).all() else _stored(length)] = length.data
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    for ours, theirs in zip((ones, length), lists.graph().adjacencies(None, "length"), strict=True):
        for name in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
            assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    np.testing.assert_array_equal(lists.isolated(), lists.graph().isolated())
    np.testing.assert_array_equal(lists.isolated(), np.isnan(wanted).all(axis=1))


def _stored(matrix):
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices


def test_matrices_share_nothing():
    lists = radius(cells(np.random.default_rng(0), 50), radius=0.3)
    for found in (lists.adjacencies(None, "length"), lists.graph().adjacencies(None, "length", None)):
        for k, one in enumerate(found):
            for other in found[k + 1 :]:
                for name in ("indptr", "indices", "data"):
                    assert not np.shares_memory(getattr(one, name), getattr(other, name))


def test_isolated_cells_are_joined_where_wanted():
    table = CellTable.build(np.arange(4), np.array([[0.0, 0], [0, 1], [0, 9], [0, 2]]), unit="pixel")
    lists = radius(table, radius=1.5)
    assert lists.isolated().tolist() == [False, False, True, False]
    assert with_isolates(lists, "keep") is lists
    joined = with_isolates(lists, "nearest")
    assert isinstance(joined, CellGraph)
    assert joined.edges.tolist() == [[0, 1], [1, 3], [2, 3]]


def test_no_cells_give_no_edges():
    table = CellTable.build(np.zeros(0, int), np.zeros((0, 2)), unit="pixel")
    for search in SEARCHES.values():
        lists = search(table)
        assert [m.shape for m in lists.adjacencies(None, "length")] == [(0, 0)] * 2
        assert len(lists.graph().edges) == 0


def test_bad_input_is_named():
    table = cells(np.random.default_rng(0), 3)
    with pytest.raises(ShapeError, match="lists of 3 cells with 2 entries"):
        NeighborLists(table, np.array([0, 1, 2]), np.array([1, 0], np.int32), np.zeros(2, np.float32))
    with pytest.raises(ShapeError, match="lists of 3 cells with 2 entries"):
        NeighborLists(table, np.array([0, 1, 2, 2]), np.array([1, 0], np.int32), np.zeros(3, np.float32))
    with pytest.raises(MissingKeyError, match="area"):
        radius(table, radius=1.0).adjacencies("area")
