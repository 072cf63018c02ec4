"""Regions like a query: the rim of the query is no other place."""

import warnings

import numpy as np
import pandas as pd
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import OptionError

SIDE = 20


def tissue(alike):
    """Return a lattice of cells whose vectors are alike where told, (y, x) bool, and drawn by chance elsewhere."""
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1)
    table = pd.DataFrame({"x": x * 10.0, "y": y * 10.0, "f": 1.0})
    adata = cgc.from_table(table, cell_id=None, position=["x", "y"], features=["f"], unit="micrometer")
    cgc.gr.radius_graph(adata, radius=10.5)
    vectors = np.random.default_rng(0).normal(size=(SIDE**2, 8))
    vectors[alike.ravel()] = [4, 0, 0, 0, 0, 0, 0, 0]
    adata.obsm["X_context"] = vectors.astype(np.float32)
    return adata


def box(y0, y1, x0, x1):
    out = np.zeros((SIDE, SIDE), bool)
    out[y0:y1, x0:x1] = True
    return out


QUERY, RING, FAR = box(4, 10, 4, 10), box(3, 11, 3, 11), box(4, 10, 14, 19)


def found(adata, query, **options):
    table = cgc.tl.retrieve_regions(adata, query.ravel(), use_rep="X_context", n_smooth=0, **options)
    return table, adata.obs["retrieval_region"].to_numpy().reshape(SIDE, SIDE)


def test_other_places_are_found_and_the_rim_is_not():
    table, region = found(tissue(RING | FAR), QUERY)
    assert len(table) == 1
    np.testing.assert_array_equal(region > 0, FAR)


def test_with_the_query_all_is_one_region():
    _, region = found(tissue(RING | FAR), QUERY, exclude_query=False, max_cells=None)
    assert (region[RING] > 0).all()


def test_a_region_that_only_begins_beside_the_query_is_another_place():
    beside = box(3, 11, 10, 14)  # four cells wide: one of them has neighbors in the query
    _, region = found(tissue(QUERY | beside), QUERY)
    np.testing.assert_array_equal(region > 0, beside)


def test_where_there_is_nothing_but_the_rim_it_is_said():
    adata = tissue(RING)
    with pytest.warns(UserWarning, match="the rim of the query itself"):
        table, region = found(adata, QUERY)
    assert len(table) == 0
    assert not region.any()


def test_cells_between_those_of_a_scattered_query_are_found():
    scattered = QUERY & (np.indices((SIDE, SIDE)).sum(axis=0) % 2 == 0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* lie in .* pieces")
        table, region = found(tissue(QUERY | FAR), scattered, min_cells=1)
    assert (region[QUERY & ~scattered] > 0).all()
    assert len(table) > 1


@pytest.mark.parametrize("wrong", [-1, 10_001, 10**9])
def test_steps_of_smoothing_have_a_limit(wrong):
    with pytest.raises(OptionError, match=f"`n_smooth` to be a whole number between 0 and 10000, found {wrong}"):
        cgc.tl.retrieve_regions(tissue(QUERY), QUERY.ravel(), use_rep="X_context", n_smooth=wrong)


def test_vectors_that_do_not_differ_find_nothing():
    adata = tissue(QUERY)
    adata.obsm["X_context"] = np.ones((SIDE**2, 4), np.float32)
    with pytest.raises(cgc.CellGraphError, match="the same for all in 'X_context'"):
        found(adata, QUERY)


def test_a_table_of_nothing_has_the_columns_of_one_with_regions():
    adata = tissue(QUERY | FAR)
    full, _ = found(adata, QUERY)
    with pytest.warns(UserWarning, match="No region"):
        empty, _ = found(adata, QUERY, min_cells=300)
    assert len(full) > 0
    assert len(empty) == 0
    assert empty.columns.tolist() == full.columns.tolist()
    assert empty.dtypes.tolist() == full.dtypes.tolist()
    assert empty.index.name == full.index.name
    assert empty.index.dtype == full.index.dtype
