"""Work goes on in the AnnData or in a copy of it; what lies on disk is named."""

import anndata as ad
import numpy as np
import pytest

from cellgraph_clr import pp
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr.adata.copies import check_in_memory, check_writable, own_or_copy


def test_the_object_itself_or_a_copy():
    adata = ad.AnnData(np.ones((2, 1), np.float32))
    check_in_memory(adata)
    assert own_or_copy(adata, copy=False) is adata
    assert own_or_copy(adata, copy=True) is not adata


def test_what_is_backed_by_a_file_is_named(tmp_path):
    ad.AnnData(np.arange(6, dtype=np.float32).reshape(3, 2)).write_h5ad(tmp_path / "cells.h5ad")
    adata = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    assert own_or_copy(adata, copy=False) is adata
    for call in (lambda: own_or_copy(adata, copy=True), lambda: pp.scale_features(adata)):
        with pytest.raises(CellGraphError, match=r"in memory, found one backed by '.*cells.h5ad'.*`to_memory`"):
            call()
    view = adata[:2]
    for call in (
        lambda: check_writable(view),
        lambda: own_or_copy(view, copy=False),
        lambda: pp.split(view, by="cell"),
    ):
        with pytest.raises(CellGraphError, match="in memory"):
            call()
    check_writable(adata)
    adata.file.close()
