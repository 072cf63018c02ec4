"""`tl.interactions`: what it writes, samples and frames apart, groups, covariates, files, bad input."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import block_diag, csr_matrix

from cellgraph_clr import gr, read, tl, write
from cellgraph_clr._core.errors import (
    CellGraphError,
    LabelKeyError,
    MissingKeyError,
    NoGraphError,
    NonFiniteError,
    OptionError,
)
from cellgraph_clr.datasets.touching import planted_contacts

NAMES = np.array(["B cell", "T cell", "tumour"])
THETA = np.array([[0.0, 0.8, -0.8], [0.8, 0.0, 0.0], [-0.8, 0.0, 0.6]])


RADIUS = 22.6  # that contacts are drawn from


def planted(n_samples=1, n=500, theta=THETA, first=0):
    """Return an AnnData of samples at the same place, with their planted contacts."""
    drawn = [planted_contacts(n, 3, random_state=first + s, log_odds=theta) for s in range(n_samples)]
    obs = pd.DataFrame(
        {
            "type": pd.Categorical(np.concatenate([NAMES[d.types] for d in drawn])),
            "library_id": np.repeat([f"s{first + s}" for s in range(n_samples)], n),
        },
        index=[f"c{first}-{i}" for i in range(n * n_samples)],
    )
    out = AnnData(np.zeros((len(obs), 1), np.float32), obs=obs)
    out.obsm["spatial"] = np.concatenate([d.position for d in drawn])
    out.obsp["spatial_connectivities"] = csr_matrix(block_diag([d.contacts for d in drawn]))
    return out


def odds(table, a, b, level="sample", sample=None):
    rows = table[(table["level"] == level) & (table["type_a"] == a) & (table["type_b"] == b)]
    rows = rows if sample is None else rows[rows["sample"] == sample]
    assert len(rows) == 1
    return rows.iloc[0]


def test_table_of_one_sample():
    adata = planted()
    table = tl.interactions(adata, "type", radius=RADIUS)
    assert list(table.columns) == [
        "level", "sample", "type_a", "type_b", "log_odds", "low", "high", "p_value", "q_value", "n_contacts", "expected",
        "n_samples",
    ]  # fmt: skip
    assert len(table) == 6
    assert set(table["level"]) == {"sample"}
    assert table["n_contacts"].sum() == adata.obsp["spatial_connectivities"].nnz / 2
    assert table["expected"].sum() == pytest.approx(table["n_contacts"].sum())
    mixed = odds(table, "B cell", "T cell")
    codes = adata.obs["type"].cat.codes.to_numpy()
    edges = adata.obsp["spatial_connectivities"].tocoo()
    assert mixed["n_contacts"] == ((codes[edges.row] == 0) & (codes[edges.col] == 1)).sum()
    assert mixed["low"] > 0
    assert odds(table, "B cell", "tumour")["high"] < 0
    w = table["expected"] / table["expected"].sum()
    truth = THETA[np.triu_indices(3)] - (w * THETA[np.triu_indices(3)]).sum()
    assert ((table["low"] < truth) & (truth < table["high"])).all()
    assert (table["q_value"] >= table["p_value"]).all()
    stored = adata.uns["interactions"]
    pd.testing.assert_frame_equal(stored["table"], table)
    assert stored["params"]["label_key"] == "type"
    assert "interactions" in adata.uns["cellgraph_clr"]["runs"]


def test_samples_are_apart_and_pooled():
    three = planted(3)
    table = tl.interactions(three, "type")
    assert len(table) == 4 * 6
    one = three[three.obs["library_id"] == "s1"].copy()
    alone = tl.interactions(one, "type", radius=three.uns["interactions"]["params"]["radius"])
    mine = table[table["sample"] == "s1"].reset_index(drop=True)
    np.testing.assert_allclose(mine["n_contacts"], alone["n_contacts"])
    np.testing.assert_allclose(mine["expected"], alone["expected"])
    shift = mine["log_odds"] - alone["log_odds"]  # zero is that of all samples
    np.testing.assert_allclose(shift, shift.iloc[0], atol=0.01)
    pooled = odds(table, "B cell", "T cell", "pooled")
    parts = [odds(table, "B cell", "T cell", sample=f"s{s}") for s in range(3)]
    assert min(p["log_odds"] for p in parts) <= pooled["log_odds"] <= max(p["log_odds"] for p in parts)
    assert pooled["n_contacts"] == sum(p["n_contacts"] for p in parts)
    assert pooled["n_samples"] == 3


def test_frames_of_a_movie_are_apart():
    two = planted(2)
    by_sample = tl.interactions(two, "type")
    two.obs["frame"] = (two.obs["library_id"] == "s1").astype(int)
    two.obs["library_id"] = "movie"
    by_frame = tl.interactions(two, "type")
    assert set(by_frame["sample"]) == {"movie"}
    both = by_sample[by_sample["level"] == "sample"].groupby(["type_a", "type_b"])[["n_contacts", "expected"]].sum()
    np.testing.assert_allclose(both.to_numpy(), by_frame[["n_contacts", "expected"]].to_numpy(), rtol=1e-9)
    del two.obs["frame"]
    assert tl.interactions(two, "type")["expected"].sub(by_frame["expected"]).abs().max() > 1


def test_groups_are_compared():
    other = THETA.copy()
    other[0, 1] = other[1, 0] = -0.8
    adata = ad.concat([planted(4), planted(4, theta=other, first=10)], pairwise=True)
    adata.obs["drug"] = np.where(adata.obs["library_id"].str.len() == 2, "control", "treated")
    table = tl.interactions(adata, "type", groupby="drug")
    changed = odds(table, "B cell", "T cell", "difference")
    assert changed["sample"] == "treated - control"
    assert changed["high"] < 0
    assert changed["q_value"] < 0.05
    by_group = [odds(table, "B cell", "T cell", "group", g)["log_odds"] for g in ("control", "treated")]
    assert changed["log_odds"] == pytest.approx(by_group[1] - by_group[0])
    assert changed["p_value"] == table.loc[table["level"] == "difference", "p_value"].min()


def test_options_change_the_result():
    adata = planted(n=300)
    adata.obs["size"] = np.random.default_rng(0).gamma(4.0, 20.0, adata.n_obs)
    base = tl.interactions(adata, "type")
    share = adata.uns["interactions"]["params"]["share_in_contact"]
    for options in (
        {"radius": 40.0},
        {"covariates": ["distance"]},
        {"covariates": ["size"]},
        {"prior_contacts": 5.0},
        {"confidence_level": 0.5},
        {"min_expected": float(base["expected"].sort_values().iloc[1])},
    ):
        assert not tl.interactions(adata, "type", **options).equals(base), options
    gr.knn_graph(adata, n_neighbors=4, key_added="knn", library_key="library_id")
    assert not tl.interactions(adata, "type", neighbors_key="knn").equals(base)
    tl.interactions(adata, "type", radius=40.0, covariates=["distance", "size"], key_added="far")
    params = adata.uns["far"]["params"]
    assert params["share_in_contact"] < share
    assert list(params["covariates"]) == ["distance", "distance_squared", "size"]
    assert params["effect"].shape == params["effect_error"].shape == (1, 3)
    assert params["effect"][0, 2] == pytest.approx(0, abs=4 * params["effect_error"][0, 2])


def test_unlabelled_cells_do_not_count():
    adata = planted(n=300)
    adata.obs["type"] = adata.obs["type"].astype(object)
    adata.obs.iloc[:60, adata.obs.columns.get_loc("type")] = "unassigned"
    table = tl.interactions(adata, "type")
    rest = adata[60:].copy()
    pd.testing.assert_frame_equal(table, tl.interactions(rest, "type"))


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
def test_the_table_comes_back_from_files(tmp_path, form):
    adata = planted(2, n=200)
    adata.obs["drug"] = adata.obs["library_id"].map({"s0": "a", "s1": "b"})
    table = tl.interactions(adata, "type", groupby="drug", covariates=["distance"])
    write(adata, tmp_path / f"a.{form}")
    back = read(tmp_path / f"a.{form}").uns["interactions"]
    found = back["table"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, table, check_dtype=False, check_index_type=False, check_categorical=False)
    assert [str(t) for t in back["types"]] == list(NAMES)


def test_3d_and_any_graph(tissue_3d):
    adata = tissue_3d.adata()
    gr.contact_graph(adata)
    table = tl.interactions(adata, "true_type", min_expected=1.0)
    assert np.isfinite(table["log_odds"]).any()


def test_bad_input_is_named():
    adata = planted(2, n=100)
    with pytest.raises(LabelKeyError, match="'typ'"):
        tl.interactions(adata, "typ")
    with pytest.raises(NoGraphError, match="none_connectivities"):
        tl.interactions(adata, "type", neighbors_key="none")
    with pytest.raises(MissingKeyError, match="'drug'"):
        tl.interactions(adata, "type", groupby="drug")
    with pytest.raises(OptionError, match="one group in obs"):
        tl.interactions(adata, "type", groupby="type")
    adata.obs["same"] = "all"
    with pytest.raises(OptionError, match="two groups or more"):
        tl.interactions(adata, "type", groupby="same")
    with pytest.raises(MissingKeyError, match="'size'"):
        tl.interactions(adata, "type", covariates=["size"])
    with pytest.raises(OptionError, match="as a list"):
        tl.interactions(adata, "type", covariates="distance")
    adata.obs["size"] = np.nan
    with pytest.raises(NonFiniteError, match="'size'"):
        tl.interactions(adata, "type", covariates=["size"])
    for options in ({"radius": 0.0}, {"confidence_level": 1.0}, {"prior_contacts": 0.0}, {"min_expected": -1.0}):
        with pytest.raises(OptionError, match=next(iter(options))):
            tl.interactions(adata, "type", **options)
    for key in ("cellgraph_clr", "spatial_neighbors", "spatial", "type_colors"):
        with pytest.raises(OptionError, match="key_added"):
            tl.interactions(adata, "type", key_added=key)
    with pytest.raises(OptionError, match="once"):
        tl.interactions(adata, "type", covariates=["distance", "distance"])
    adata.obs["distance"] = 1.0
    with pytest.raises(OptionError, match="Rename the column"):
        tl.interactions(adata, "type", covariates=["distance"])
    adata.obs["number"] = np.arange(adata.n_obs).astype(str)
    with pytest.raises(LabelKeyError, match="100 types at most"):
        tl.interactions(adata, "number")
    with pytest.raises(CellGraphError, match="larger `radius`"):
        every = csr_matrix(np.kron(np.eye(2), 1 - np.eye(100)).astype(np.float32))
        adata.obsp["every_connectivities"] = every
        tl.interactions(adata, "type", neighbors_key="every", radius=1.0)
    adata.obs["library_id"] = np.where(np.arange(200) % 2, "a", "b")
    with pytest.raises(CellGraphError, match="within samples"):
        tl.interactions(adata, "type")


@pytest.mark.parametrize("column", ["library_id", "arm"])
def test_no_sample_and_no_group_is_called_as_all_together_are(column):
    adata = planted(2)
    adata.obs["arm"] = adata.obs["library_id"].astype(str)
    adata.obs[column] = adata.obs[column].astype(str).replace(adata.obs[column].iloc[0], "pooled")
    noun = {"library_id": "samples", "arm": "groups"}[column]
    with pytest.raises(CellGraphError, match=f"{noun} of another name than 'pooled', found one of 2. Rename it"):
        tl.interactions(adata, "type", groupby="arm", library_key="library_id")
    alone = planted(1)
    alone.obs["library_id"] = "pooled"
    assert set(tl.interactions(alone, "type")["level"]) == {"sample"}  # is not pooled


def test_what_is_added_to_a_covariate_changes_nothing():
    adata = planted(n=300)
    adata.obs["size"] = np.random.default_rng(0).random(adata.n_obs)
    one = tl.interactions(adata, "type", covariates=["size"])["log_odds"]
    adata.obs["size"] += 1e6
    np.testing.assert_allclose(tl.interactions(adata, "type", covariates=["size"])["log_odds"], one, atol=1e-6)


def test_a_column_that_is_there_twice_is_named():
    adata = planted(n=100)
    adata.obs = pd.concat([adata.obs, adata.obs[["type"]]], axis=1)
    with pytest.raises(LabelKeyError, match="2 of this name"):
        tl.interactions(adata, "type")


def test_one_type_touches_nothing_else():
    adata = planted(n=60)
    adata.obs["same"] = "A"
    with pytest.raises(LabelKeyError, match="two types at least"):
        tl.interactions(adata, "same")


def test_what_is_left_out_is_said(caplog):
    alone = planted(2)
    alone = alone[(alone.obs["library_id"] == "s0") | (alone.obs_names == alone.obs_names[-1])].copy()
    alone.obs["type"] = alone.obs["type"].cat.add_categories("unassigned")
    alone.obs.loc[alone.obs_names[:7], "type"] = "unassigned"
    with (
        caplog.at_level("INFO", logger="cellgraph_clr"),
        pytest.warns(UserWarning, match=r"1 of 2 samples .*'s1' \(1 cells\)"),
    ):
        tl.interactions(alone, "type", radius=RADIUS)
    assert "without 7 of 501 cells, which have no type" in caplog.text
    params = alone.uns["interactions"]["params"]
    assert (params["n_untyped"], list(params["samples_left_out"])) == (7, ["s1"])
