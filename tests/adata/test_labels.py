"""Label columns as codes: missing ones, sorted or as they are listed."""

import re

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from cellgraph_clr._core.errors import LabelKeyError
from cellgraph_clr.adata.labels import classes_of, label_codes


def _adata(values, categories=None):
    column = pd.Categorical(values, categories=categories) if categories else values
    return AnnData(obs=pd.DataFrame({"c": column}, index=[str(i) for i in range(len(values))]))


def test_codes_are_sorted_and_unknown_is_minus_one():
    codes, names = label_codes(_adata(["b", "unassigned", "a", None]), "c")
    assert names == ["a", "b"]
    np.testing.assert_array_equal(codes, [1, -1, 0, -1])
    with pytest.raises(LabelKeyError, match="'d' in `adata.obs`"):
        label_codes(_adata(["a"]), "d")


def test_clusters_come_in_the_order_of_their_categories():
    adata = _adata(["10", "9", "2", None], ["2", "9", "10", "11"])
    assert label_codes(adata, "c")[1] == ["10", "2", "9"]
    codes, names = label_codes(adata, "c", as_listed=True)
    assert names == ["2", "9", "10"]
    np.testing.assert_array_equal(codes, [2, 1, 0, -1])
    codes, names = label_codes(_adata(["z", "x"]), "c", as_listed=True)
    assert names == ["x", "z"]


def test_classes_that_are_one_as_text_are_named():
    with pytest.raises(LabelKeyError, match=r"classes of one type in obs\['c'\], found '1' as int, str\."):
        label_codes(_adata(np.array([1, "1", 2, None], object)), "c")
    assert label_codes(_adata(np.array([1, 2, None], object)), "c")[1] == ["1", "2"]
    assert label_codes(_adata(["1", "2", "1"]), "c")[1] == ["1", "2"]


@pytest.mark.parametrize(("name", "said"), [("a/b", "found a/b and with |"), ("a\0", "the character NUL in 'a")])
def test_classes_that_files_do_not_hold_as_columns_are_named(name, said):
    with pytest.raises(LabelKeyError, match=re.escape(said)):
        classes_of(_adata([name, "a|b"]), "c")
