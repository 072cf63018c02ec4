"""Columns of `obs` and `var` that files cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import listing

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["unwritable_columns"]


def unwritable_columns(adata: AnnData) -> list[str]:
    """Return one sentence for every column of `obs` and `var` that h5ad and Zarr cannot hold. O(distinct values)."""
    tables = (("obs", adata.obs), ("var", adata.var))
    doubles = [f"{w}[{c!r}] is there twice: rename one." for w, t in tables for c in t.columns[t.columns.duplicated()]]
    if doubles:
        return doubles
    return [said for where, table in tables for c in table.columns for said in _why_not(f"{where}[{c!r}]", table[c])]


def _why_not(where: str, column: pd.Series) -> list[str]:
    import pandas as pd

    if column.dtype.kind in "Mm":
        return [f"{where} holds dates or times: convert it by `.astype(str)`."]
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = list(column.cat.categories) if column.cat.categories.dtype.kind in "OTU" else []
    elif pd.api.types.is_string_dtype(column.dtype) or column.dtype.kind == "O":
        values = [v for v in _distinct(column) if not (pd.api.types.is_scalar(v) and pd.isna(v))]
    else:
        return []
    others = sorted({type(v).__name__ for v in values if not isinstance(v, str)})
    if others:
        return [f"{where} holds objects that are no text ({listing(others)}): convert it by `.astype(str)`."]
    return [f"{where} holds text with the character NUL: remove it."] if any("\0" in v for v in values) else []


def _distinct(column: pd.Series) -> list[object]:
    try:
        return list(column.unique())
    except TypeError:  # lists and other objects without a hash
        return list(column)
