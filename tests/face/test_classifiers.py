"""`tl.classify` with method "auto": what it takes, what it records, and whose options it hears."""

import json
import logging

import numpy as np
import pytest
from anndata import AnnData

from cellgraph_clr import tl
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.tl.classifiers import LEAST_FOR_NETWORKS, _kinds


def cells(n=160, n_samples=1):
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=n)
    adata = AnnData((rng.normal(size=(n, 5)) + 2 * np.eye(5)[kind]).astype(np.float32))
    adata.obs["truth"] = np.array(list("abc"))[kind]
    adata.obs["kind"] = np.where(rng.random(n) < 0.5, adata.obs["truth"], "unassigned")
    adata.obs["patient"] = [f"p{k}" for k in rng.integers(n_samples, size=n)]
    adata.obsm["spatial"] = rng.uniform(size=(n, 2)) * 50
    adata.obsm["X_cellgraph"] = rng.normal(size=(n, 2)).astype(np.float32)
    return adata


def run_of(adata, key="kind_pred"):
    return json.loads(adata.uns["cellgraph_clr"]["runs"][key])


@pytest.mark.parametrize("name", ["Unknown", "nan", "not assigned"])
def test_a_class_that_most_likely_is_none_is_named(name):
    adata = cells()
    adata.obs["kind"] = adata.obs["kind"].replace("unassigned", name)
    adata.obs.loc[adata.obs_names[:20], "kind"] = name
    found = f"'{name}' in obs.'kind'. .* of 160 labelled cells. is learned as a type.*'unassigned'"
    with pytest.warns(UserWarning, match=found):
        tl.classify(adata, "kind", use_rep="X", method="trees", n_trees=5)
    assert (adata.obs["kind_pred"] == name).any()
    adata.obs["kind"] = np.where(np.arange(160) % 2, adata.obs["truth"], name)  # no more than half
    tl.classify(adata, "kind", use_rep="X", method="trees", n_trees=5)


def test_classes_of_few_cells_are_named():
    adata = cells()
    adata.obs.loc[adata.obs_names[:8], "kind"] = ["r1", "r2", "r3", "r4", "r5", "r6", "two", "two"]
    with pytest.warns(
        UserWarning, match="fewer than 3 labelled cells .* 'r1', 'r2', 'r3', 'r4', 'r5' and 2 more"
    ) as said:
        tl.classify(adata, "kind", use_rep="X", method="trees", n_trees=5)
    assert len(said) == 1
    adata.obs["kind"] = "unassigned"
    adata.obs.loc[adata.obs_names[:6], "kind"] = list("aabbcc")  # all alike: none is rarer than others
    tl.classify(adata, "kind", use_rep="X", method="trees", n_trees=5)


def test_the_default_chooses_and_tells(caplog):
    adata = cells(3 * LEAST_FOR_NETWORKS)  # half of them are labelled
    with caplog.at_level(logging.INFO, logger="cellgraph_clr"):
        tl.classify(adata, "kind", n_jobs=1, progress=False)
    run = run_of(adata)
    choice = run["choice"]
    names = [f"{kind} on {blocks}" for kind in ("trees", "mlp") for blocks in ("X", "X + X_cellgraph")]
    assert list(choice["scores"]) == sorted(names)
    assert choice["chosen"] in names
    assert choice["by"] == "block"
    assert {"log_likelihood", "accuracy", "gain", "gain_error"} == set(choice["scores"][names[0]])
    said = [r.message for r in caplog.records if r.message.startswith("tl.classify wrote")]
    assert len(said) == 1
    assert f"({choice['chosen']} of 4 candidates: log-likelihood" in said[0]
    params = adata.uns["kind_pred"]["params"]
    assert (params["method"], list(params["use_rep"])) == (run["method"], run["use_rep"])
    assert (params["asked"], params["n_candidates"], params["label_key"]) == ("auto", 4, "kind")
    assert params["n_labelled"] == (adata.obs["kind"] != "unassigned").sum()
    assert run["method"] == {"trees": "trees", "mlp": "soft_infonce"}[choice["chosen"].split()[0]]
    assert run["use_rep"] == choice["chosen"].split(" on ")[1].split(" + ")


@pytest.mark.parametrize(
    ("method", "options"), [("trees", {"n_trees": 20}), ("soft_infonce", {"head": "mlp", "n_steps": 5})]
)
def test_the_chosen_one_is_fitted_and_calibrated_as_if_it_had_been_named(method, options):
    adata = cells()
    tl.classify(adata, "kind", **options)
    tl.classify(adata, "kind", method=method, use_rep=run_of(adata)["use_rep"], key_added="named", **options)
    assert run_of(adata)["calibration_temperature"] == run_of(adata, "named")["calibration_temperature"]
    np.testing.assert_array_equal(adata.obsm["named_proba"], adata.obsm["kind_pred_proba"])


def test_samples_are_left_out_whole():
    adata = cells(n_samples=6)
    options = {"n_trees": 20, "n_jobs": 1}
    tl.classify(adata, "kind", library_key="patient", **options)
    assert run_of(adata)["choice"]["by"] == "sample"
    assert all(name.startswith("trees") for name in run_of(adata)["choice"]["scores"])
    adata.obs["library_id"] = adata.obs["patient"]
    tl.classify(adata, "kind", key_added="again", **options)
    assert run_of(adata, "again")["choice"] == run_of(adata)["choice"]
    with pytest.raises(OptionError, match="method='auto' for `library_key`, found method='trees'"):
        tl.classify(adata, "kind", library_key="patient", method="trees")


def test_context_is_a_candidate_where_it_is_there():
    adata = cells()
    adata.obsm["X_context"] = 3 * np.eye(3, dtype=np.float32)[np.unique(adata.obs["truth"], return_inverse=True)[1]]
    adata.obsm["spatial"][np.flatnonzero(adata.obs["kind"] == "a")[0]] = np.nan  # then cells are left out one by one
    tl.classify(adata, "kind", n_trees=20, n_jobs=1)
    choice = run_of(adata)["choice"]
    assert choice["chosen"].endswith("+ X_context")
    assert choice["by"] == "cell"
    assert (adata.obs["kind_pred"].astype(str) == adata.obs["truth"]).all()
    tl.classify(adata, "kind", use_rep="X", n_trees=20, key_added="alone", n_jobs=1)
    assert run_of(adata, "alone")["choice"]["scores"] == {}


def test_networks_take_part_from_200_labelled_cells_on_unless_they_are_asked_for():
    assert _kinds({}, LEAST_FOR_NETWORKS - 1) == ["trees"]
    assert _kinds({"device": "cpu"}, LEAST_FOR_NETWORKS - 1) == ["trees"]
    assert _kinds({"smoothing": 0.2}, 10) == ["mlp"]
    adata = cells(60)
    tl.classify(adata, "kind", n_jobs=1, progress=False)
    assert all(name.startswith("trees") for name in run_of(adata)["choice"]["scores"])


def test_an_option_of_one_kind_leaves_this_kind():
    many = LEAST_FOR_NETWORKS
    assert _kinds({}, many) == ["trees", "mlp"]
    assert _kinds({"device": "cpu", "n_jobs": 1}, many) == ["trees", "mlp"]  # where it runs is no part of the model
    assert _kinds({"n_trees": 9}, many) == ["trees"]
    assert _kinds({"smoothing": 0.2}, many) == ["mlp"]
    assert _kinds({"head": "linear"}, many) == ["linear"]
    with pytest.raises(OptionError, match="options of trees or of networks"):
        _kinds({"n_trees": 9, "smoothing": 0.2}, many)
    with pytest.raises(OptionError, match="'steps' in `options of tl.classify`"):
        tl.classify(cells(), "kind", steps=3)
    with pytest.raises(OptionError, match="`method` to be one of 'auto', 'trees'"):
        tl.classify(cells(), "kind", method="forest")


@pytest.mark.parametrize("n_each", [1, 2, 3])
def test_few_labels(n_each):
    adata = cells()
    adata.obs["kind"] = "unassigned"
    for name in "abc":
        adata.obs.loc[adata.obs.index[adata.obs["truth"] == name][:n_each], "kind"] = name
    adata.obs.loc[adata.obs.index[-1], "kind"] = "alone"
    warned = {1: "No class has two", 3: "rarely or never predicted: 'alone'"}  # of two cells each, none is rarer
    if n_each in warned:
        with pytest.warns(UserWarning, match=warned[n_each]):
            tl.classify(adata, "kind", n_trees=20, n_jobs=1)
    else:
        tl.classify(adata, "kind", n_trees=20, n_jobs=1)
    assert (adata.obs["kind_pred"].astype(str) == adata.obs["truth"]).mean() > (0.35 if n_each == 1 else 0.5)
    assert np.isfinite(adata.obsm["kind_pred_proba"].to_numpy()).all()
