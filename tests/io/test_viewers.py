"""What napari gets; SpatialData is tested in tests/interop."""

import importlib.util

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgba

from cellgraph_clr import from_spatialdata, to_napari, to_spatialdata
from cellgraph_clr._core.errors import MissingDependencyError, MissingKeyError
from cellgraph_clr.pl import spatial


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


def test_labels_have_the_colors_of_plots(tissue_2d):
    adata = tissue_2d.adata()
    adata.obs["kind"] = adata.obs["true_type"].cat.add_categories("unassigned")
    adata.obs.iloc[:20, adata.obs.columns.get_loc("kind")] = "unassigned"
    _, options, _ = to_napari(adata, tissue_2d.image, color="kind")
    assert "kind_colors" not in adata.uns
    spatial(adata, "kind", show=False)
    shown = dict(zip(adata.obs["kind"].cat.categories, adata.uns["kind_colors"], strict=True))
    for cell, kind in zip(adata.obs["cell_id"], adata.obs["kind"], strict=True):
        assert options["colormap"][int(cell)] == to_rgba(shown[kind])
    assert options["colormap"][0][3] == options["colormap"][None][3] == 0
    _, options, _ = to_napari(adata, tissue_2d.image, color="area")
    values = adata[:, "area"].X[:, 0]
    for row, share in ((values.argmin(), 0.0), (values.argmax(), 1.0)):
        assert options["colormap"][int(adata.obs["cell_id"].iloc[row])] == pytest.approx(colormaps["viridis"](share))
    with pytest.raises(MissingKeyError, match="no"):
        to_napari(adata, tissue_2d.image, color="no")


@pytest.mark.skipif(importlib.util.find_spec("spatialdata") is not None, reason="spatialdata is installed")
def test_without_spatialdata_the_extra_is_named(any_tissue):
    with pytest.raises(MissingDependencyError, match=r"cellgraph-clr\[spatial\]"):
        to_spatialdata(any_tissue.adata(), any_tissue.image)
    with pytest.raises(MissingDependencyError):
        from_spatialdata(None, "cells")
