"""What the tools share: reading representations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_finite
from cellgraph_clr.graphs.layout import read_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

__all__ = ["representation"]


def representation(adata: AnnData, use_rep: str | Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Return the vectors (n, d) of one or several representations side by side, and their names.

    None takes `X` and, when present, `obsm["X_cellgraph"]`. Raises `MissingKeyError` and `NonFiniteError`.
    """
    if use_rep is None:
        names = [k for k in ("X", "X_cellgraph") if (k == "X" and adata.n_vars) or k in adata.obsm]
    else:
        names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    blocks = []
    for name in names or ["X"]:
        values, info = read_features(adata, name)
        check_finite(
            values,
            what=f"values of {name!r}",
            names=[i.name for i in info],
            remedy="Call `cgc.pp.scale_features(adata, impute='median')` or drop these cells.",
        )
        blocks.append(values)
    return np.concatenate(blocks, axis=1), names
