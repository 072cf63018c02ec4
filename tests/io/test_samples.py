"""Several samples: graphs stay and never mix."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr import concat, from_labels, from_pyg, gr, pp, to_networkx, to_pyg, validate
from cellgraph_clr._core.errors import CellGraphError, NoCellsError, OptionError, ShapeError
from cellgraph_clr.adata.provenance import record_run, recorded_run, recorded_runs


@pytest.fixture
def two(tissue_2d):
    from cellgraph_clr.datasets import tissue

    parts = {}
    for name, made in {"left": tissue_2d, "right": tissue(80, ndim=2, random_state=3)}.items():
        parts[name] = from_labels(made.image)
        gr.contact_graph(parts[name])
    return parts


def test_graphs_are_kept_block_diagonal(two):
    joined = concat(two)
    n = two["left"].n_obs
    for key in ("spatial_connectivities", "spatial_distances", "spatial_contact_area"):
        matrix = joined.obsp[key]
        assert (matrix[:n, :n] != two["left"].obsp[key]).nnz == 0
        assert (matrix[n:, n:] != two["right"].obsp[key]).nnz == 0
        assert matrix[:n, n:].nnz == 0
    assert joined.obs["library_id"].tolist() == ["left"] * n + ["right"] * two["right"].n_obs
    assert joined.uns["spatial_neighbors"]["params"]["library_key"] == "library_id"
    assert joined.obs_names.is_unique
    assert validate(joined) == []


def test_graphs_rebuilt_after_joining_are_the_same_with_rows_interleaved(two):
    joined = concat(two)
    order = np.random.default_rng(0).permutation(joined.n_obs)
    mixed = joined[order].copy()
    for build in (gr.contact_graph, gr.knn_graph, gr.delaunay_graph):
        build(mixed, key_added="again")
        build(joined, key_added="again")
        again = joined.obsp["again_connectivities"][order][:, order]
        if build is not gr.delaunay_graph:  # its automatic length is the same; ties of the triangulation may not be
            assert (mixed.obsp["again_connectivities"] != again).nnz == 0
        library = mixed.obs["library_id"].to_numpy()
        rows, columns = mixed.obsp["again_connectivities"].nonzero()
        assert (library[rows] == library[columns]).all()
    assert (joined.obsp["spatial_connectivities"] != joined.obsp["spatial_connectivities"].T).nnz == 0


def test_how_results_were_made_is_kept_where_it_is_alike(two):
    for name, cells in two.items():
        record_run(cells, "X_alike", {"function": "tl.embed", "seed": 0})
        record_run(cells, "X_other", {"function": "tl.embed", "seed": len(name)})
    record_run(two["left"], "X_left", {"function": "tl.embed"})
    assert recorded_run(concat(two), "X_alike") == recorded_run(two["left"], "X_alike")
    assert {"X_other", "X_left"}.isdisjoint(recorded_runs(concat(two)))


def test_bad_joins_are_named(two):
    with pytest.raises(NoCellsError, match="at least one AnnData"):
        concat([])
    with pytest.raises(ShapeError, match="others in 'right': area"):
        concat({"left": two["left"], "right": two["right"][:, 1:].copy()})
    bare = two["right"].copy()
    del bare.obsp
    with pytest.raises(CellGraphError, match="in every sample, found .* in 'right'"):
        concat({"left": two["left"], "right": bare})


def test_pyg_round_trip_on_anndata(adata):
    back = from_pyg(to_pyg(adata, label_key="true_type"))
    np.testing.assert_array_equal(back.obs["cell_id"], adata.obs["cell_id"])
    np.testing.assert_array_equal(back.X, adata.X)
    np.testing.assert_allclose(back.obsm["spatial"], adata.obsm["spatial"])
    assert back.var_names.tolist() == adata.var_names.tolist()
    assert back.var["unit"].tolist() == adata.var["unit"].tolist()
    for key in ("spatial_connectivities", "spatial_contact_area"):
        assert (back.obsp[key] != adata.obsp[key]).nnz == 0
    assert back.obs["label"].astype(str).tolist() == adata.obs["true_type"].astype(str).tolist()
    assert to_networkx(adata).number_of_edges() == adata.obsp["spatial_connectivities"].nnz // 2


def test_labels_missing_in_one_sample_become_unassigned(two):
    two["left"].obs["kind"] = pd.Categorical(["a", *["b"] * (two["left"].n_obs - 1)])
    assert set(concat(two).obs["kind"]) == {"a", "b", "unassigned"}


def test_joined_samples_are_joined_again(two):
    gr.contact_graph(two["left"])
    gr.contact_graph(two["right"])
    joined = concat({"x": concat(two), "y": two["left"]})
    assert sorted(set(joined.obs["library_id"])) == ["x/left", "x/right", "y"]
    assert validate(joined) == []
    before = joined.obsp["spatial_contact_area"].copy()
    gr.contact_graph(joined)  # from the contacts of the scans, under their new names
    assert (joined.obsp["spatial_contact_area"] != before).nnz == 0
    again = concat([concat(two), concat({"third": two["left"]})])
    assert sorted(set(again.obs["library_id"])) == ["left", "right", "third"]
    with pytest.raises(CellGraphError, match="one name per sample, found left, right, left"):
        concat([concat(two), concat({"left": two["left"]})])


def test_every_cell_has_a_sample(two):
    joined = concat(two)
    joined.obs["library_id"] = joined.obs["library_id"].where(np.arange(joined.n_obs) > 2)
    with pytest.raises(CellGraphError, match=r"a sample for every cell in obs\['library_id'\], found 3 cells without"):
        gr.knn_graph(joined)


def test_what_is_in_some_samples_only_is_refused(two):
    scaled = pp.scale_features(two["left"], copy=True)
    with pytest.raises(CellGraphError, match=r"the layers \['cellgraph_raw'\] in every sample.*Join samples before"):
        concat({"a": scaled, "b": two["right"]})
    two["left"].obsm["X_one"] = np.zeros((two["left"].n_obs, 2))
    with pytest.raises(CellGraphError, match="the representations .* in every sample"):
        concat(two)
    del two["left"].obsm["X_one"]
    two["right"].obs["frame"] = 0
    with pytest.raises(CellGraphError, match="frame.* in all samples or in none"):
        concat(two)


def test_another_sample_column_is_remembered(two):
    joined = concat(two, library_key="slide/well")
    gr.contact_graph(joined)
    gr.knn_graph(joined, n_neighbors=3)
    assert validate(joined) == []
    library = joined.obs["slide/well"].to_numpy()
    rows, columns = joined.obsp["spatial_connectivities"].nonzero()
    assert (library[rows] == library[columns]).all()


def test_a_graph_without_edges_survives_pyg(adata):
    with pytest.warns(UserWarning, match="Smaller contacts were left out: lower `min_area`"):
        gr.contact_graph(adata, min_area=1e9)
    assert from_pyg(to_pyg(adata)).obsp["spatial_connectivities"].nnz == 0


def test_what_says_which_cell_is_which_is_no_name_of_samples(two):
    with pytest.raises(OptionError, match="`library_key` with another name than 'cell_id', .*found 'cell_id'"):
        concat(two, library_key="cell_id")


def test_samples_that_do_not_go_together_are_named(two):
    for change, said in (
        (lambda a: setattr(a, "X", None), "features in `X` of all samples"),
        (lambda a: a.obs.pop("region"), r"obs\['region'\] in all samples or in none"),
    ):
        other = two["right"].copy()
        change(other)
        with pytest.raises(CellGraphError, match=said):
            concat([two["left"], other])
    with pytest.raises(NoCellsError, match="at least one cell, found 2 AnnData without rows"):
        concat({name: a[:0].copy() for name, a in two.items()})
    for a in two.values():
        a.var_names = ["f"] * a.n_vars
    with pytest.raises(CellGraphError, match="unique feature names, found repeated f"):
        concat(two)


def test_representations_of_another_kind_or_width_are_named(two):
    left, right = two["left"], two["right"]
    xy = right.obsm["spatial"]
    for other, said in (
        (pd.DataFrame(xy, index=right.obs_names), "as an array of 2 columns in every sample, found a DataFrame in '1'"),
        (np.c_[xy, xy[:, :1]], "found an array of 3 columns in '1'"),
    ):
        right.obsm["spatial"] = other
        with pytest.raises(ShapeError, match=rf"obsm\['spatial'\].*{said}"):
            concat([left, right])
    left.obsm["spatial"], right.obsm["spatial"] = (
        pd.DataFrame(m, index=a.obs_names, columns=["x", "y"]) for a, m in ((left, left.obsm["spatial"]), (right, xy))
    )
    gr.knn_graph(concat([left, right]))
