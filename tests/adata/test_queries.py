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
