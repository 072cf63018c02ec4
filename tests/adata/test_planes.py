"""Planes that tissue is looked at in."""

import numpy as np
import pytest
from anndata import AnnData

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.adata.planes import in_slab, plane


def test_planes_and_slabs_are_named_by_axes():
    cells = AnnData(np.zeros((4, 0)))
    cells.obsm["spatial"] = np.array([[0.0, 10, 100], [1, 11, 101], [2, 12, 102], [3, 13, 103]])
    assert plane(cells, "xz")[1].tolist() == [1, 101]
    assert plane(cells, "yz")[0].tolist() == [10, 100]
    assert in_slab(cells, "xy", (101, 102)).tolist() == [False, True, True, False]
    assert in_slab(cells, "yz", (3, 9)).tolist() == [False, False, False, True]
    assert in_slab(cells, "xy", None).all()
    with pytest.raises(OptionError, match="`slab` as a lowest and a highest"):
        in_slab(cells, "xy", (2, 1))
    cells.obsm["spatial"] = cells.obsm["spatial"][:, :2]
    assert in_slab(cells, "xy", (5, 6)).all()
    with pytest.raises(OptionError, match="projection of 2D cells"):
        plane(cells, "xz")
