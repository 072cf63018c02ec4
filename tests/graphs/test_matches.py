"""Matches between frames: against brute force, and the laws they keep."""

from dataclasses import replace

import numpy as np
import pytest

from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.matches import Matches, consecutive, match_masks, match_nearest, match_tracks

NONE = Matches(np.zeros((0, 2), np.int64), np.zeros(0))


def blobs(ndim, n_frames=4, seed=0):
    """Return labels (t, …) of random boxes with new ids in every frame, and their cells."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((n_frames, *(20,) * ndim), int)
    rows = []
    for t in range(n_frames):
        for cell in rng.permutation(50)[:9] + 1:
            low = rng.integers(0, 15, ndim)
            labels[(t, *(slice(a, a + rng.integers(3, 7)) for a in low))] = cell
        rows += [(t, i, *(np.mean(np.nonzero(labels[t] == i), axis=1))) for i in np.unique(labels[t])[1:]]
    found = np.array(rows)
    cells = CellTable.build(found[:, 1].astype(int), found[:, 2:], unit="pixel", frame=found[:, 0].astype(int))
    return labels, cells


def pairs_of(cells, matches):
    frame, ids = cells.frame, cells.cell_id
    return {(frame[a], ids[a], frame[b], ids[b]): s for (a, b), s in zip(matches.pairs, matches.overlap, strict=True)}


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("least", [0.0, 0.1])
def test_masks_match_as_a_loop_finds(ndim, least):
    labels, cells = blobs(ndim)
    found, voxels = match_masks(cells, labels, min_overlap=least)
    by_hand = {}
    for t in range(len(labels) - 1):
        for a in np.unique(labels[t])[1:]:
            for b in np.unique(labels[t + 1])[1:]:
                one, other = labels[t] == a, labels[t + 1] == b
                share = (one & other).sum() / (one | other).sum()
                if share > 0 and share >= least:
                    by_hand[t, a, t + 1, b] = share
    assert pairs_of(cells, found) == pytest.approx(by_hand)
    assert len(by_hand) > 2
    np.testing.assert_array_equal(
        voxels, [(labels[t] == i).sum() for t, i in zip(cells.frame, cells.cell_id, strict=True)]
    )


def test_cells_without_an_overlap_are_matched_with_the_nearest_in_its_lengths():
    labels, cells = blobs(2, seed=3)
    found, size = match_masks(cells, labels)
    both = match_nearest(cells, found, size=size)
    assert len(both.pairs) > len(found.pairs)
    by_hand = set()
    for side, step in ((0, 1), (1, -1)):
        for r in set(range(len(cells))) - set(found.pairs[:, side].tolist()):
            others = np.flatnonzero(cells.frame == cells.frame[r] + step)
            if len(others):
                apart = np.linalg.norm(cells.position[others] - cells.position[r], axis=1) / size[others] ** 0.5
                pair = (r, int(others[apart.argmin()]))
                by_hand.add(pair if side == 0 else pair[::-1])
    added = both.pairs[len(found.pairs) :]
    assert set(map(tuple, added.tolist())) == by_hand
    assert (both.overlap[len(found.pairs) :] == 0).all()


def test_samples_and_gaps_are_not_matched():
    cells = CellTable.build(
        np.arange(1, 7),
        np.zeros((6, 2)) + np.arange(6)[:, None],
        unit="pixel",
        frame=np.array([0, 1, 3, 4, 1, 2]),
        sample=np.array(["a", "a", "a", "a", "b", "b"]),
    )
    assert [(a.tolist(), b.tolist()) for a, b in consecutive(cells)] == [([0], [1]), ([2], [3]), ([4], [5])]
    assert match_nearest(cells, NONE).pairs.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert consecutive(cells.select(np.zeros(0, int))) == []


def test_tracks_match_without_bridging_gaps():
    cells = CellTable.build(
        np.arange(1, 7), np.zeros((6, 2)) + np.arange(6)[:, None], unit="pixel", frame=np.array([1, 0, 3, 2, 2, 4])
    )
    track = np.array([1, 1, 1, 5, 6, 0])
    found = match_tracks(cells, track, parents={5: 1})
    assert found.pairs.tolist() == [[1, 0]]  # 5 begins before 1 ends; frames 1 to 3 are a gap
    ends = np.array([1, 1, 0, 5, 6, 0])
    assert sorted(match_tracks(cells, ends, parents={5: 1, 6: 1}).pairs.tolist()) == [[0, 3], [0, 4], [1, 0]]


def test_what_is_refused():
    labels, cells = blobs(2)
    with pytest.raises(ShapeError, match="labels of all frames"):
        match_masks(cells, labels[:-1])
    with pytest.raises(ShapeError, match="labels of all frames"):
        match_masks(replace(cells, frame=cells.frame - 1), labels)
    with pytest.raises(ShapeError, match="a mask of every cell of frame 0"):
        match_masks(cells, labels[::-1])
    with pytest.raises(ShapeError, match="one shape"):
        match_masks(cells, [*labels[:-1], labels[-1][:, 1:]])
    with pytest.raises(OptionError, match="min_overlap"):
        match_masks(cells, labels, min_overlap=1.5)
