"""What napari gets; SpatialData is tested in tests/interop."""

import importlib.util

import numpy as np
import pytest

from cellgraph_clr import from_spatialdata, to_napari, to_spatialdata
from cellgraph_clr._core.errors import MissingDependencyError


def test_napari_finds_rows_by_label_id(any_tissue):
    adata = any_tissue.adata()[::-1]
    data, options, kind = to_napari(adata, any_tissue.image)
    assert kind == "labels"
    assert data is any_tissue.image.labels
    assert options["scale"] == list(any_tissue.image.spacing)
    table = options["features"].set_index("index")
    assert set(table.index) == set(np.unique(data)) - {0}
    name = adata.var_names[0]
    np.testing.assert_array_equal(table.loc[adata.obs["cell_id"], name], adata[:, name].X[:, 0])


@pytest.mark.skipif(importlib.util.find_spec("spatialdata") is not None, reason="spatialdata is installed")
def test_without_spatialdata_the_extra_is_named(any_tissue):
    with pytest.raises(MissingDependencyError, match=r"cellgraph-clr\[spatial\]"):
        to_spatialdata(any_tissue.adata(), any_tissue.image)
    with pytest.raises(MissingDependencyError):
        from_spatialdata(None, "cells")
