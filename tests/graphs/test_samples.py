"""Groups of cells that may share edges: those of one sample and one frame."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_matrix, triu

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.proximity import knn
from cellgraph_clr.graphs.samples import edges_per_sample, group_rows, n_crossing


@pytest.fixture
def images(rng):
    return np.array(["b", "", "a"])[rng.integers(0, 3, 60)], rng.integers(8, 11, 60)


def test_groups_are_images_in_order(images):
    samples, frames = images
    found = group_rows(samples, frames)
    expected = sorted({(s, int(f)) for s, f in zip(samples, frames, strict=True)})
    assert [(g.sample, g.frame) for g in found] == expected
    for g in found:
        assert g.rows.tolist() == np.flatnonzero((samples == g.sample) & (frames == g.frame)).tolist()
        assert g.name == (f"{g.sample}/" if g.sample else "") + f"frame_{g.frame:02d}"
    assert group_rows(samples[:0], frames[:0]) == []
    assert [g.name for g in group_rows(np.array(["x", "y", "y"]), np.array([0, 3, 3]))] == ["x", "y"]


def test_edges_of_images_are_by_rows_of_the_table(images, rng):
    samples, frames = images
    cells = CellTable.build(np.arange(60), rng.random((60, 2)), unit="pixel", sample=samples, frame=frames)

    def chain(position, name):
        local = np.stack([np.arange(len(position) - 1), np.arange(1, len(position))], axis=1)
        return local, np.linalg.norm(position[1:] - position[:-1], axis=1)

    edges, features = edges_per_sample(cells, chain)
    expected = []
    for s, f in sorted({(s, int(f)) for s, f in zip(samples, frames, strict=True)}):
        rows = np.flatnonzero((samples == s) & (frames == f)).tolist()
        expected += list(pairwise(rows))
    assert list(map(tuple, edges.tolist())) == expected
    apart = cells.position[edges[:, 0]] - cells.position[edges[:, 1]]
    np.testing.assert_allclose(features["length"], np.linalg.norm(apart, axis=1))


def test_no_edge_joins_two_frames(rng):
    frame = np.repeat([0, 1], 30)
    position = np.tile(rng.random((30, 2)), (2, 1))  # the same places again
    both = knn(CellTable.build(np.arange(60), position, unit="pixel", frame=frame), n_neighbors=3).graph().edges
    alone = knn(CellTable.build(np.arange(30), position[:30], unit="pixel"), n_neighbors=3).graph().edges
    assert both.tolist() == np.concatenate([alone, alone + 30]).tolist()


def test_edges_between_images_are_counted_once():
    matrix = csr_matrix(np.array([[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]]))
    assert n_crossing(matrix, np.array([0, 0, 0, 0])) == 0
    assert n_crossing(matrix, np.array([0, 0, 1, 1])) == 2
    assert n_crossing(triu(matrix), np.array([0, 0, 1, 1])) == 2
