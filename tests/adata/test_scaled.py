"""What scaling wrote is known again: in any order, for any features, in joined samples; changes are noticed by feature."""

import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from cellgraph_clr import concat, pp, read, write
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr.adata.scaled import join_scaled, keep_raw, measured


@pytest.fixture
def cells():
    adata = AnnData(np.random.default_rng(0).normal(5, 1, (20, 3)).astype(np.float32))
    adata.var_names = list("abc")
    keep_raw(adata, adata.X, -adata.X)
    return adata


def raw(adata):
    found = measured(adata)
    return found.toarray() if hasattr(found, "toarray") else found


def test_without_a_layer_x_is_measured():
    adata = AnnData(np.ones((2, 2), np.float32))
    assert measured(adata) is adata.X


def test_what_was_written_is_known(cells, tmp_path):
    expected = cells.layers["cellgraph_raw"]
    np.testing.assert_array_equal(raw(cells), expected)
    turned = cells[np.random.default_rng(1).permutation(20)][:, ["c", "a"]].copy()
    np.testing.assert_array_equal(raw(turned), turned.layers["cellgraph_raw"])
    np.testing.assert_array_equal(raw(cells[:7].copy()), expected[:7])
    cells.X[0] = -0.0
    keep_raw(cells, expected, cells.X)
    wide = cells.copy()
    wide.X = csr_matrix(cells.X.astype(np.float64))
    np.testing.assert_array_equal(raw(wide), expected)
    np.testing.assert_array_equal(raw(read(write(cells, tmp_path / "cells.h5ad"))), expected)


def test_changed_features_start_from_their_new_values(cells):
    cells.X[3, 1] += 1
    found = raw(cells)
    np.testing.assert_array_equal(found[:, 1], cells.X[:, 1])
    np.testing.assert_array_equal(found[:, [0, 2]], cells.layers["cellgraph_raw"][:, [0, 2]])
    cells.X = cells.X * 2
    assert measured(cells) is cells.X


def test_a_layer_of_others_is_refused(cells):
    del cells.uns["cellgraph_clr"]["scaled"]
    with pytest.raises(CellGraphError, match="'cellgraph_raw' as `cgc.pp.scale_features` writes it"):
        measured(cells)


def test_joined_samples_are_known(cells):
    other = cells[:5].copy()
    keep_raw(other, other.X * 3, other.X)
    both = AnnData(np.concatenate([cells.X, other.X]), var=cells.var)
    both.layers["cellgraph_raw"] = both.X + 1
    join_scaled(both, [cells, other])
    np.testing.assert_array_equal(raw(both), both.X + 1)
    both.X[0, 0] += 1
    assert raw(both)[0, 0] == both.X[0, 0]
    join_scaled(both, [cells, AnnData(other.X)])
    with pytest.raises(CellGraphError):
        measured(both)


def test_concat_joins_what_scaling_wrote(adata):
    joined = concat({"one": adata, "two": adata[:40].copy(), "three": pp.scale_features(adata[:9].copy(), copy=True)})
    assert "scaled" in joined.uns["cellgraph_clr"]
    joined = concat({"one": adata, "three": pp.scale_features(adata[:90].copy(), method="zscore", copy=True)})
    before = joined.layers["cellgraph_raw"].copy()
    pp.scale_features(joined, method="zscore")
    np.testing.assert_array_equal(joined.layers["cellgraph_raw"], before)
    joined.X = joined.X + 1
    pp.scale_features(joined)
    assert not np.array_equal(joined.layers["cellgraph_raw"], before)
