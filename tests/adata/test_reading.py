"""What is stored of edges is read as it is: distances between surfaces, zeros, overlaps."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix, csr_matrix

from cellgraph_clr import LabelImage, from_labels, gr, tl
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, NonFiniteError, ShapeError
from cellgraph_clr.adata.reading import (
    adjacency_of,
    graph_from_anndata,
    raw_values,
    read_features,
    read_numbers,
    table_from_anndata,
)
from cellgraph_clr.graphs.graph import stored_values


@pytest.fixture
def row():
    """Four cells in a row: two that touch, and gaps of 3 and 5 pixels."""
    labels = np.zeros((8, 40), int)
    labels[2:6, 1:6], labels[2:6, 6:11], labels[2:6, 13:18], labels[2:6, 22:27] = 1, 2, 3, 4
    return LabelImage.build(labels)


def lengths(adata, key="spatial"):
    graph = graph_from_anndata(adata, neighbors_key=key)
    return {tuple(e): float(v) for e, v in zip(graph.edges.tolist(), graph.edge_features["length"], strict=True)}


def test_distances_between_surfaces_are_read_back(row, tmp_path):
    adata = from_labels(row)
    gr.radius_graph(adata, radius=5.0, distance="surface", labels=row, key_added="near")
    gr.delaunay_graph(adata, max_distance=None, degenerate="jitter", key_added="all")
    stored = {(0, 1): 0.0, (1, 2): 3.0, (2, 3): 5.0}
    assert lengths(adata, "near") == stored
    gr.intersect_graphs(adata, "near", "all")
    assert lengths(adata) == stored
    assert adata.obsp["spatial_distances"].nnz == 6  # zeros are stored
    adata.write_h5ad(tmp_path / "cells.h5ad")
    assert lengths(ad.read_h5ad(tmp_path / "cells.h5ad")) == stored
    assert lengths(adata[[2, 0, 1]].copy()) == {(1, 2): 0.0, (0, 2): 3.0}


def test_an_edge_without_a_stored_distance_has_that_of_its_positions(row):
    adata = from_labels(row)
    with pytest.warns(UserWarning, match="2 of 4 cells touch no other cell. Background about 4 px wide"):
        gr.contact_graph(adata)
    gr.radius_graph(adata, radius=5.0, distance="surface", labels=row)
    del adata.obsp["spatial_distances"]
    apart = lengths(adata)
    assert apart == {(0, 1): 5.0, (1, 2): 7.0, (2, 3): 9.0}
    adata.obsp["spatial_distances"] = csr_matrix(([0.5], ([2], [1])), shape=(4, 4))
    assert lengths(adata) == {**apart, (1, 2): 0.5}


def test_isolates_leave_the_distances_of_others_alone(row):
    adata = from_labels(row)
    gr.radius_graph(adata, radius=3.0, distance="surface", labels=row, isolates="nearest")
    assert lengths(adata) == {(0, 1): 0.0, (1, 2): 3.0, (2, 3): 9.0}


def test_overlaps_are_read_back():
    frames = np.zeros((3, 12, 12), int)
    for t in range(3):
        frames[t, 2:6, 2 + t : 6 + t] = 1
        frames[t, 8:11, 2:6] = 4
    adata = ad.concat([from_labels(f, spacing=(1.0, 1.0)) for f in frames], index_unique="-")
    adata.obs["frame"] = np.repeat(np.arange(3), 2)
    gr.temporal_graph(adata, labels=frames)
    graph = graph_from_anndata(adata, neighbors_key="temporal")
    assert graph.edges.tolist() == [[0, 2], [1, 3], [2, 4], [3, 5]]
    np.testing.assert_allclose(graph.edge_features["overlap"], [0.6, 1, 0.6, 1])
    gr.intersect_graphs(adata, "temporal", "temporal", key_added="both")
    assert (adata.obsp["both_overlap"] != adata.obsp["temporal_overlap"]).nnz == 0


def test_values_are_those_of_either_direction():
    edges, missing = np.array([[0, 1], [0, 2], [1, 2], [1, 3]]), np.full(4, 9.0)
    entries = ([0, 1, 2, 2, 2], ([0, 0, 2, 1, 1], [1, 2, 0, 2, 2]))
    matrix = coo_matrix(entries, shape=(4, 4))
    for form in (matrix, matrix.tocsc(), csr_matrix(matrix)):
        assert stored_values(form, edges, missing).tolist() == [0.0, 1.0, 4.0, 9.0]
    assert stored_values(csr_matrix((4, 4)), edges, missing).tolist() == missing.tolist()
    assert stored_values(matrix, edges[:0], missing[:0]).tolist() == []


def test_features_that_are_no_numbers_or_no_matrix_are_named(row):
    adata = from_labels(row)
    adata.obsm["text"] = pd.DataFrame([["a"]] * 4, index=adata.obs_names)
    adata.obsm["cube"] = np.zeros((4, 2, 2))
    adata.obsm["waves"] = np.ones((4, 2)) * 1j
    for key, error in (("text", CellGraphError), ("waves", CellGraphError), ("cube", ShapeError)):
        with pytest.raises(error, match=rf"features .*obsm\['{key}'\]"):
            read_features(adata, key)


def test_features_keep_their_dtype_until_they_are_narrowed(row):
    adata = from_labels(row)
    adata.obsm["far"] = 1e9 + np.linspace(0, 1, 4)[:, None]
    assert read_numbers(adata, "far")[0].dtype == np.float64
    with pytest.warns(UserWarning, match="several that differ in far_0"):
        assert read_features(adata, "far")[0].dtype == np.float32


@pytest.mark.parametrize("sparse", [False, True])
def test_features_on_disk_are_read(row, tmp_path, sparse):
    adata = from_labels(row)
    expected = adata.X.copy()
    adata.X = csr_matrix(expected) if sparse else expected
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    np.testing.assert_array_equal(read_features(backed, None)[0], expected)
    np.testing.assert_array_equal(raw_values(backed, "area")[0], expected[:, 0])
    gr.knn_graph(backed, n_neighbors=2)
    backed.file.close()


def test_ids_and_names_that_repeat_or_are_no_numbers_are_named(row):
    adata = from_labels(row)
    adata.obs["cell_id"] = adata.obs["cell_id"].astype(float)
    assert table_from_anndata(adata).cell_id.tolist() == [1, 2, 3, 4]
    adata.obs["cell_id"] += 0.5
    with pytest.raises(CellGraphError, match=r"whole numbers in obs\['cell_id'\], found 1.5"):
        table_from_anndata(adata)
    adata.var_names = ["f"] * adata.n_vars
    with pytest.raises(CellGraphError, match="one feature 'f'"):
        raw_values(adata, "f")


def test_a_representation_without_columns_is_named(row):
    adata = from_labels(row)
    adata.obsm["none"] = np.zeros((4, 0))
    with pytest.raises(MissingKeyError, match=r"features in obsm\['none'\], found no columns"):
        read_features(adata, "none")


@pytest.mark.parametrize("slot", ["distances", "contact_area"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named_with_its_cells(row, slot, value):
    adata = from_labels(row)
    gr.contact_graph(adata, row, max_gap=6.0)
    adata.obs_names = list("abcd")
    adata.obsp[f"spatial_{slot}"] = csr_matrix(adata.obsp[f"spatial_{slot}"], dtype=float)
    stored = adata.obsp[f"spatial_{slot}"].tolil()
    stored[1, 2] = stored[2, 1] = value
    adata.obsp[f"spatial_{slot}"] = stored.tocsr()
    text = rf"in `adata.obsp\['spatial_{slot}'\]`, found NaN or infinite ones at {{}} edges, between cells \(b, c\)"
    with pytest.raises(NonFiniteError, match=text.format("1 of 3")):
        graph_from_anndata(adata)
    for weights in (slot, f"spatial_{slot}"):
        with pytest.raises(NonFiniteError, match=text.format("2 of .")):
            gr.aggregate_neighbors(adata, weights=weights)
        with pytest.raises(NonFiniteError, match=text.format("2 of .")):
            tl.morpho_context(adata, use_rep="X", weights=weights)
    assert adjacency_of(adata).nnz == 6
