"""`from_table`: ids, samples, unknown labels, bad input."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr import from_table, validate
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, NoCellsError, NonFiniteError


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
