"""What rows of an AnnData are, and which of them are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["noun_of_rows", "truth_values"]


def noun_of_rows(adata: AnnData) -> str:
    """Return what the rows of an AnnData are: "windows" of the fields of a plate (`tl.profile`), else "cells"."""
    return "windows" if "cell_id" not in adata.obs and {"sample", "well", "field"} <= set(adata.obs) else "cells"


def truth_values(rows: object, n: int) -> np.ndarray:
    """Return a choice of rows (n,) bool. Raises `ShapeError` for anything else, as numbers of rows."""
    chosen = np.asarray(rows)
    if chosen.dtype != bool or chosen.shape != (n,):
        found = f"{chosen.dtype} of shape {chosen.shape}"
        raise ShapeError(
            expected(f"`rows` as {n} truth values", found, "Pass one for every row, as `adata.obs['x'] == 'y'`.")
        )
    return chosen
