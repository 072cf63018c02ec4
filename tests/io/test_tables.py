"""`from_table`: ids, samples, unknown labels, bad input."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr import from_table, validate
from cellgraph_clr._core.errors import (
    CellGraphError,
    GeometryError,
    MissingKeyError,
    NoCellsError,
    NonFiniteError,
    OptionError,
)

pytestmark = pytest.mark.filterwarnings("ignore:The columns .* are left out")


def frame():
    return pd.DataFrame(
        {
            "id": [9, 4, 7],
            "x": [0.0, 1, 2],
            "y": [5.0, 6, 7],
            "gene": [1.0, np.nan, 3.0],
            "kind": ["a", None, "b"],
            "slide": ["s", "s", "t"],
            "flag": [True, False, True],
        }
    )


def test_tables_keep_ids_and_name_unknown_labels():
    adata = from_table(
        frame(), cell_id="id", position=["x", "y"], features=["gene"], obs=["kind", "flag"], unit="micrometer"
    )
    assert adata.obs["cell_id"].tolist() == [9, 4, 7]
    assert adata.obs["kind"].tolist() == ["a", "unassigned", "b"]
    assert adata.obs["flag"].dtype == bool
    np.testing.assert_array_equal(adata.obsm["spatial"], frame()[["x", "y"]])
    assert np.isnan(adata.X[1, 0])
    assert validate(adata) == []
    samples = from_table(frame(), cell_id="id", position=["x", "y"], library_key="slide", unit="micrometer")
    assert samples.obs_names.tolist() == ["s-9", "s-4", "t-7"]
    assert samples.obs["library_id"].tolist() == ["s", "s", "t"]
    assert samples.obs["slide"].tolist() == ["s", "s", "t"]
    frames = from_table(
        frame().rename(columns={"slide": "region"}),
        cell_id="id",
        position=["x", "y"],
        library_key="region",
        unit="pixel",
    )
    assert frames.obs["region"].unique().tolist() == ["cells"]


def test_bad_tables_are_named():
    with pytest.raises(NoCellsError, match="a table with rows"):
        from_table(frame()[:0], cell_id="id", position=["x", "y"], unit="micrometer")
    with pytest.raises(MissingKeyError, match="'gen' in `df.columns`.*Did you mean 'gene'"):
        from_table(frame(), cell_id="id", position=["x", "y"], features=["gen"], unit="micrometer")
    with pytest.raises(CellGraphError, match="numeric features, found text in kind"):
        from_table(frame(), cell_id="id", position=["x", "y"], features=["kind"], unit="micrometer")
    with pytest.raises(NonFiniteError, match=r"positions, found 1 values that are NaN or infinite in gene \(1\)"):
        from_table(frame(), cell_id="id", position=["x", "gene"], unit="micrometer")
    with pytest.raises(CellGraphError, match="whole numbers in 'kind'"):
        from_table(frame(), cell_id="kind", position=["x", "y"], unit="micrometer")
    with pytest.raises(CellGraphError, match="a sample for every cell in 'kind', found 1 cells without"):
        from_table(frame(), cell_id="id", position=["x", "y"], library_key="kind", unit="micrometer")


def test_a_region_column_of_the_user_is_kept():
    df = frame().assign(region=["head", "tail", "head"])
    adata = from_table(df, cell_id="id", position=["x", "y"], obs=["region"], unit="micrometer")
    assert adata.obs["region"].tolist() == ["head", "tail", "head"]
    assert adata.uns["spatialdata_attrs"]["region_key"] == "cells"


def test_ids_are_whole_and_told_apart():
    for ids, said in (
        ([np.inf, 4, 7], "whole numbers in 'id', found inf"),
        ([1e300, 4, 7], r"up to 2\*\*53, .*found 1e\+300"),
        (np.array([2**63 + 5, 4, 7], np.uint64), r"up to 2\*\*63 - 1, found 9223372036854775813"),
        ([-1, 4, 7], "'id' of 0 and above, found -1"),
        (
            ["7", "4", "8"],
            r"whole numbers in 'id', found '7', '4', '8'. They are text: convert them by astype\(int\)",
        ),
    ):
        with pytest.raises(CellGraphError, match=said):
            from_table(frame().assign(id=ids), cell_id="id", position=["x", "y"], unit="micrometer")


@pytest.mark.parametrize("name", ["cell_id", "library_id"])
def test_columns_that_say_which_cell_is_which_come_from_the_arguments(name):
    df = frame().assign(**{name: [3, 1, 2]})
    with pytest.raises(OptionError, match=rf"'{name}' from the column that .*Pass `\w+='{name}'`"):
        from_table(df, cell_id="id", position=["x", "y"], obs=[name], unit="micrometer")
    owner = {"cell_id": name} if name == "cell_id" else {"cell_id": "id", "library_key": name}
    adata = from_table(df, position=["x", "y"], obs=[name, "kind"], unit="micrometer", **owner)
    assert adata.obs[name].astype(int).tolist() == [3, 1, 2]
    assert adata.obs["kind"].tolist() == ["a", "unassigned", "b"]


def test_frames_tell_cells_of_one_id_apart():
    df = frame().assign(id=[9, 9, 7], frame=[0.0, 1.0, 1.0])
    adata = from_table(df, cell_id="id", position=["x", "y"], obs=["frame"], unit="micrometer")
    assert adata.obs["frame"].tolist() == [0, 1, 1]
    assert adata.obs["frame"].dtype == np.int64
    for bad in ([0, np.nan, 1], ["a", "b", "c"]):
        with pytest.raises(CellGraphError, match="whole numbers in the column 'frame', found"):
            from_table(df.assign(frame=bad), cell_id="id", position=["x", "y"], obs=["frame"], unit="micrometer")


def test_values_that_float32_does_not_hold_are_named():
    options = {"cell_id": "id", "position": ["x", "y"], "features": ["gene", "wide"], "unit": "micrometer"}
    with pytest.warns(UserWarning, match="several that differ in wide") as seen:
        from_table(frame().assign(wide=[2**40 + 1, 2**40 + 2, 2**40 + 3]), **options)
    assert [w.filename for w in seen] == [__file__]
    with pytest.raises(NonFiniteError, match=r"larger ones in wide\. "):
        from_table(frame().assign(wide=[1e40, 1, 2]), **options)
    with pytest.raises(GeometryError, match="extent between"):
        from_table(frame().assign(x=[1e200, 0, 1]), **options | {"features": []})


def test_missing_values_of_nullable_columns_are_nan():
    df = frame().assign(
        whole=pd.array([1, None, 3], dtype="Int64"), flag=pd.array([True, None, False], dtype="boolean")
    )
    adata = from_table(df, cell_id="id", position=["x", "y"], features=["whole", "flag"], unit="micrometer")
    np.testing.assert_array_equal(adata.X, np.array([[1, 1], [np.nan, np.nan], [3, 0]], np.float32))


def test_text_with_nul_is_named():
    with pytest.raises(CellGraphError, match="without the character NUL in 'kind'"):
        from_table(
            frame().assign(kind=["a\0", "b", "c"]), cell_id="id", position=["x", "y"], obs=["kind"], unit="pixel"
        )


def test_columns_that_are_left_out_are_told_where_none_is_taken():
    table = pd.DataFrame({"id": [1, 2], "x": [0.0, 1], "y": [0.0, 1], "CD3": [1.0, 2], "type": ["a", "b"]})
    where = {"cell_id": "id", "position": ["x", "y"], "unit": "micrometer"}
    with pytest.warns(UserWarning, match=r"The columns CD3, type are left out\. Pass `features=`") as told:
        from_table(table, **where)
    assert len(told) == 1
    from_table(table, **where, obs=["type"])
    from_table(table[["id", "x", "y"]], **where)
