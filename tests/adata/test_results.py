"""Results where tools and people look for them: classes, confidence, rows by cell, features as measured."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import MissingKeyError, NonFiniteError
from cellgraph_clr.adata.labels import classes_of
from cellgraph_clr.adata.reading import raw_values, read_features, representation
from cellgraph_clr.adata.results import cell_keys, forget_column, write_by_cell, write_classes


@pytest.fixture
def cells():
    obs = pd.DataFrame({"cell_id": [3, 3, 9], "frame": [0, 1, 1]}, index=list("xyz"))
    var = pd.DataFrame({"unit": ["um", "1"]}, index=["length", "ratio"])
    adata = AnnData(np.arange(6, dtype=np.float32).reshape(3, 2), obs=obs, var=var)
    adata.obsm["X_one"] = np.ones((3, 4))
    return adata


def test_classes_are_written_with_confidence_and_refusals(cells):
    proba = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
    keys = write_classes(cells, "kind", proba, ["a", "b"], np.array([False, True, False]))
    assert keys == ["obs['kind']", "obs['kind_confidence']", "obsm['kind_proba']"]
    assert cells.obs["kind"].tolist() == ["a", "unassigned", "b"]
    assert cells.obs["kind"].cat.categories.tolist() == ["a", "b", "unassigned"]
    np.testing.assert_allclose(cells.obs["kind_confidence"], [0.9, 0.6, 0.7], rtol=1e-6)
    assert cells.obsm["kind_proba"].columns.tolist() == ["a", "b"]
    assert cells.obsm["kind_proba"].index.tolist() == ["x", "y", "z"]
    write_classes(cells, "kind", proba, ["a", "b"], np.zeros(3, bool))
    assert cells.obs["kind"].cat.categories.tolist() == ["a", "b"]


def test_rows_go_to_the_cell_of_their_frame_and_id(cells):
    index = pd.MultiIndex.from_tuples([(1, 9), (0, 3), (5, 5)])
    write_by_cell(cells, "X_t", pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=index), cell_keys(cells, "frame", maker="…"))
    np.testing.assert_array_equal(cells.obsm["X_t"]["a"], [2.0, np.nan, 1.0])
    assert cells.obsm["X_t"].index.tolist() == ["x", "y", "z"]
    with pytest.raises(MissingKeyError, match=r"'line' in `adata.obs`.*`cgc.from_plate\(plate\)`"):
        cell_keys(cells, "line", maker="cgc.from_plate(plate)")


def test_columns_of_older_questions_are_forgotten(cells):
    forget_column(cells, "frame")
    forget_column(cells, "frame")
    assert cells.obs.columns.tolist() == ["cell_id"]


def test_representations_stand_side_by_side(cells):
    values, names = representation(cells, ["X_one", "X"])
    np.testing.assert_array_equal(values, np.hstack([np.ones((3, 4)), cells.X]))
    assert names == ["X_one", "X"]
    assert representation(cells, None)[1] == ["X"]
    cells.obsm["X_cellgraph"] = np.zeros((3, 1))
    assert representation(cells, None)[1] == ["X", "X_cellgraph"]
    cells.obsm["X_one"][1, 2] = np.nan
    with pytest.raises(NonFiniteError, match=r"values of 'X_one', found 1 .* in X_one_2 \(1\)"):
        representation(cells, "X_one")


def test_features_have_names_and_units_in_any_form(cells):
    assert [(i.name, i.unit) for i in read_features(cells, None)[1]] == [("length", "um"), ("ratio", "1")]
    cells.obsm["table"] = pd.DataFrame({"p": [1, 2, 3]}, index=cells.obs_names)
    values, info = read_features(cells, "table")
    assert (values.dtype, values.ravel().tolist(), [i.name for i in info]) == (np.float32, [1, 2, 3], ["p"])
    dense = cells.X.copy()
    cells.X = csr_matrix(dense)
    np.testing.assert_array_equal(read_features(cells, "X")[0], dense)
    with pytest.raises(MissingKeyError, match=r"features in `adata.X`.*obsm` holds \['X_one', 'table'\]"):
        read_features(cells[:, :0].copy(), None)


def test_values_as_measured_are_those_kept_by_scaling(cells):
    assert raw_values(cells, "length")[1] == "um"
    cells.layers["cellgraph_raw"] = cells.X + 100
    assert raw_values(cells, "length")[0].tolist() == [100, 102, 104]
    values, unit = raw_values(cells, "length", "X")
    assert (values.tolist(), unit) == ([0, 2, 4], "")  # scaled: no unit
    assert raw_values(cells, "ratio")[1] == ""
    cells.layers["other"] = csr_matrix(cells.X * 2)
    assert raw_values(cells, "ratio", "other")[0].tolist() == [2, 6, 10]
    with pytest.raises(MissingKeyError, match="'lenght' in `adata.var_names`.*Did you mean 'length'"):
        raw_values(cells, "lenght")


def test_columns_of_classes_have_no_slash(cells, tmp_path):
    cells.obs["kind"] = ["a", "b/c", "unassigned"]
    names = classes_of(cells, "kind")[1]
    write_classes(cells, "found", np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]), names, np.zeros(3, bool))
    assert list(cells.obsm["found_proba"].columns) == ["a", "b|c"]
    assert cells.obs["found"].tolist() == ["a", "b/c", "a"]
    back = cgc.read(cgc.write(cells, tmp_path / "a.h5ad"))
    assert list(back.obsm["found_proba"].columns) == ["a", "b|c"]


def test_class_names_are_those_known(cells):
    cells.obs["kind"] = ["a", "b", "unassigned"]
    codes, names = classes_of(cells, "kind")
    assert (codes.tolist(), names) == ([0, 1, -1], ["a", "b"])
