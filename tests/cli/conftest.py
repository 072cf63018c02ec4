"""A file that commands read: cells with a contact graph, kinds and vectors."""

import numpy as np
import pytest

from cellgraph_clr import gr, write


@pytest.fixture
def cells(tissue_2d, tmp_path):
    adata = tissue_2d.adata()
    gr.contact_graph(adata)
    adata.obs["kind"] = adata.obs["true_niche"].astype(str).astype("category")
    adata.obsm["X_cellgraph"] = np.nan_to_num(np.asarray(adata.X[:, :4], np.float32))
    write(adata, tmp_path / "a.h5ad")
    return tmp_path / "a.h5ad"
