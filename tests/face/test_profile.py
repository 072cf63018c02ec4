"""`tl.profile`: a row for every window, with what the plate says of it."""

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.models import DeepInfoMax


def test_windows_are_rows(tmp_path):
    plate = phenotype_plate(3, 2, side=64, random_state=0)
    small = {"n_steps": 2, "n_features": 6, "n_hidden": 4, "size": 32, "batch_size": 4, "progress": False}
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
