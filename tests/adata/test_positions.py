"""Where cells lie: arrays and tables are read alike, what has no distances is named."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from cellgraph_clr._core.errors import GeometryError, MissingKeyError, NonFiniteError, ShapeError
from cellgraph_clr.adata.positions import position_of


@pytest.fixture
def cells():
    adata = AnnData(np.zeros((3, 1), np.float32))
    adata.obsm["spatial"] = np.array([[0, 1], [2, 3], [4, 5]])
    return adata


def test_a_table_is_read_as_an_array(cells):
    expected = position_of(cells)
    assert expected.dtype == np.float64
    cells.obsm["spatial"] = pd.DataFrame(cells.obsm["spatial"], index=cells.obs_names)
    np.testing.assert_array_equal(position_of(cells), expected)


def test_bad_positions_are_named(cells):
    cells.obsm["spatial"] = np.array([[0, 1], [2, np.nan], [4, 5]])
    assert np.isnan(position_of(cells, whole=False)[1, 1])
    with pytest.raises(NonFiniteError):
        position_of(cells)
    cells.obsm["spatial"] = np.array([[0, 1], [2, 1e200], [4, 5]])
    assert position_of(cells, whole=False)[1, 1] == 1e200
    with pytest.raises(GeometryError):
        position_of(cells)
    cells.obsm["spatial"] = np.zeros((3, 4))
    with pytest.raises(ShapeError, match=r"obsm\['spatial'\] of shape"):
        position_of(cells, whole=False)
    del cells.obsm["spatial"]
    with pytest.raises(MissingKeyError, match="Set `adata.obsm"):
        position_of(cells)
