"""Scaling: known moments, raw values kept, missing values refused or filled."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, issparse

from cellgraph_clr import pp
from cellgraph_clr._core.errors import CellGraphError, NoGraphError, NonFiniteError, OptionError


@pytest.fixture
def raw(tissue_2d):
    return tissue_2d.adata()


@pytest.mark.parametrize("method", ["zscore", "robust", "quantile"])
def test_features_come_to_one_scale(raw, method):
    before = raw.X.copy()
    pp.scale_features(raw, method=method, clip=None)
    np.testing.assert_array_equal(raw.layers["cellgraph_raw"], before)
    varies = before.std(0) > 0
    assert np.abs(np.median(raw.X[:, varies], axis=0)).max() < 0.6
    if method == "zscore":
        np.testing.assert_allclose(raw.X[:, varies].std(0), 1, rtol=1e-4)
    assert not raw.X[:, ~varies].any()


def test_methods_and_clip_are_options(raw):
    results = [
        pp.scale_features(raw, method=m, clip=c, copy=True).X
        for m, c in (("zscore", None), ("robust", None), ("quantile", None), ("zscore", 1.0))
    ]
    assert all(not np.allclose(a, b) for i, a in enumerate(results) for b in results[:i])
    assert np.abs(results[3]).max() <= 1
    assert "cellgraph_raw" not in raw.layers


def test_samples_can_be_scaled_alone(raw):
    raw.obs["slide"] = np.where(np.arange(raw.n_obs) % 2, "a", "b")
    pp.scale_features(raw, method="zscore", clip=None, library_key="slide")
    for name in "ab":
        np.testing.assert_allclose(raw.X[raw.obs["slide"] == name, 0].mean(), 0, atol=1e-5)


def test_missing_values_are_counted_or_filled(raw):
    raw.X[:3, 0] = np.nan
    with pytest.raises(
        NonFiniteError, match=r"3 values that are NaN or infinite in area \(3\). Pass `impute='median'`"
    ):
        pp.scale_features(raw)
    pp.scale_features(raw, impute="median", method="zscore")
    assert np.isfinite(raw.X).all()
    assert raw.X[0, 0] == raw.X[1, 0]
    with pytest.raises(OptionError, match="'zscore', 'robust', 'quantile', found 'log'"):
        pp.scale_features(raw, method="log")


def test_scaling_twice_starts_from_what_was_measured(raw):
    before = raw.X.copy()
    pp.scale_features(raw)
    pp.scale_features(raw, method="zscore")
    np.testing.assert_array_equal(raw.layers["cellgraph_raw"], before)
    raw.X[:, 0] = raw.layers["cellgraph_raw"][:, 0] = 7
    pp.scale_features(raw, method="quantile")
    assert not raw.X[:, 0].any()


def test_an_anndata_that_is_only_read_from_a_file_is_refused(raw, tmp_path):
    import anndata as ad

    raw.write_h5ad(tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    for copy in (False, True):
        with pytest.raises(CellGraphError, match=r"an AnnData in memory, found one backed by .*`to_memory`"):
            pp.scale_features(backed, copy=copy)
    there = backed.to_memory()
    backed.file.close()
    pp.scale_features(there)
    pp.scale_features(raw)
    np.testing.assert_array_equal(there.X, raw.X)


def test_layers_of_others_stay(raw):
    raw.layers["raw"] = counts = np.full(raw.shape, 2**30 + 1, np.int64)
    before = raw.X.copy()
    pp.scale_features(raw)
    assert raw.X[:, 0].std() > 0.5
    assert raw.layers["raw"] is counts
    raw.layers["cellgraph_raw"] = before * 2
    del raw.uns["cellgraph_clr"]["scaled"]
    with pytest.raises(CellGraphError, match="'cellgraph_raw' as `cgc.pp.scale_features` writes it"):
        pp.scale_features(raw)


@pytest.mark.parametrize("method", ["zscore", "robust", "quantile"])
def test_new_values_are_scaled_anew(raw, method):
    pp.scale_features(raw, method=method)
    new = np.random.default_rng(0).gamma(1, 5, raw.shape).astype(np.float32)
    raw.X = new
    pp.scale_features(raw, method=method)
    np.testing.assert_array_equal(raw.layers["cellgraph_raw"], new)
    pp.scale_features(raw, method=method)
    np.testing.assert_array_equal(raw.layers["cellgraph_raw"], new)


def test_scaling_is_done_in_float64_and_keeps_what_was_measured(raw):
    offset = 1e9 + np.random.default_rng(0).random(raw.shape)
    for kept in (offset, (offset * 8).astype(np.int64), csr_matrix(raw.X)):
        raw.X = kept
        expected = kept.toarray() if issparse(kept) else kept
        pp.scale_features(raw, method="zscore", clip=None)
        found = raw.layers.pop("cellgraph_raw")
        assert (type(found), found.dtype) == (type(kept), kept.dtype)
        varies = expected.std(axis=0) > 0
        np.testing.assert_array_equal(found.toarray() if issparse(found) else found, expected)
        np.testing.assert_allclose(raw.X[:, varies].std(axis=0), 1, rtol=1e-4)
        assert raw.X.dtype == np.float32


def test_a_sparse_layer_is_scaled_again(raw):
    raw.X = csr_matrix(raw.X)
    pp.scale_features(raw)
    once = raw.X.copy()
    pp.scale_features(raw)
    np.testing.assert_array_equal(raw.X, once)


def test_split_by_block_writes_three_parts(adata):
    pp.split(adata, n_blocks=8, random_state=1)
    assert list(adata.obs["split"].cat.categories) == ["train", "test", "buffer"]
    test, train = (adata.obs["split"] == name for name in ("test", "train"))
    assert adata.obsp["spatial_connectivities"][train.to_numpy()][:, test.to_numpy()].nnz == 0
    again = pp.split(adata, n_blocks=8, random_state=1, copy=True)
    assert (again.obs["split"] == adata.obs["split"]).all()


def test_split_by_library_and_by_cell(adata):
    adata.obs["plant"] = np.where(np.arange(adata.n_obs) < 60, "a", "b")
    pp.split(adata, by="library", library_key="plant")
    assert adata.obs.groupby("plant", observed=True)["split"].nunique().tolist() == [1, 1]
    pp.split(adata, by="cell", label_key="true_type", test_size=0.5, key_added="half")
    counts = adata.obs.groupby(["true_type", "half"], observed=True).size().unstack()
    assert (abs(counts["train"] - counts["test"]) <= 1).all()


def test_wrong_splits_are_named(adata):
    with pytest.raises(OptionError, match="two samples or more"):
        pp.split(adata, by="library")
    with pytest.raises(OptionError, match="`label_key` with by='cell', found by='block'"):
        pp.split(adata, label_key="true_type")
    with pytest.raises(OptionError, match="`test_size`"):
        pp.split(adata, test_size=1)
    del adata.obsp["spatial_connectivities"]
    with pytest.raises(NoGraphError):
        pp.split(adata)
