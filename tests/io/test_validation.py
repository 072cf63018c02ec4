"""`validate` sees what is wrong, and accepts what files hold."""

import anndata as ad
import pandas as pd
from scipy.sparse import csr_matrix

from cellgraph_clr import validate


def test_validate_sees_what_is_wrong(adata, tissue_2d):
    assert validate(adata, tissue_2d.image) == []
    bad = adata.copy()
    bad.obs["cell_id"] = bad.obs["cell_id"].to_numpy() * 0
    bad.obs["kind"] = pd.Categorical([None] + ["a"] * (bad.n_obs - 1))
    matrix = bad.obsp["spatial_connectivities"].copy()
    matrix.data[0] = 0
    bad.obsp["spatial_connectivities"] = matrix
    bad.uns["odd"] = {"shape": (1, 2)}
    problems = "\n".join(validate(bad, tissue_2d.image))
    for text in (
        "0 is the background",
        "repeats within",
        "explicit zeros",
        "NaN labels",
        "is a tuple",
        "only in the labels",
    ):
        assert text in problems


def test_validate_accepts_what_anndata_writes(adata, tmp_path):
    adata.uns["settings"] = {"seed": None, "names": ["a", "b"], "width": 0.5}
    assert validate(adata) == []
    adata.write_h5ad(tmp_path / "cells.h5ad")
    back = ad.read_h5ad(tmp_path / "cells.h5ad")
    assert back.uns["settings"]["seed"] is None
    assert validate(back) == []


def test_validate_reports_what_it_cannot_read(adata):
    adata.obsm["spatial"] = adata.obsm["spatial"] * 1e200
    adata.obs["frame"] = "a"
    problems = "\n".join(validate(adata))
    assert "extent between" in problems
    assert "whole numbers in obs['frame']" in problems
    adata.obsm["spatial"] = csr_matrix(adata.obsm["spatial"])
    assert "a sparse csr matrix" in "\n".join(validate(adata))
    adata.uns["cellgraph_clr"] = 5
    assert "a mapping at `adata.uns['cellgraph_clr']`" in "\n".join(validate(adata))


def test_validate_reports_edges_between_samples(adata):
    adata.obs["library_id"] = pd.Categorical(["a", "b"] * (adata.n_obs // 2) + ["a"] * (adata.n_obs % 2))
    name = adata.obs["library_id"].to_numpy()
    rows, columns = adata.obsp["spatial_connectivities"].nonzero()
    across = (name[rows] != name[columns]).sum() // 2
    assert f"joins cells of two samples by {across} edges" in "\n".join(validate(adata))
