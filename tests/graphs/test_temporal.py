"""Edges between frames from tracks, lineage and overlap."""

import numpy as np
import pytest

from cellgraph_clr import from_labels, gr
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, OptionError, ShapeError
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.graphs.temporal import from_overlap, from_tracks, overlaps


def table(ids, frames):
    return CellTable.build(ids, np.zeros((len(ids), 2)), unit="pixel", frame=np.array(frames))


def test_tracks_join_the_next_appearance_and_mothers_their_daughters():
    cells = table([1, 1, 2, 3, 1, 4], [0, 1, 2, 2, 4, 0])
    tracks = np.array([1, 1, 2, 3, 9, 0])
    graph = from_tracks(cells, tracks, parents={2: 1, 3: 1, 9: 3})
    assert graph.edges.tolist() == [[0, 1], [1, 2], [1, 3], [3, 4]]


@pytest.mark.parametrize("parents", [{"2": "1"}, {2: "1"}, {2: np.nan}, {2: 2}, {2: 1.5}, {2: 3, 3: 2}, {1: 2}])
def test_parents_that_cannot_be_are_named(parents):
    cells = table([1, 1, 2, 3], [0, 1, 2, 2])
    with pytest.raises(OptionError, match="`parents`"):
        from_tracks(cells, np.array([1, 1, 2, 3]), parents=parents)


def test_tracks_are_whole_numbers_and_those_that_are_not_known_are_none():
    cells = table([1, 1, 2], [0, 1, 1])
    assert from_tracks(cells, np.array([4.0, 4.0, np.nan]), parents={4: 0, 9: 8}).edges.tolist() == [[0, 1]]
    for tracks in (np.array([1.5, 1.5, 2.0]), np.array(["a", "a", "b"], object)):
        with pytest.raises(CellGraphError, match="whole numbers in the tracks"):
            from_tracks(cells, tracks)


def test_a_gap_in_a_track_is_bridged():
    assert from_tracks(table([1, 1], [0, 5]), np.array([1, 1])).edges.tolist() == [[0, 1]]


def test_a_track_has_one_cell_a_frame():
    with pytest.raises(ShapeError, match="two of track 1 in frame 0"):
        from_tracks(table([1, 2], [0, 0]), np.array([1, 1]))
    with pytest.raises(ShapeError, match="track ids"):
        from_tracks(table([1, 2], [0, 0]), np.array([1]))


def test_overlap_is_the_jaccard_index():
    a = np.array([[1, 1, 1, 0], [2, 2, 0, 0]])
    b = np.array([[5, 5, 0, 0], [5, 6, 6, 6]])
    pairs, share = overlaps(a, b)
    assert pairs.tolist() == [[1, 5], [2, 5], [2, 6]]
    np.testing.assert_allclose(share, [2 / 4, 1 / 4, 1 / 4])
    graph = from_overlap(table([1, 2, 5, 6], [0, 0, 1, 1]), [a, b], min_overlap=0.3)
    assert graph.edges.tolist() == [[0, 2]]
    assert graph.edge_features["overlap"].tolist() == [0.5]
    with pytest.raises(ShapeError, match="one shape"):
        overlaps(a, b[:1])
    with pytest.raises(ShapeError, match="labels of 2 frames, found 1"):
        from_overlap(table([1, 5], [0, 1]), [a])


def test_on_anndata():
    labels = np.zeros((3, 12, 12), int)
    for t in range(3):
        labels[t, 2:6, 2 + t : 6 + t] = 1
        labels[t, 8:11, 2:6] = 4
    frames = [from_labels(frame, spacing=(1.0, 1.0)) for frame in labels]
    import anndata as ad

    adata = ad.concat(frames, index_unique="-")
    with pytest.raises(MissingKeyError, match="frame"):
        gr.temporal_graph(adata, labels=labels)
    adata.obs["frame"] = np.repeat(np.arange(3), 2)
    gr.temporal_graph(adata, labels=labels)
    by_track = gr.temporal_graph(adata, tracks="cell_id", copy=True)
    assert (adata.obsp["temporal_connectivities"] != by_track.connectivities).nnz == 0
    assert adata.obsp["temporal_overlap"].max() == 1.0
    with pytest.raises(OptionError, match="either `tracks` or `labels`"):
        gr.temporal_graph(adata)
    adata.obs["track"] = adata.obs["cell_id"].to_numpy()  # as `from_movie` writes it
    own = gr.temporal_graph(adata, copy=True)
    assert (own.connectivities != by_track.connectivities).nnz == 0
