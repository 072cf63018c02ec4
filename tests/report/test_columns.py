"""Columns of `obs` and features: what is a class, what is a number, what is left out."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import MissingKeyError
from cellgraph_clr._report import columns
from cellgraph_clr._report.blocks import Blocks
from cellgraph_clr._report.columns import add_columns, categorical_columns, shown_features
from cellgraph_clr.adata.keys import UNASSIGNED
from tests.report.conftest import HOSTILE
from tests.report.test_blocks import unpacked


def test_classes_and_numbers_are_told_apart(cells):
    cells.obs["flag"] = np.arange(400) % 2 == 0
    cells.obs["text"] = ["a", None] * 200
    cells.obs["barcode"] = [f"b{i}" for i in range(400)]
    cells.obs["empty"] = np.nan
    cells.obs["day"] = pd.Timestamp("2020-01-01")
    assert categorical_columns(cells) == ["kind", "flag", "text"]
    rows = np.arange(399, -1, -1)
    blocks = Blocks()
    found = {c["name"]: c for c in add_columns(blocks, cells, rows, ["area"])}
    assert list(found) == ["kind", "flag", "text", "n_neighbors", "score", "area"] or set(found) == {
        "kind", "flag", "text", "n_neighbors", "score", "area",
    }  # fmt: skip
    text = found["text"]
    assert (text["names"], text["unassigned"]) == (["a", UNASSIGNED], 1)
    assert text["count"] == [200, 200]
    np.testing.assert_array_equal(unpacked(blocks, text["block"])[:4], [1, 0, 1, 0])
    assert "kind_colors" not in cells.uns


def test_codes_name_the_class_of_each_row(cells):
    blocks, rows = Blocks(), np.array([7, 3, 250])
    kind = next(c for c in add_columns(blocks, cells, rows, []) if c["name"] == "kind")
    codes = unpacked(blocks, kind["block"])
    assert [kind["names"][c] for c in codes] == [str(v) for v in cells.obs["kind"].iloc[rows]]
    assert set(kind["names"]) <= set(HOSTILE)


def test_numbers_are_as_measured_with_their_unit(cells):
    cells.layers["cellgraph_raw"] = cells.X * 10
    blocks = Blocks()
    area = add_columns(blocks, cells, np.arange(400), ["area"])[-1]
    assert area["unit"] == "µm²"
    np.testing.assert_allclose(unpacked(blocks, area["block"]), 10 * cells.X[:, 0], rtol=2**-12)
    assert area["low"] == pytest.approx(np.percentile(10 * cells.X[:, 0], 1), rel=1e-3)


def test_as_many_features_as_a_small_file_allows(cells, monkeypatch):
    assert shown_features(cells, 400, None) == list(cells.var_names)
    monkeypatch.setattr(columns, "MOST_VALUES", 400)
    assert shown_features(cells, 400, None) == ["area"]
    assert shown_features(cells, 400, ["<i>round</i>", "area"]) == ["<i>round</i>", "area"]
    with pytest.raises(MissingKeyError, match="Did you mean 'area'"):
        shown_features(cells, 400, ["aera"])
