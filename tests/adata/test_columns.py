"""Columns that files cannot hold are told before they are written, and no others."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cellgraph_clr import validate, write
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr.adata.columns import unwritable_columns

FIT = {
    "text": ["a", "b"],
    "missing": ["a", None],
    "category": pd.Categorical(["a", None]),
    "numbers": pd.Categorical([1.5, 2]),
    "flags": pd.array([True, None], dtype="boolean"),
    "string": pd.array(["a", None], dtype="string"),
}
UNFIT = {
    "mixed": (np.array([1, "a"], object), r"objects that are no text \(int\)"),
    "whole": (np.array([1, 2], object), r"objects that are no text \(int\)"),
    "lists": (pd.Series([["a"], "b"], index=["0", "1"]), r"objects that are no text \(list\)"),
    "codes": (pd.Categorical(np.array([1, "a"], object)), r"objects that are no text \(int\)"),
    "nul": (["a\0", "b"], "the character NUL"),
    "nuls": (pd.Categorical(["a\0", "b"]), "the character NUL"),
    "dates": (pd.to_datetime(["2020", "2021"]), "dates or times"),
}


@pytest.fixture
def cells():
    return ad.AnnData(np.zeros((2, 1), np.float32))


@pytest.mark.parametrize("kind", FIT)
def test_what_files_hold_passes(cells, kind, tmp_path):
    cells.obs["x"] = FIT[kind]
    assert unwritable_columns(cells) == []
    write(cells, tmp_path / "cells.h5ad")


@pytest.mark.parametrize("kind", UNFIT)
def test_what_files_do_not_hold_is_named(cells, kind, tmp_path):
    values, said = UNFIT[kind]
    cells.obs["x"] = values
    with pytest.raises(FileFormatError, match=rf"obs\['x'\] holds {said}|obs\['x'\] holds text with {said}"):
        write(cells, tmp_path / "cells.h5ad")
    assert not list(tmp_path.iterdir())
    assert any("obs['x'] holds" in p for p in validate(cells))


def test_columns_of_features_are_looked_at(cells):
    cells.var["x"] = np.array([1], object)
    assert unwritable_columns(cells) == ["var['x'] holds objects that are no text (int): convert it by `.astype(str)`."]
