"""Where the cells of an AnnData lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import check_key
from cellgraph_clr._core.positions import as_positions, check_positions
from cellgraph_clr.adata.copies import check_anndata

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData

__all__ = ["position_of"]


def position_of(adata: AnnData, *, whole: bool = True) -> np.ndarray:
    """Return `obsm["spatial"]` as (n, d) float64, x, y(, z); d is 2 or 3.

    Parameters
    ----------
    adata : with positions, an array or a DataFrame of numbers.
    whole : refuse positions that are not finite, and cells too far apart or too near; False takes them as they are.

    Raises
    ------
    MissingKeyError
        Without positions.
    ShapeError, CellGraphError
        For another number of columns, a sparse matrix, or what are no numbers.
    NonFiniteError, GeometryError
        As `_core.positions.check_positions`.
    """
    check_anndata(adata)
    check_key("spatial", list(adata.obsm), where="adata.obsm", remedy="Set `adata.obsm['spatial']` to x, y(, z).")
    position = as_positions(adata.obsm["spatial"], "positions in obsm['spatial']")
    if whole:
        check_positions(position)
    return position
