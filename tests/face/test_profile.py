"""`tl.profile`: a row for every window, with what the plate says of it; `tl.profile_cells`: beside every cell."""

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.models import DeepInfoMax


def test_windows_are_rows(tmp_path):
    plate = phenotype_plate(3, 2, side=64, random_state=0)
    small = {"n_steps": 2, "n_features": 6, "n_hidden": 4, "window_px": 32, "batch_size": 4, "progress": False}
    adata = cgc.tl.profile(plate, samples=["sample_00", "sample_02"], **small)
    assert adata.n_obs == 6 * 4
    assert {"sample", "well", "field", "x", "y", "foreground", "learned"} <= set(adata.obs.columns)
    assert set(adata.obs.loc[~adata.obs["learned"], "sample"]) == {"sample_01"}
    assert adata.obsm["X_infomax"].shape == (24, 6)
    cgc.tl.cluster(adata, method="gmm", n_clusters=2, use_rep="X_infomax")
    adata.write_h5ad(tmp_path / "p.h5ad")
    model = DeepInfoMax(**small).fit(plate)
    again = cgc.tl.profile(plate, model=model)
    np.testing.assert_allclose(again.obsm["X_infomax"], model.transform(plate).drop(columns="foreground"))
    with pytest.raises(OptionError, match="no training options beside `model`"):
        cgc.tl.profile(plate, model=model, n_steps=3)


def test_cells_are_a_graph_like_any_other(tmp_path):
    plate = phenotype_plate(3, 2, side=64, random_state=0)
    small = {"n_steps": 2, "n_features": 6, "n_hidden": 4, "window_px": 32, "batch_size": 4, "progress": False}
    adata = cgc.from_plate(plate, spacing=(0.5, 0.5), unit="micrometer")
    assert adata.n_obs == sum(len(np.unique(plate.labels(i))) - 1 for i in range(len(plate)))
    assert {"sample", "well", "field", "line", "library_id"} <= set(adata.obs.columns)
    cgc.tl.profile_cells(adata, plate, **small)
    assert np.isfinite(adata.obsm["X_infomax"]).all(axis=None)
    cgc.gr.knn_graph(adata, n_neighbors=2, library_key="library_id")
    cgc.tl.embed(adata, use_rep="X_infomax", n_steps=2, n_dims=4, n_hidden=8, progress=False)
    cgc.write(adata, tmp_path / "cells.h5ad")
    shuffled = adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()
    model = DeepInfoMax(**small).fit(plate)
    one = cgc.tl.profile_cells(shuffled, plate, model=model, copy=True).obsm["X_infomax"]
    other = cgc.tl.profile_cells(adata, plate, model=model, copy=True).obsm["X_infomax"]
    np.testing.assert_array_equal(one.loc[other.index], other)
    bare = cgc.Plate(plate.table, plate.read, plate.channels)
    with pytest.raises(OptionError, match="a plate with labels"):
        cgc.from_plate(bare)
    with pytest.raises(OptionError, match="a plate with labels"):
        cgc.tl.profile_cells(adata, bare)
    del adata.obs["line"]
    with pytest.raises(MissingKeyError, match="from_plate"):
        cgc.tl.profile_cells(adata, plate)
