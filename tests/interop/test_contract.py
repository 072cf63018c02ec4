"""The interoperability contract, line by line: scanpy everywhere, squidpy and SpatialData where they are installed."""

import importlib.util
import warnings

import anndata as ad
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from cellgraph_clr import concat, from_labels, from_spatialdata, gr, read, to_napari, to_spatialdata, write
from cellgraph_clr.datasets import tissue

pytestmark = pytest.mark.filterwarnings("ignore")
squidpy = pytest.mark.skipif(importlib.util.find_spec("squidpy") is None, reason="`make interop` installs squidpy")
spatialdata = pytest.mark.skipif(importlib.util.find_spec("spatialdata") is None, reason="`make interop` installs it")


@pytest.fixture(scope="module", params=[2, 3], ids=["2D", "3D"])
def made(request):
    planted = tissue(250, ndim=request.param, random_state=0)
    adata = planted.adata()
    gr.contact_graph(adata)
    adata.obs["group"] = adata.obs["true_niche"]
    return adata, planted


@pytest.fixture
def adata(made):
    return made[0].copy()


@pytest.fixture
def labels(made):
    return made[1].image


def test_connectivities_are_binary_symmetric_csr_without_zeros(adata):
    matrix = adata.obsp["spatial_connectivities"]
    assert type(matrix) is csr_matrix
    assert matrix.dtype == np.float32
    assert set(matrix.data) == {1.0}
    assert (matrix != matrix.T).nnz == 0
    assert matrix.diagonal().sum() == 0
    assert matrix.nnz == adata.obsp["spatial_contact_area"].nnz == adata.obsp["spatial_distances"].nnz


def test_uns_survives_h5ad_and_zarr(adata, tmp_path):
    for name in ("a.h5ad", "a.zarr"):
        back = read(write(adata, tmp_path / name))
        assert back.uns["spatial_neighbors"]["params"]["method"] == "contact"
        gr.contact_graph(back)
        assert (back.obsp["spatial_connectivities"] != adata.obsp["spatial_connectivities"]).nnz == 0
        assert back.obs["cell_id"].tolist() == adata.obs["cell_id"].tolist()


def test_params_say_what_the_graph_is(adata):
    info = adata.uns["spatial_neighbors"]
    assert {"connectivities_key", "distances_key", "contact_area_key", "params"} <= set(info)
    params = info["params"]
    assert params["connectivity"] == (4 if adata.obsm["spatial"].shape[1] == 2 else 6)
    assert params["unit"] == "micrometer"
    assert isinstance(params["spacing"], list)


def test_label_columns_are_categories_without_nan(adata):
    for column in adata.obs.columns:
        if adata.obs[column].dtype == object:
            pytest.fail(f"obs[{column!r}] is text, not categorical")
        assert not adata.obs[column].isna().any()


def test_concat_keeps_graphs_that_anndata_drops(adata):
    assert not ad.concat({"a": adata, "b": adata}, index_unique="-").obsp
    both = concat({"a": adata, "b": adata})
    matrix = both.obsp["spatial_connectivities"]
    n = adata.n_obs
    assert matrix.nnz == 2 * adata.obsp["spatial_connectivities"].nnz
    assert matrix[:n, n:].nnz == 0


def test_scanpy_clusters_on_the_graph_and_embeds(adata):
    import scanpy as sc

    sc.tl.leiden(
        adata,
        adjacency=adata.obsp["spatial_connectivities"],
        flavor="igraph",
        n_iterations=2,
        directed=False,
        random_state=0,
    )
    assert adata.obs["leiden"].nunique() > 1
    sc.pp.neighbors(adata, n_neighbors=8, use_rep="X")
    sc.tl.umap(adata, maxiter=5)
    assert np.isfinite(adata.obsm["X_umap"]).all()


@squidpy
def test_squidpy_runs_on_it_in_2d_and_3d(adata):
    import squidpy as sq

    options = {"show_progress_bar": False}
    sq.gr.nhood_enrichment(adata, cluster_key="group", seed=0, **options)
    sq.gr.interaction_matrix(adata, cluster_key="group")
    sq.gr.centrality_scores(adata, cluster_key="group", **options)
    sq.gr.co_occurrence(adata, cluster_key="group", **options)
    sq.gr.spatial_autocorr(adata, mode="moran", genes=list(adata.var_names[:2]), **options)
    assert (np.diag(adata.uns["group_nhood_enrichment"]["zscore"]) > 2).all()
    assert np.isfinite(adata.uns["moranI"]["I"]).all()


@squidpy
def test_radius_and_delaunay_graphs_equal_squidpys(adata):
    import squidpy as sq

    radius = float(np.median(adata.obsp["spatial_distances"].data))
    theirs = adata.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sq.gr.spatial_neighbors(theirs, radius=radius, coord_type="generic", key_added="r")
        sq.gr.spatial_neighbors(theirs, delaunay=True, coord_type="generic", key_added="d")
    gr.radius_graph(adata, radius=radius, key_added="r")
    gr.delaunay_graph(adata, max_distance=None, key_added="d")
    for key in ("r", "d"):
        ours = adata.obsp[f"{key}_connectivities"].astype(bool)
        assert (ours != theirs.obsp[f"{key}_connectivities"].astype(bool)).nnz == 0
        difference = adata.obsp[f"{key}_distances"] - theirs.obsp[f"{key}_distances"]
        assert abs(difference).max() < 1e-4


@spatialdata
def test_spatialdata_round_trip(adata, labels, tmp_path):
    import spatialdata as sd

    made = to_spatialdata(adata, labels)
    made.write(tmp_path / "a.zarr")
    back = sd.read_zarr(tmp_path / "a.zarr")
    table = back.tables["table"]
    assert table.uns["spatialdata_attrs"]["instance_key"] == "cell_id"
    region = table.uns["spatialdata_attrs"]["region"]
    region = region if isinstance(region, str) else region[0]
    centroids = sd.get_centroids(back.labels[region]).compute()
    centroids = sd.transform(sd.get_centroids(back.labels[region]), to_coordinate_system="global").compute()
    ours = dict(zip(table.obs["cell_id"], np.asarray(table.obsm["spatial"]), strict=True))
    axes = ["x", "y", "z"][: adata.obsm["spatial"].shape[1]]
    for cell, row in centroids.loc[centroids.index != 0, axes].iterrows():
        np.testing.assert_allclose(ours[int(cell)], row.to_numpy(float), rtol=1e-4, atol=1e-3)
    image = from_spatialdata(back, region, unit="micrometer")
    again = from_labels(image)
    np.testing.assert_allclose(again.obsm["spatial"], table.obsm["spatial"], atol=1e-6)
    np.testing.assert_array_equal(again.obs["cell_id"], adata.obs["cell_id"])
    plain = from_labels(labels, features=("shape",))
    np.testing.assert_allclose(again[:, plain.var_names].X, plain.X, rtol=1e-5)


def test_napari_reads_the_row_of_a_label(adata, labels):
    _, options, _ = to_napari(adata, labels)
    assert options["features"]["index"].tolist() == adata.obs["cell_id"].tolist()
