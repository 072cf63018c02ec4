"""Tools on AnnData: keys written, queries of every kind, provenance, scanpy afterwards, bad input."""

import json
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import cellgraph_clr as cgc
from cellgraph_clr import concat, gr, tl, validate, write
from cellgraph_clr._core.errors import (
    CellGraphError,
    EmptyQueryError,
    LabelKeyError,
    MissingKeyError,
    NoGraphError,
    OptionError,
    ShapeError,
)
from cellgraph_clr.models import CellGraphCLR, MorphoFeatures


def test_embed_writes_vectors_and_provenance(embedded):
    assert embedded.obsm["X_cellgraph"].shape == (embedded.n_obs, 16 + embedded.n_vars)
    run = json.loads(embedded.uns["cellgraph_clr"]["runs"]["X_cellgraph"])
    assert run["blocks"] == {"learned": [0, 16], "own": [16, 16 + embedded.n_vars]}
    assert run["config"]["objective"] == "infonce_p"
    assert run["seed"] == 0
    assert run["features"] == embedded.var_names.tolist()
    assert run["versions"]["cellgraph_clr"]
    assert validate(embedded) == []


def test_clusters_of_others_are_not_replaced_unsaid(embedded):
    embedded.obs["gmm"] = "mine"
    with pytest.warns(UserWarning, match=r"obs\['gmm'\].*is replaced. Name another column by `key_added`"):
        tl.cluster(embedded, method="gmm", n_clusters=2, use_rep="X")
    tl.cluster(embedded, method="gmm", n_clusters=3, use_rep="X")  # its own
    assert embedded.obs["gmm"].nunique() == 3
    embedded.obs["named"] = "mine"
    tl.cluster(embedded, method="gmm", n_clusters=2, use_rep="X", key_added="named")
    assert embedded.obs["named"].nunique() == 2


def test_embed_applies_a_fitted_model(embedded):
    model = CellGraphCLR(n_steps=30, n_dims=16, progress=False).fit(embedded)
    again = tl.embed(embedded, model=model, key_added="again", copy=True)
    np.testing.assert_array_equal(again.obsm["again"], embedded.obsm["X_cellgraph"])
    assert "again" not in embedded.obsm
    with pytest.raises(OptionError, match=r"beside `model`, found \['n_steps'\]"):
        tl.embed(embedded, model=model, n_steps=3)


def test_context_is_own_and_neighbours(adata):
    tl.morpho_context(adata, use_rep=None)
    out = adata.obsm["X_morphocontext"]
    a = adata.obsp["spatial_connectivities"]
    np.testing.assert_array_equal(out[:, : adata.n_vars], adata.X)
    np.testing.assert_allclose(out[7, adata.n_vars :], adata.X[a[7].indices].mean(0), atol=1e-5)
    tl.morpho_context(adata, use_rep=None, mode="mean")
    both = np.concatenate([adata.X[[7]], adata.X[a[7].indices]]).mean(0)
    np.testing.assert_allclose(adata.obsm["X_morphocontext"][7], both, atol=1e-5)
    tl.morpho_context(adata, use_rep=None, n_features=10)
    assert adata.obsm["X_morphocontext"].shape == (adata.n_obs, 10)
    with pytest.raises(OptionError, match="`n_hops` to be a whole number between 1 and 100, found 1000000000"):
        tl.morpho_context(adata, use_rep=None, n_hops=10**9)
    far, near = (tl.morpho_context(adata, use_rep=None, n_hops=h, copy=True) for h in (3, 1))
    assert not np.allclose(far.obsm["X_morphocontext"], near.obsm["X_morphocontext"])


def test_an_outline_is_drawn_on_a_sample(embedded):
    both = concat({"a": embedded, "b": embedded})
    inner = np.quantile(embedded.obsm["spatial"], [0.3, 0.7], axis=0)
    box = [(x, y) for x, y in zip(inner[[0, 1, 1, 0], 0], inner[[0, 0, 1, 1], 1], strict=True)]
    alone = tl.select_region(embedded, box)
    assert alone.any()
    with pytest.warns(UserWarning, match=r"Cells of 2 samples lie inside: a, b\. Pass `library_id=`"):
        assert tl.select_region(both, box).sum() == 2 * alone.sum()
    for name in "ab":
        np.testing.assert_array_equal(
            tl.select_region(both, box, library_id=name)[(both.obs["library_id"] == name)], alone
        )
        assert tl.select_region(both, box, library_id=name).sum() == alone.sum()
    with pytest.raises(MissingKeyError, match="'c' in `the samples`"):
        tl.select_region(both, box, library_id="c")


def test_cells_found_are_told_apart_by_the_samples_of_the_graph(embedded):
    both = ad.concat({"a": embedded, "b": embedded}, label="slide", index_unique="-")
    del both.obs["n_neighbors"]
    gr.delaunay_graph(both, library_key="slide")
    remedy = r'Add what tells them apart: \{"slide": …, "cell_id": …\}, or query by `obs_names`'
    with pytest.raises(EmptyQueryError, match=remedy):
        tl.retrieve(both, [3], use_rep="X")
    table = tl.retrieve(both, {"slide": "a", "cell_id": 3}, k=5, use_rep="X")
    assert table["library_id"].tolist() == both.obs.loc[table.index, "slide"].tolist()
    assert table["library_id"].iloc[0] == "b"  # its copy


def partly_labelled(adata, share=0.5):
    known = np.random.default_rng(0).random(adata.n_obs) < share
    adata.obs["kind"] = pd.Categorical(np.where(known, adata.obs["true_niche"].astype(str), "unassigned"))
    return known


def test_classify_writes_class_confidence_and_probabilities(embedded):
    partly_labelled(embedded)
    tl.classify(embedded, "kind", method="soft_infonce")
    proba = embedded.obsm["kind_pred_proba"]
    assert list(proba.columns) == sorted(embedded.obs["true_niche"].astype(str).unique())
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(embedded.obs["kind_pred_confidence"], proba.max(axis=1), rtol=1e-5)
    assert (embedded.obs["kind_pred"].astype(str) == embedded.obs["true_niche"].astype(str)).mean() > 0.8
    tl.classify(embedded, "kind", method="soft_infonce", min_confidence=0.9, key_added="strict")
    low = embedded.obs["strict_confidence"] < 0.9
    assert (embedded.obs.loc[low, "strict"] == "unassigned").all()
    assert validate(embedded) == []


def test_trees_classify_as_well(embedded):
    partly_labelled(embedded)
    tl.classify(embedded, "kind", method="trees", n_trees=50)
    assert (embedded.obs["kind_pred"].astype(str) == embedded.obs["true_niche"].astype(str)).mean() > 0.8
    assert embedded.obs["kind_pred_confidence"].between(0, 1).all()
    with pytest.raises(OptionError, match="'smoothing' in `options of tl.classify`"):
        tl.classify(embedded, "kind", method="trees", smoothing=0.2)
    with pytest.raises(OptionError, match="'cross_entropy', found 'trees'"):
        tl.classify(embedded, "kind", method="trees", base=CellGraphCLR())


def test_retrieve_takes_every_kind_of_query(embedded):
    ids = embedded.obs["cell_id"].to_numpy()[[4, 9]]
    by_ids = tl.retrieve(embedded, ids, k=10)
    mask = np.isin(embedded.obs["cell_id"], ids)
    for query in (mask, embedded.obs_names[mask].tolist(), {"cell_id": [str(i) for i in ids]}):
        pd.testing.assert_frame_equal(tl.retrieve(embedded, query, k=10), by_ids)
    assert by_ids["rank"].tolist() == list(range(1, 11))
    assert by_ids["score"].is_monotonic_decreasing
    assert not set(by_ids["cell_id"]) & set(ids)
    assert set(tl.retrieve(embedded, ids, k=10, exclude_query=False)["cell_id"]) & set(ids)
    assert (embedded.obs["retrieval_rank"] > 0).sum() == 10
    vector = embedded.obsm["X_cellgraph"][4]
    assert tl.retrieve(embedded, vector, k=1)["cell_id"].iloc[0] == ids[0]
    one = tl.retrieve(embedded, ids, k=10, aggregate="max")
    assert one["score"].tolist() != by_ids["score"].tolist()


def test_retrieve_searches_another_sample(embedded):
    other = embedded[50:].copy()
    found = tl.retrieve(embedded, [int(embedded.obs["cell_id"].iloc[60])], reference=other, k=3)
    assert found["cell_id"].iloc[0] == embedded.obs["cell_id"].iloc[60]
    other.obsm["X_cellgraph"] = other.obsm["X_cellgraph"][:, :5]
    with pytest.raises(ShapeError, match=f"a reference of width {16 + embedded.n_vars}, found 5"):
        tl.retrieve(embedded, embedded.obs_names[:1], reference=other)


def test_regions_are_connected_and_described(embedded):
    niche = embedded.obs["true_niche"].cat.categories[0]
    inside = (embedded.obs["true_niche"] == niche).to_numpy()
    x = embedded.obsm["spatial"][:, 0]
    query = inside & (x < np.median(x))
    table = tl.retrieve_regions(embedded, query, min_cells=3)
    member = embedded.obs["retrieval_region"].to_numpy()
    assert len(table)
    assert not member[query].any()
    assert table["score"].is_monotonic_decreasing
    for number, row in table.iterrows():
        rows = np.flatnonzero(member == number)
        assert row["n_cells"] == len(rows) >= 3
        assert row["size"] == pytest.approx(embedded.layers["cellgraph_raw"][rows, 0].sum(), rel=1e-5)
        np.testing.assert_allclose(row[["x", "y"]].astype(float), embedded.obsm["spatial"][rows].mean(0))
        outer = row["outline"][0]
        assert (outer.min(0) < embedded.obsm["spatial"][rows].min(0) + 1e-6).any()
        assert outer.shape[1] == 2
    assert inside[member == 1].mean() > 0.5
    with pytest.warns(UserWarning, match=r"similarity of 0.999 or above: no cell outside the query"):
        assert tl.retrieve_regions(embedded, query, min_similarity=0.999).empty


@pytest.mark.parametrize("method", ["leiden", "gmm"])
def test_clusters_of_a_given_number(embedded, method):
    tl.cluster(embedded, method=method, n_clusters=3)
    assert embedded.obs[method].nunique() == 3
    tl.cluster(embedded, method=method, key_added="auto")
    assert embedded.obs["auto"].dtype == "category"


def test_everything_can_be_written(embedded, tmp_path):
    partly_labelled(embedded)
    tl.classify(embedded, "kind", method="soft_infonce")
    tl.cluster(embedded, method="gmm", n_clusters=2)
    tl.retrieve(embedded, [5])
    tl.retrieve_regions(embedded, [5])
    tl.morpho_context(embedded, use_rep="X_cellgraph")
    for name in ("all.h5ad", "all.zarr"):
        write(embedded, tmp_path / name)
    joined = concat({"a": embedded, "b": embedded.copy()})
    assert len(tl.retrieve(joined, {"library_id": "a", "cell_id": "5"}, k=4)) == 4


def test_bad_input_is_named(embedded, tissue_2d):
    with pytest.raises(EmptyQueryError, match=r"no cell with id 10000\d*. The nearest ids are 144"):
        tl.retrieve(embedded, [100000])
    with pytest.raises(EmptyQueryError, match="cells with true_niche = muscle, found values niche 0"):
        tl.retrieve(embedded, {"true_niche": "muscle"})
    with pytest.raises(EmptyQueryError, match="a mask without True"):
        tl.retrieve_regions(embedded, np.zeros(embedded.n_obs, bool))
    with pytest.raises(EmptyQueryError, match="an empty list"):
        tl.retrieve(embedded, [])
    with pytest.raises(ShapeError, match="a mask of 144 cells"):
        tl.retrieve(embedded, np.ones(3, bool))
    with pytest.raises(MissingKeyError, match="'X_morpho' in `adata.obsm`"):
        tl.retrieve(embedded, [5], use_rep="X_morpho")
    with pytest.raises(LabelKeyError, match="'celltype' in `adata.obs`"):
        tl.classify(embedded, "celltype")
    embedded.obs["one"] = pd.Categorical(["a"] * embedded.n_obs)
    with pytest.raises(LabelKeyError, match="at least two classes"):
        tl.classify(embedded, "one")
    with pytest.raises(LabelKeyError, match=r"class labels in obs\['contact_fraction'\], found dtype float"):
        tl.classify(embedded, "contact_fraction")
    with pytest.raises(OptionError, match="'steps' in `options of tl.classify`"):
        tl.classify(embedded, "true_type", steps=3)
    with pytest.raises(OptionError, match="'leiden', 'gmm', found 'kmeans'"):
        tl.cluster(embedded, method="kmeans")
    with pytest.raises(NoGraphError, match="Call `cgc.gr.contact_graph"):
        tl.embed(tissue_2d.adata())


def test_ids_in_several_samples_are_asked_back(embedded):
    joined = concat({"a": embedded, "b": embedded.copy()})
    with pytest.raises(EmptyQueryError, match="2 cells for 1 ids"):
        tl.retrieve(joined, [5])
    with pytest.raises(EmptyQueryError, match="a query of all cells"):
        tl.retrieve(joined, np.ones(joined.n_obs, bool))


def test_priors_are_corrected_for(embedded):
    known = partly_labelled(embedded)
    tl.classify(embedded, "kind", method="soft_infonce")
    training = embedded.obsm["kind_pred_proba"].copy()
    classes = list(training.columns)
    tl.classify(
        embedded,
        "kind",
        method="soft_infonce",
        prior={c: float(i == 0) for i, c in enumerate(classes)},
        key_added="only",
    )
    assert (embedded.obs["only"] == classes[0]).all()
    tl.classify(embedded, "kind", method="soft_infonce", prior="estimated", key_added="kind_pred")
    run = json.loads(embedded.uns["cellgraph_clr"]["runs"]["kind_pred"])
    assert sum(run["prior"].values()) == pytest.approx(1)
    assert not np.allclose(embedded.obsm["kind_pred_proba"], training)
    truth = embedded.obs["true_niche"].astype(str)
    assert (embedded.obs["kind_pred"].astype(str) == truth)[~known].mean() > 0.75
    entropy = embedded.obs["kind_pred_entropy"]
    assert entropy.min() >= 0
    assert entropy.max() <= np.log(len(classes)) + 1e-6
    with pytest.raises(OptionError, match="a share for each of"):
        tl.classify(embedded, "kind", method="soft_infonce", prior={classes[0]: 1.0})
    with pytest.raises(OptionError, match="`prior`"):
        tl.classify(embedded, "kind", prior="even")
    with pytest.raises(CellGraphError, match="shares of `prior`"):
        tl.classify(embedded, "kind", method="trees", prior=dict.fromkeys(classes, "x"))


@pytest.mark.parametrize("method", ["trees", "soft_infonce"])
def test_shares_are_estimated_from_unlabelled_cells_and_shift_them_alone(method):
    from anndata import AnnData

    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 0, 1], [150, 150, 621, 79])  # labelled half by half; of the others 11 % are of class 1
    labelled = np.arange(1000) < 300
    x = rng.normal(size=(1000, 10)).astype(np.float32)
    x[:, :3] += 1.6 * kind[:, None]
    cells = AnnData(x)
    cells.obs["kind"] = np.where(labelled, np.array(["a", "b"])[kind], "unassigned")
    options = {"method": method, "use_rep": "X", "random_state": 0}
    tl.classify(cells, "kind", key_added="plain", **options)
    tl.classify(cells, "kind", prior="estimated", key_added="shifted", **options)
    run = json.loads(cells.uns["cellgraph_clr"]["runs"]["shifted"])
    assert run["prior"]["b"] == pytest.approx(79 / 700, abs=0.04)
    plain, shifted = (cells.obsm[f"{k}_proba"].to_numpy() for k in ("plain", "shifted"))
    np.testing.assert_array_equal(shifted[labelled], plain[labelled])
    assert shifted[~labelled, 1].mean() == pytest.approx(79 / 700, abs=0.04)
    right = (shifted.argmax(1) == kind)[~labelled].mean()
    assert right > (plain.argmax(1) == kind)[~labelled].mean()


def test_nobody_is_shifted_where_all_are_labelled(embedded):
    tl.classify(embedded, "true_niche", method="soft_infonce", key_added="plain")
    tl.classify(embedded, "true_niche", method="soft_infonce", prior="estimated", key_added="shifted")
    pd.testing.assert_frame_equal(embedded.obsm["plain_proba"], embedded.obsm["shifted_proba"])


def test_labels_are_transferred_and_refused(embedded):
    known = np.arange(embedded.n_obs) % 2 == 0
    reference, other = embedded[known].copy(), embedded[~known].copy()
    tl.transfer_labels(other, reference, "true_niche", min_confidence=None, min_similarity=None)
    right = other.obs["true_niche_pred"].astype(str) == other.obs["true_niche"].astype(str)
    assert right.mean() > 0.8
    tl.transfer_labels(other, reference, "true_niche", min_confidence=0.95, key_added="sure")
    refused = other.obs["sure"] == "unassigned"
    assert refused.any()
    assert (other.obs.loc[other.obs["sure_confidence"] < 0.95, "sure"] == "unassigned").all()
    assert right[~refused].mean() >= right.mean()
    assert other.obsm["sure_proba"].shape == (other.n_obs, reference.obs["true_niche"].nunique())
    assert validate(other) == []
    reference.obsm["X_cellgraph"] = reference.obsm["X_cellgraph"][:, :3]
    with pytest.raises(ShapeError, match=f"a reference of width {16 + embedded.n_vars}, found 3"):
        tl.transfer_labels(other, reference, "true_niche")
    with pytest.raises(LabelKeyError):
        tl.transfer_labels(other, embedded, "kind_of")
    embedded.obs["kind"] = np.where(known, "a/b", "a|b")
    with pytest.raises(LabelKeyError, match="class names that columns tell apart"):
        tl.transfer_labels(other, embedded, "kind")


def test_voters_are_the_cells_that_retrieve_finds(embedded):
    known = np.arange(embedded.n_obs) % 2 == 0
    reference, other = embedded[known].copy(), embedded[~known].copy()
    tl.transfer_labels(other, reference, "true_niche", n_neighbors=1, min_confidence=None, min_similarity=None)
    hits = tl.retrieve(other, other.obs_names.tolist(), reference=reference, aggregate="each", k=1)
    assert (reference.obs.loc[hits.index, "true_niche"].to_numpy() == other.obs["true_niche_pred"].to_numpy()).all()
    np.testing.assert_allclose(other.obs["true_niche_pred_similarity"], hits["score"], atol=1e-5)


def test_vectors_of_different_models_are_warned_of(embedded):
    known = np.arange(embedded.n_obs) % 2 == 0
    reference, other = embedded[known].copy(), embedded[~known].copy()
    tl.embed(other, n_steps=2, n_dims=16, random_state=1, progress=False)
    with pytest.warns(
        UserWarning, match=r"made by different models \(with another .*seed\).*`model=` of `cgc.tl.embed`"
    ):
        tl.transfer_labels(other, reference, "true_niche")
    with pytest.warns(UserWarning, match="made by different models"):
        tl.retrieve(other, other.obs_names[[3]], reference=reference)
    model = CellGraphCLR(n_steps=2, n_dims=16, progress=False).fit(reference)
    for cells in (reference, other):
        tl.embed(cells, model=model)
    tl.transfer_labels(other, reference, "true_niche")  # silent


def test_an_outline_around_nothing_is_warned_of(embedded):
    with pytest.warns(
        UserWarning, match=r"No cell lies inside the outline: cells have x .* to .*; the outline has x -9 to -8"
    ):
        assert not tl.select_region(embedded, [(-9, -9), (-8, -9), (-8, -8)]).any()


def test_an_index_answers_as_retrieve_does(embedded, tmp_path):
    index = tl.build_index(embedded)
    index.save(tmp_path / "cells.npz")
    names, similarity = type(index).load(tmp_path / "cells.npz").query(embedded.obsm["X_cellgraph"][4], 5)
    table = tl.retrieve(embedded, embedded.obs_names[4], k=5, exclude_query=False)
    assert names[0].tolist() == table.index.tolist()
    np.testing.assert_allclose(similarity[0], table["score"], atol=1e-5)
    with pytest.raises(MissingKeyError, match="X_other"):
        tl.build_index(embedded, use_rep="X_other")


def test_each_member_of_a_query_can_ask_by_itself(embedded):
    names = embedded.obs_names[[4, 9, 30]]
    table = tl.retrieve(embedded, names, k=5, aggregate="each")
    assert table["query"].tolist() == np.repeat(names, 5).tolist()
    for name in names:
        alone = tl.retrieve(embedded, name, k=8)
        kept = [n for n in alone.index if n not in set(names)][:5]
        assert table.index[table["query"] == name].tolist() == kept
    vectors = embedded.obsm["X_cellgraph"][:2]
    assert tl.retrieve(embedded, vectors, k=1, aggregate="each")["query"].tolist() == [0, 1]


def test_a_drawn_outline_selects_cells(embedded):
    xy = embedded.obsm["spatial"]
    low, high = np.quantile(xy, 0.2, axis=0), np.quantile(xy, 0.6, axis=0)
    box = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    inside = tl.select_region(embedded, box)
    np.testing.assert_array_equal(inside, ((xy > low) & (xy < high)).all(1))
    assert len(tl.retrieve(embedded, inside, k=3)) == 3
    with pytest.raises(ShapeError, match=r"three corners \(v, 2\) or more, found \(2, 2\)"):
        tl.select_region(embedded, box[:2])
    with pytest.raises(OptionError, match="projection"):
        tl.select_region(embedded, box, projection="xz")


def test_weights_of_classes_are_part_of_the_prior_that_is_corrected(embedded):
    rare = (embedded.obs["true_niche"] == embedded.obs["true_niche"].cat.categories[0]).to_numpy()
    embedded.obs["kind"] = np.where(rare, "b", "a")
    known = {"a": 1 - rare.mean(), "b": rare.mean()}
    share = {}
    for weight in (None, "balanced"):
        tl.classify(embedded, "kind", method="cross_entropy", prior=known, class_weight=weight, calibrate=False)
        share[weight] = embedded.obsm["kind_pred_proba"]["b"].mean()
    assert share["balanced"] == pytest.approx(share[None], abs=0.05)


def test_morpho_features_go_beside_their_cells(tissue_2d):
    image = tissue_2d.image
    options = {
        "kinds": ("shape", "coarse"),
        "n_steps": 3,
        "n_points": 24,
        "n_features": 5,
        "n_hidden": 4,
        "coarse_size": 8,
    }
    adata = tissue_2d.adata()[::-1].copy()
    tl.morpho_features(adata, image, progress=False, **options)
    table = adata.obsm["X_morpho"]
    assert list(table.columns)[:2] == ["cell_shape_0", "cell_shape_1"]
    model = MorphoFeatures(progress=False, **options).fit(image)
    np.testing.assert_array_equal(table.to_numpy(), model.transform(image).loc[adata.obs["cell_id"]].to_numpy())
    run = json.loads(adata.uns["cellgraph_clr"]["runs"]["X_morpho"])
    assert run["missing"]["nucleus_shape"] == "no nuclei"
    gr.contact_graph(adata)
    tl.morpho_context(adata)
    assert adata.obsm["X_morphocontext"].shape == (adata.n_obs, 20)
    two = concat({"a": tissue_2d.adata(), "b": tissue_2d.adata()})
    tl.morpho_features(two, image, library_id="b", model=model)
    has = two.obsm["X_morpho"].notna().all(axis=1)
    np.testing.assert_array_equal(has, two.obs["library_id"] == "b")
    with pytest.raises(OptionError, match="`library_id` for an AnnData of several samples"):
        tl.morpho_features(two, image, model=model)
    with pytest.raises(OptionError, match=r"no training options beside `model`, found \['n_steps'\]"):
        tl.morpho_features(two, image, model=model, n_steps=3)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: tl.embed(a, n_steps=2, progress=False),
        lambda a: tl.retrieve_regions(a, [5], use_rep="X"),
        lambda a: tl.morpho_context(a, use_rep="X"),
        lambda a: gr.aggregate_neighbors(a),
    ],
    ids=["embed", "retrieve_regions", "morpho_context", "aggregate_neighbors"],
)
def test_a_graph_without_edges_is_refused(adata, call):
    call(adata)
    adata.obsp["spatial_connectivities"] = adata.obsp["spatial_connectivities"] * 0
    with pytest.raises(NoGraphError, match=r"found none among 144 cells. Bridge .*max_gap=….*delaunay_graph"):
        call(adata)


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (lambda a, k: tl.embed(a, key_added=k), "spatial"),
        (lambda a, k: tl.morpho_context(a, use_rep="X", key_added=k), "spatial"),
        (lambda a, k: gr.aggregate_neighbors(a, key_added=k), "major_axis"),
        (lambda a, k: tl.cluster(a, use_rep="X", key_added=k), "cell_id"),
        (lambda a, k: tl.classify(a, "true_type", key_added=k), "true_type"),
        (lambda a, k: tl.transfer_labels(a, a, "true_type", key_added=k), "library_id"),
        (lambda a, k: tl.retrieve(a, [5], use_rep="X", key_added=k), "a/b"),
        (lambda a, k: tl.retrieve_regions(a, [5], use_rep="X", key_added=k), "a/b"),
        (lambda a, k: gr.knn_graph(a, key_added=k), "a/b"),
    ],
)
def test_what_cells_are_is_not_written_over(adata, call, key):
    before = adata.copy()
    with pytest.raises(OptionError, match="`key_added`"):
        call(adata, key)
    np.testing.assert_array_equal(adata.obsm["spatial"], before.obsm["spatial"])
    pd.testing.assert_frame_equal(adata.obs, before.obs)


@pytest.mark.filterwarnings("ignore:The . cells of the query lie in")
def test_regions_lie_within_samples(embedded):
    embedded.obs["library_id"] = pd.Categorical(["a", "b"] * (embedded.n_obs // 2) + ["a"] * (embedded.n_obs % 2))
    with pytest.raises(CellGraphError, match="within samples, found [0-9]+ between them. Build the graph again"):
        tl.retrieve_regions(embedded, {"library_id": "a"})
    assert "retrieval_score" not in embedded.obs
    gr.knn_graph(embedded)
    assert len(tl.retrieve_regions(embedded, embedded.obs_names[:8], min_cells=1, min_similarity=-1.0))


@pytest.mark.parametrize("kind", ["nan", "far", "flat", "wide", "sparse"])
def test_positions_are_checked_before_regions_are_searched(embedded, kind):
    xy = embedded.obsm["spatial"]
    bad = {
        "nan": np.where(np.arange(len(xy))[:, None] == 3, np.nan, xy),
        "far": xy * 1e150,
        "flat": xy[:, :1],
        "wide": np.c_[xy, xy],
        "sparse": csr_matrix(xy),
    }
    embedded.obsm["spatial"] = bad[kind]
    with pytest.raises(CellGraphError, match="positions"):
        tl.retrieve_regions(embedded, [5])
    assert "retrieval_score" not in embedded.obs
    if kind in ("flat", "wide", "sparse"):
        with pytest.raises(CellGraphError, match=r"positions in obsm\['spatial'\]"):
            tl.retrieve(embedded, [5])


@pytest.mark.filterwarnings("ignore:The . cells of the query lie in")
def test_positions_in_a_table_are_as_in_an_array(embedded):
    options = {"min_cells": 1, "min_similarity": -1.0}
    found = tl.retrieve_regions(embedded, [5, 6, 7], **options), tl.retrieve(embedded, [5])
    embedded.obsm["spatial"] = pd.DataFrame(embedded.obsm["spatial"], index=embedded.obs_names)
    again = tl.retrieve_regions(embedded, [5, 6, 7], **options), tl.retrieve(embedded, [5])
    for one, other in zip(found, again, strict=True):
        pd.testing.assert_frame_equal(
            one.drop(columns="outline", errors="ignore"), other.drop(columns="outline", errors="ignore")
        )


def test_queries_in_pieces_are_warned_of(embedded):
    adjacency = embedded.obsp["spatial_connectivities"]
    first, other = 0, int(np.flatnonzero(adjacency[0].toarray()[0] == 0)[-1])
    mine = np.isin(np.arange(embedded.n_obs), [first, other])
    with pytest.warns(UserWarning, match="The 2 cells of the query lie in 2 pieces"):
        tl.retrieve_regions(embedded, mine, min_cells=2)
    beside = int(adjacency[0].indices[0])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*pieces")
        tl.retrieve_regions(embedded, np.isin(np.arange(embedded.n_obs), [first, beside]), min_cells=2)


@pytest.mark.parametrize(
    "learn",
    [
        lambda a: cgc.tl.embed(a, n_steps=1, n_layers=1, progress=False),
        lambda a: cgc.models.CellGraphCLR(n_steps=1, n_layers=1, progress=False).fit(a),
        lambda a: cgc.tl.context(a, progress=False),
    ],
    ids=["embed", "fit", "context"],
)
def test_cells_without_neighbors_are_told_before_they_are_learned(learn):
    adata = cgc.datasets.tissue(200, ndim=2, random_state=0).adata()
    cgc.gr.contact_graph(adata)
    cgc.pp.scale_features(adata)
    graph = adata.obsp["spatial_connectivities"]
    for n_alone in (10, 9):
        kept = np.arange(adata.n_obs) >= n_alone
        adata.obsp["spatial_connectivities"] = csr_matrix(graph.toarray() * np.outer(kept, kept))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            learn(adata)
        told = [str(w.message) for w in said if "have no neighbor" in str(w.message)]
        alone = int((np.diff(adata.obsp["spatial_connectivities"].indptr) == 0).sum())
        assert [t.split(" cells")[0] for t in told] == ([f"{alone} of {adata.n_obs}"] if alone >= 10 else [])
