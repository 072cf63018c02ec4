"""Graph functions on AnnData: what they write, what `copy` returns, what they refuse."""

import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from cellgraph_clr import from_labels, gr, validate
from cellgraph_clr._core.errors import (
    GeometryError,
    MissingKeyError,
    NoCellsError,
    NoGraphError,
    NonFiniteError,
    OptionError,
)
from cellgraph_clr.adata.samples import sample_of

CALLS = {
    "contact": lambda a, **k: gr.contact_graph(a, **k),
    "delaunay": lambda a, **k: gr.delaunay_graph(a, **k),
    "knn": lambda a, **k: gr.knn_graph(a, n_neighbors=3, **k),
    "radius": lambda a, **k: gr.radius_graph(a, radius=15.0, **k),
}


@pytest.fixture(params=CALLS, ids=list(CALLS))
def call(request):
    return CALLS[request.param]


@pytest.fixture
def plain(any_tissue):
    return any_tissue.adata()


def test_squidpys_layout_is_written(call, plain):
    assert call(plain) is None
    matrix = plain.obsp["spatial_connectivities"]
    assert type(matrix) is csr_matrix
    assert matrix.dtype == np.float32
    assert set(matrix.data) == {1.0}
    info = plain.uns["spatial_neighbors"]
    assert info["connectivities_key"] == "spatial_connectivities"
    assert info["distances_key"] == "spatial_distances"
    assert info["params"]["unit"] == "micrometer"
    np.testing.assert_array_equal(plain.obs["n_neighbors"], np.diff(matrix.indptr))
    assert validate(plain) == []


def test_copy_returns_the_graph_and_edits_nothing(call, plain):
    result = call(plain, copy=True)
    assert not plain.obsp
    call(plain)
    assert (result.connectivities != plain.obsp["spatial_connectivities"]).nnz == 0
    assert (result.distances != plain.obsp["spatial_distances"]).nnz == 0


def test_another_key_leaves_the_first_alone(call, plain):
    call(plain)
    gr.knn_graph(plain, n_neighbors=2, key_added="two")
    assert {"spatial_connectivities", "two_connectivities"} <= set(plain.obsp)
    assert plain.uns["two_neighbors"]["params"]["n_neighbors"] == 2


def test_an_older_contact_area_does_not_linger(plain):
    gr.contact_graph(plain)
    gr.knn_graph(plain, n_neighbors=3)
    assert "spatial_contact_area" not in plain.obsp


def test_contacts_of_the_scan_equal_those_of_the_labels(plain, any_tissue):
    stored = gr.contact_graph(plain, copy=True)
    fresh = gr.contact_graph(plain, any_tissue.image, copy=True)
    array = gr.contact_graph(plain, any_tissue.image.labels, copy=True)
    for other in (fresh, array):
        assert (stored.contact_area != other.contact_area).nnz == 0


@pytest.mark.filterwarnings("ignore:.* touch no other cell")
def test_contacts_follow_cells_not_rows(plain):
    whole = gr.contact_graph(plain, copy=True).contact_area
    order = np.random.default_rng(0).permutation(plain.n_obs)[: plain.n_obs // 2]
    part = gr.contact_graph(plain[order].copy(), copy=True).contact_area
    assert (whole[order][:, order] != part).nnz == 0


def test_contact_fraction_is_one_for_enclosed_cells():
    labels = np.ones((9, 9), int)
    labels[3:6, 3:6] = 2
    adata = from_labels(labels, spacing=(1, 1))
    gr.contact_graph(adata)
    np.testing.assert_allclose(adata.obs["contact_fraction"], [12 / 48, 1.0])


def test_gaps_and_areas_are_options(plain, any_tissue):
    n = {
        "plain": gr.contact_graph(plain, copy=True).connectivities.nnz,
        "gap": gr.contact_graph(plain, any_tissue.image, max_gap=6.0, copy=True).connectivities.nnz,
        "area": gr.contact_graph(plain, min_area=5.0, copy=True).connectivities.nnz,
    }
    assert n["area"] < n["plain"] < n["gap"]


def test_aggregated_columns_have_names(adata):
    gr.aggregate_neighbors(adata, n_hops=2, aggregations=("mean", "max"))
    names = adata.uns["X_aggregated"]["names"]
    assert adata.obsm["X_aggregated"].shape == (adata.n_obs, len(names))
    assert names[adata.n_vars] == "mean_1hop_area"
    weighted = gr.aggregate_neighbors(adata, weights="contact_area", copy=True)
    assert not np.allclose(weighted, gr.aggregate_neighbors(adata, copy=True))


def test_bad_input_is_named(plain, adata):
    with pytest.raises(
        NoGraphError, match=r"spatial graph at `adata.obsp\['spatial_connectivities'\]`, found no graph"
    ):
        gr.aggregate_neighbors(plain)
    with pytest.raises(MissingKeyError, match=r"`labels` for `max_gap` above 0"):
        gr.contact_graph(plain, max_gap=1.0)
    with pytest.raises(OptionError, match=r"`min_area` to be a number in \[0"):
        gr.contact_graph(plain, min_area=-1)
    with pytest.raises(MissingKeyError, match="'slide' in `adata.obs`"):
        gr.knn_graph(plain, library_key="slide")
    with pytest.raises(NoCellsError, match="without rows"):
        gr.knn_graph(plain[:0].copy())
    with pytest.raises(MissingKeyError, match="'area' in `adata.obsp`"):
        gr.aggregate_neighbors(adata, weights="area")
    del plain.uns["cellgraph_clr"]["contacts"]
    with pytest.raises(MissingKeyError, match=r"cgc.gr.contact_graph\(adata, labels\)"):
        gr.contact_graph(plain)
    adata.X[0, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"perimeter \(1\)"):
        gr.aggregate_neighbors(adata)
    plain.obsm["spatial"][2] = np.nan
    with pytest.raises(NonFiniteError, match="finite positions"):
        gr.knn_graph(plain)


def test_a_plain_array_needs_its_spacing(tissue_2d):
    import pandas as pd

    from cellgraph_clr import from_table

    table = from_table(pd.DataFrame({"x": [0.0, 1], "y": [0.0, 1]}), cell_id=None, position=["x", "y"], unit="um")
    with pytest.raises(MissingKeyError, match="positions are in micrometer"):
        gr.contact_graph(table, tissue_2d.image.labels)
    with pytest.raises(OptionError, match=r"on the scale of the cells, found positions .* times as far apart"):
        gr.contact_graph(table, tissue_2d.image)


def test_what_belongs_to_an_older_graph_goes(plain):
    gr.contact_graph(plain)
    gr.knn_graph(plain, n_neighbors=2, key_added="two")
    assert {"n_neighbors", "contact_fraction", "two_n_neighbors"} <= set(plain.obs)
    gr.knn_graph(plain, n_neighbors=2)
    assert "contact_fraction" not in plain.obs


def test_degenerate_positions_are_named_choices(plain):
    line = plain.copy()
    line.obsm["spatial"] = np.outer(np.arange(line.n_obs, dtype=float), np.ones(line.obsm["spatial"].shape[1]))
    with pytest.raises(GeometryError, match="degenerate='jitter'"):
        gr.delaunay_graph(line)
    gr.delaunay_graph(line, degenerate="jitter", max_distance=None)
    assert (line.obs["n_neighbors"] > 0).all()
    twice = plain.copy()
    twice.obsm["spatial"][1] = twice.obsm["spatial"][0]
    gr.delaunay_graph(twice)
    assert twice.obsp["spatial_connectivities"][0, 1] == 1
    with pytest.raises(GeometryError, match="one cell per position, found 1 more"):
        gr.delaunay_graph(twice, duplicates="raise")


def test_isolates_are_a_named_choice(plain):
    gr.radius_graph(plain, radius=1e-6)
    assert (plain.obs["n_neighbors"] == 0).all()
    gr.radius_graph(plain, radius=1e-6, isolates="nearest")
    assert (plain.obs["n_neighbors"] > 0).all()
    with pytest.raises(GeometryError, match="a neighbour for every cell"):
        gr.radius_graph(plain, radius=1e-6, isolates="raise")


def test_common_edges_of_two_graphs(plain):
    gr.contact_graph(plain, key_added="touching")
    gr.knn_graph(plain, n_neighbors=2, key_added="near")
    gr.intersect_graphs(plain, "touching", "near")
    both = plain.obsp["touching_connectivities"].multiply(plain.obsp["near_connectivities"])
    assert (plain.obsp["spatial_connectivities"] != both).nnz == 0
    assert (plain.obsp["spatial_contact_area"].data > 0).all()
    assert plain.uns["spatial_neighbors"]["params"]["of"] == ["touching", "near"]
    with pytest.raises(NoGraphError):
        gr.intersect_graphs(plain, "touching", "nothing")


def test_graphs_built_again_keep_the_samples(rng):
    cells = AnnData(rng.normal(size=(120, 3)).astype(np.float32))
    cells.obsm["spatial"] = rng.uniform(0, 100, (120, 2))
    cells.obs["slide"] = np.repeat(["one", "two"], 60)
    builders = {"knn": {"n_neighbors": 4}, "radius": {"radius": 15}, "delaunay": {}}

    def crossing():
        pairs = cells.obsp["spatial_connectivities"].tocoo()
        return int((cells.obs["slide"].to_numpy()[pairs.row] != cells.obs["slide"].to_numpy()[pairs.col]).sum())

    for first in builders:
        getattr(gr, f"{first}_graph")(cells, library_key="slide", **builders[first])
        for name, options in [*builders.items()] * 2:
            getattr(gr, f"{name}_graph")(cells, **options)
            assert crossing() == 0
            assert cells.uns["spatial_neighbors"]["params"]["library_key"] == "slide"
    gr.knn_graph(cells, n_neighbors=4, key_added="near")
    assert cells.uns["near_neighbors"]["params"]["library_key"] == "slide"
    cells.obs = cells.obs.rename(columns={"slide": "section"})
    with pytest.warns(UserWarning, match=r"the samples of obs\['slide'\], which is gone.*Pass `library_key=`"):
        gr.knn_graph(cells, n_neighbors=4)


@pytest.mark.parametrize("odd", [["slide"], np.array(["slide"]), {"a": 1}, 3, None])
def test_odd_records_of_a_graph_name_no_samples(adata, odd):
    adata.uns["spatial_neighbors"]["params"]["library_key"] = odd
    del adata.uns["cellgraph_clr"]
    assert set(sample_of(adata, None)) == {""}
