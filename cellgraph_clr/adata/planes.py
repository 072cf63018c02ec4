"""Planes that tissue is looked at in: two coordinates of every cell, and a slab along the third."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_option, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.adata.positions import position_of

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["PROJECTIONS", "in_slab", "plane"]

PROJECTIONS = ("xy", "xz", "yz")


def plane(adata: AnnData, projection: str) -> np.ndarray:
    """Return the two coordinates (n, 2) of a projection; raises `OptionError`, and as `position_of`."""
    check_option("projection", projection, PROJECTIONS)
    xyz = position_of(adata, whole=False)
    columns = ["xyz".index(a) for a in projection]
    if max(columns) >= xyz.shape[1]:
        check_option("projection of 2D cells", projection, ("xy",))
    return xyz[:, columns]


def in_slab(adata: AnnData, projection: str, slab: tuple[float, float] | None) -> np.ndarray:
    """Return the rows (bool) of cells within `slab` along the axis that the projection drops; all for None or in 2D.

    Raises `OptionError` for anything but two numbers, the lower first.
    """
    if slab is not None and not (
        np.shape(slab) == (2,) and np.asarray(slab).dtype.kind in "iuf" and slab[0] <= slab[1]
    ):
        raise OptionError(expected("`slab` as a lowest and a highest coordinate", repr(slab), "Pass two numbers."))
    xyz = position_of(adata, whole=False)
    if slab is None or xyz.shape[1] == 2:
        return np.ones(len(xyz), bool)
    depth = next(i for i, a in enumerate("xyz") if a not in projection)
    return (xyz[:, depth] >= slab[0]) & (xyz[:, depth] <= slab[1])
