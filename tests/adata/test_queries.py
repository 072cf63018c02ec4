"""What a query selects: masks, ids, names, categories, vectors; and what it cannot."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from cellgraph_clr._core.errors import EmptyQueryError, MissingKeyError, ShapeError
from cellgraph_clr.adata.queries import query_rows, query_vectors


@pytest.fixture
def cells():
    obs = {"cell_id": [5, 2, 9, 5], "kind": pd.Categorical(["a", "b", "a", "c"]), "library_id": ["s", "s", "s", "t"]}
    obs["size"] = [0.5, 2.0, np.nan, 4.0]
    return AnnData(obs=pd.DataFrame(obs, index=list("wxyz")))


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ([False, True, False, True], [1, 3]),
        (2, [1]),
        ([9, 2], [1, 2]),
        ({9, 2}, [1, 2]),
        ("z", [3]),
        (["z", "w"], [0, 3]),
        ({"kind": "a"}, [0, 2]),
        ({"kind": ["a", "c"], "library_id": "t"}, [3]),
        ({"library_id": "s", "cell_id": 5}, [0]),
        ({"cell_id": [2.0, 9.0]}, [1, 2]),
        ({"size": 2}, [1]),
        ({"size": "2"}, [1]),
        ({"size": 0.5}, [0]),
        (np.array([9, 2], object), [1, 2]),
        (np.array([False, True, False, True], object), [1, 3]),
        (np.array(["z"], object), [3]),
    ],
)
def test_every_kind_of_query(cells, query, rows):
    assert query_rows(cells, query).tolist() == rows


@pytest.mark.parametrize(
    ("query", "error", "text"),
    [
        ([True], ShapeError, "a mask of 4 cells"),
        ([False] * 4, EmptyQueryError, "a mask without True"),
        ([], EmptyQueryError, "an empty list"),
        ([9.0, 2.0], EmptyQueryError, r"found 9.0, 2.0. Ids are whole numbers: convert them to int"),
        (9.0, EmptyQueryError, "found 9.0. Ids are whole"),
        ([9, 2.5], EmptyQueryError, "found 9.0, 2.5. Ids are whole"),
        ([np.nan], EmptyQueryError, "found nan. Ids are whole"),
        ([None], EmptyQueryError, "found None. Ids are whole"),
        ({"cell_id": 2.5}, EmptyQueryError, "cell_id = 2.5, found values"),
        (8, EmptyQueryError, "no cell with id 8. The nearest ids are 9"),
        (5, EmptyQueryError, "2 cells for 1 ids, in several samples"),
        ("v", EmptyQueryError, "no row named v"),
        ({"kind": "d"}, EmptyQueryError, "kind = d, found values a, b, c"),
        ({"kind": "c", "library_id": "s"}, EmptyQueryError, "found none. Loosen"),
        ({"kin": "a"}, MissingKeyError, "Did you mean 'kind'"),
    ],
)
def test_queries_that_select_nothing_are_named(cells, query, error, text):
    with pytest.raises(error, match=text):
        query_rows(cells, query)


def test_vectors_are_those_of_the_rows_or_as_given(cells):
    vectors = np.arange(8.0).reshape(4, 2)
    found, rows = query_vectors(cells, {"kind": "a"}, vectors)
    assert (found.tolist(), rows.tolist()) == ([[0, 1], [4, 5]], [0, 2])
    found, rows = query_vectors(cells, [0.5, 1.5], vectors)
    assert (found.tolist(), rows.tolist()) == ([[0.5, 1.5]], [])
    with pytest.raises(ShapeError, match="query vectors of width 2"):
        query_vectors(cells, [0.5], vectors)


def test_a_series_is_taken_by_the_names_of_its_cells(cells):
    mask = pd.Series([True, False, False, True], index=list("wxyz"))
    assert query_rows(cells, mask[::-1]).tolist() == [0, 3]
    assert query_rows(cells, mask[["y", "w", "z", "x"]].astype("boolean")).tolist() == [0, 3]
    assert query_rows(cells, mask.reset_index(drop=True)).tolist() == [0, 3]  # without their names: as it stands


def test_an_anndata_is_no_query(cells):
    with pytest.raises(EmptyQueryError, match="`reference=`"):
        query_rows(cells, cells)


def test_floats_are_vectors_and_never_ids(cells):
    with pytest.raises(ShapeError, match=r"width 2, found \(1, 3\). .* ids are whole: convert them to int"):
        query_vectors(cells, [5.0, 2.0, 9.0], np.zeros((4, 2)))
