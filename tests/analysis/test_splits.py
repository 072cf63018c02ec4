"""Splits: shares, whole groups, buffers that keep the test out of sight."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis import splits
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.proximity import knn


def test_every_class_gives_its_share(rng):
    codes = np.repeat([-1, 0, 1, 2], [40, 100, 20, 4])
    part = splits.split_cells(codes, 0.25, rng)
    for code, n in ((-1, 10), (0, 25), (1, 5), (2, 1)):
        assert (part[codes == code] == splits.TEST).sum() == n


def test_groups_stay_whole(rng):
    names = np.repeat(list("abcdefgh"), rng.integers(5, 50, 8))
    part = splits.split_groups(names, 0.3, rng)
    assert all(len(np.unique(part[names == n])) == 1 for n in "abcdefgh")
    assert 0.1 < (part == splits.TEST).mean() < 0.5
    two = splits.split_groups(np.array(["a"] * 99 + ["b"]), 0.01, rng)
    assert {splits.TRAIN, splits.TEST} == set(two.tolist())
    with pytest.raises(OptionError, match="two samples or more, to split by library, found 1"):
        splits.split_groups(np.array(["a", "a"]), 0.5, rng)


def test_blocks_are_even_and_compact(rng):
    position = rng.random((1000, 2)) * [4, 1]
    block = splits.blocks(position, 16)
    count = np.bincount(block)
    assert len(count) == 16
    assert count.max() - count.min() <= 2
    assert max(np.ptp(position[block == b], axis=0).max() for b in range(16)) < 0.9
    assert len(np.unique(splits.blocks(position[:3], 10))) == 3


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_no_path_of_the_buffer_leads_from_training_to_test(rng, hops):
    position = rng.random((800, 2))
    adjacency = knn(CellTable.build(np.arange(800), position, unit="pixel"), n_neighbors=5).graph().adjacency()
    part = splits.split_blocks(position, adjacency, test_size=0.25, n_blocks=16, buffer_hops=hops, rng=rng)
    reach = csr_matrix((800, 800))
    step = csr_matrix(np.eye(800))
    for _ in range(hops):
        step = step @ adjacency
        reach = reach + step
    assert reach[part == splits.TRAIN][:, part == splits.TEST].nnz == 0
    assert (part == splits.TEST).mean() == pytest.approx(0.25, abs=0.05)
    assert (part == splits.BUFFER).any() == (hops > 0)


def test_a_buffer_ends_where_the_tissue_does(rng):
    position = rng.random((60, 2))
    adjacency = knn(CellTable.build(np.arange(60), position, unit="pixel"), n_neighbors=5).graph().adjacency()
    part = splits.split_blocks(position, adjacency, test_size=0.25, n_blocks=4, buffer_hops=10**9, rng=rng)
    assert set(part) == {splits.TEST, splits.BUFFER}


def test_a_single_cell_is_for_training(rng):
    part = splits.split_blocks(np.zeros((1, 2)), csr_matrix((1, 1)), test_size=0.5, n_blocks=4, buffer_hops=1, rng=rng)
    assert part.tolist() == [splits.TRAIN]
    with pytest.raises(OptionError, match="`n_blocks`"):
        splits.split_blocks(np.zeros((5, 2)), csr_matrix((5, 5)), test_size=0.5, n_blocks=1, buffer_hops=1, rng=rng)


def test_groups_of_any_size_hold_the_share_of_cells(rng):
    """Off by half of the largest group at the most, however uneven they are."""
    count = np.array([200, 150, 20, 20, 10, 5, 5, 2, 1, 1])
    names = np.repeat(np.arange(10), count)
    for _ in range(40):
        for share in (0.2, 0.5, 0.7):
            n_test = (splits.split_groups(names, share, rng) == splits.TEST).sum()
            assert abs(n_test - share * len(names)) <= count.max() / 2


def test_every_cell_is_drawn_as_often_as_any_other(rng):
    codes = np.repeat([0, 1], [20, 8])
    draws = np.mean([splits.split_cells(codes, 0.25, rng) == splits.TEST for _ in range(600)], axis=0)
    np.testing.assert_allclose(draws, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 600))
