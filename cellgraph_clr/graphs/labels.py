"""Label columns of `obs` as codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import LabelKeyError
from cellgraph_clr.graphs.layout import UNASSIGNED

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["label_codes"]


def label_codes(adata: AnnData, label_key: str) -> tuple[np.ndarray, list[str]]:
    """Return class codes (n,) int64, -1 for missing or "unassigned", and the class names in sorted order.

    Raises `LabelKeyError` when the column is absent, holds measurements (floats), or no class at all.
    """
    check_key(label_key, list(adata.obs.columns), where="adata.obs", error=LabelKeyError)
    column = adata.obs[label_key]
    if column.dtype.kind == "f":
        raise LabelKeyError(
            expected(f"class labels in obs[{label_key!r}]", f"dtype {column.dtype}", "Convert classes to text first.")
        )
    values = column.astype(object).to_numpy()
    known = column.notna().to_numpy() & (values.astype(str) != UNASSIGNED)
    if not known.any():
        raise LabelKeyError(
            expected(f"a labelled cell in obs[{label_key!r}]", "only missing or 'unassigned'", "Label some cells.")
        )
    codes = np.full(len(values), -1, np.int64)
    classes, codes[known] = np.unique(values[known].astype(str), return_inverse=True)
    return codes, [str(c) for c in classes]
