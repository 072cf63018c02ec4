"""Cells and graphs go into an AnnData and come back the same, through files too."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from cellgraph_clr import read, validate, write
from cellgraph_clr._core.errors import CellGraphError, NoGraphError, ShapeError
from cellgraph_clr.adata.reading import adjacency_of, graph_from_anndata, graph_keys, table_from_anndata
from cellgraph_clr.adata.writing import anndata_of, write_graph, write_graph_columns
from cellgraph_clr.cells.table import CellTable, FeatureInfo
from cellgraph_clr.graphs.graph import CellGraph

INFO = (FeatureInfo("volume", "shape", "", "micrometer^3"), FeatureInfo("dapi_mean", "intensity", "dapi", "1"))


@pytest.fixture
def cells(rng):
    ids, sample = np.array([40, 7, 2**40, 7]), np.array(["a", "a", "a", "b"])
    position, features = rng.random((4, 3)), rng.normal(size=(4, 2))
    return CellTable.build(ids, position, unit="micrometer", features=features, info=INFO, sample=sample)


@pytest.fixture
def graph(cells):
    edges = np.array([[0, 1], [0, 2]])
    return CellGraph.from_pairs(cells, edges, {"length": [1.0, 0.0], "contact_area": [3.0, 4.0]})


@pytest.fixture(params=[".h5ad", ".zarr", ""])
def through_file(request, tmp_path):
    path = tmp_path / f"cells{request.param}"
    return (lambda adata: read(write(adata, path))) if request.param else (lambda adata: adata)


def written(cells):
    adata = anndata_of(cells, library_id=None, region="cells")
    adata.obs["library_id"] = cells.sample.astype(object)
    return adata


def test_cells_come_back(cells, through_file):
    back = table_from_anndata(through_file(written(cells)))
    for name in ("cell_id", "sample", "frame", "features"):
        np.testing.assert_array_equal(getattr(back, name), getattr(cells, name))
    np.testing.assert_allclose(back.position, cells.position, rtol=1e-6)
    assert back.info == cells.info
    assert back.unit == "micrometer"


def test_positions_are_x_y_z_in_anndata_and_rows_have_names(cells):
    adata = written(cells)
    np.testing.assert_allclose(adata.obsm["spatial"], cells.position[:, ::-1])
    assert adata.obs_names.tolist() == ["a-40", "a-7", f"a-{2**40}", "b-7"]
    assert validate(adata) == []
    alone = anndata_of(cells.select(np.arange(3)), library_id="a", region="a")
    assert alone.obs["library_id"].tolist() == ["a"] * 3
    assert alone.obs["region"].tolist() == ["a"] * 3
    assert alone.uns["spatialdata_attrs"] == {"region": "a", "region_key": "region", "instance_key": "cell_id"}


def test_graphs_come_back(cells, graph, through_file):
    adata = written(cells)
    keys = write_graph(adata, graph, key_added="near", params={"method": "hand"})
    assert keys[-2:] == ["uns['near_neighbors']", "obs['near_n_neighbors']"]
    adata = through_file(adata)
    back = graph_from_anndata(adata, neighbors_key="near")
    np.testing.assert_array_equal(back.edges, graph.edges)
    assert set(back.edge_features) == {"length", "contact_area"}
    for name, values in graph.edge_features.items():
        np.testing.assert_array_equal(back.edge_features[name], values)
    assert adata.uns["near_neighbors"]["params"] == {"method": "hand", "unit": "micrometer"}
    assert adata.obs["near_n_neighbors"].tolist() == [2, 1, 1, 0]
    assert "n_neighbors" not in adata.obs
    with pytest.raises(NoGraphError, match=r"spatial_connectivities.*cgc.gr.contact_graph\(adata\)"):
        graph_keys(adata)


def test_nothing_of_an_older_graph_stays(cells, graph):
    adata = written(cells)
    write_graph(adata, graph, key_added="spatial", params={})
    write_graph_columns(adata, "spatial", {"n_neighbors": np.ones(4), "contact_fraction": np.ones(4)})
    adata.obs["mine"] = 7
    plain = CellGraph.from_pairs(cells, graph.edges[:1])
    write_graph(adata, plain, key_added="spatial", params={})
    assert set(graph_keys(adata)) == {"connectivities", "distances"}
    assert "contact_fraction" not in adata.obs
    assert adata.obs["n_neighbors"].tolist() == [1, 1, 0, 0]
    assert adata.obs["mine"].tolist() == [7] * 4
    with pytest.raises(ShapeError, match="a graph of 3 cells, found 4"):
        write_graph(adata[:3].copy(), graph, key_added="spatial", params={})


def test_columns_of_a_user_are_left_alone(cells, graph, through_file):
    adata = written(cells)
    adata.obs["n_neighbors"] = list("wxyz")
    with pytest.warns(UserWarning, match="obs columns n_neighbors are not of this graph and stay"):
        write_graph(adata, graph, key_added="spatial", params={})
    assert adata.obs["n_neighbors"].tolist() == list("wxyz")
    write_graph(adata, graph, key_added="other", params={})
    back = through_file(adata)
    write_graph(back, graph, key_added="other", params={})  # its own, which it may write over
    assert back.obs["other_n_neighbors"].tolist() == [2, 1, 1, 0]


def test_edges_between_samples_are_refused(cells):
    adata = written(cells)
    adata.obsp["spatial_connectivities"] = csr_matrix(([1.0], ([3], [2])), shape=(4, 4))
    with pytest.raises(CellGraphError, match="within samples, found 1 between them"):
        adjacency_of(adata)


def test_an_edge_in_either_direction_counts_and_stored_zeros_do_not(cells):
    adata = written(cells)
    adata.obsp["spatial_connectivities"] = csr_matrix(([1.0, 0.0, 5.0], ([1, 0, 3], [0, 2, 2])), shape=(4, 4))
    adata.obs["library_id"] = "a"
    expected = np.zeros((4, 4))
    expected[[0, 1, 2, 3], [1, 0, 3, 2]] = 1
    np.testing.assert_array_equal(adjacency_of(adata).toarray(), expected)
    assert adjacency_of(adata, weights="spatial_connectivities")[3, 2] == 5
