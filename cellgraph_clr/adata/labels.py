"""Label columns of `obs` as codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import LabelKeyError
from cellgraph_clr.adata.keys import UNASSIGNED

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["classes_of", "column_name", "label_codes", "label_names"]


def label_names(adata: AnnData, label_key: str) -> np.ndarray:
    """Return class names (n,) as text, "" for missing, empty or "unassigned".

    Raises `LabelKeyError` when the column is absent, holds measurements (floats), or no class at all.
    """
    check_key(label_key, list(adata.obs.columns), where="adata.obs", error=LabelKeyError)
    column = adata.obs[label_key]
    if column.ndim > 1:
        remedy = "Rename all but one of them."
        raise LabelKeyError(expected(f"one column {label_key!r} in obs", f"{column.shape[1]} of this name", remedy))
    if column.dtype.kind == "f":
        raise LabelKeyError(
            expected(f"class labels in obs[{label_key!r}]", f"dtype {column.dtype}", "Convert classes to text first.")
        )
    _check_told_apart(column, label_key)
    names = column.astype(object).where(column.notna(), "").astype(str).to_numpy().astype(str)
    names[names == UNASSIGNED] = ""
    if not (names != "").any():
        raise LabelKeyError(
            expected(f"a labelled cell in obs[{label_key!r}]", "only missing or 'unassigned'", "Label some cells.")
        )
    return names


def label_codes(adata: AnnData, label_key: str, *, as_listed: bool = False) -> tuple[np.ndarray, list[str]]:
    """Return class codes (n,) int64, -1 for missing or "unassigned", and the class names in sorted order.

    With `as_listed` those of a categorical column are in the order of its categories (cluster 10 after 9), as plots show them.
    Raises `LabelKeyError` as `label_names`.
    """
    names = label_names(adata, label_key)
    known = names != ""
    codes = np.full(len(names), -1, np.int64)
    classes, codes[known] = np.unique(names[known], return_inverse=True)
    found = [str(c) for c in classes]
    listed = [str(c) for c in getattr(adata.obs[label_key].dtype, "categories", [])] if as_listed else []
    if listed:
        order = np.array([found.index(c) for c in listed if c in found])
        codes[known] = np.argsort(order)[codes[known]]
        found = [found[k] for k in order]
    return codes, found


def classes_of(adata: AnnData, label_key: str) -> tuple[np.ndarray, list[str]]:
    """Return `label_codes`; raises `LabelKeyError` as it does, and for names that are one as columns (`column_name`)."""
    codes, classes = label_codes(adata, label_key)
    doubles = [c for c in classes if "/" in c and column_name(c) in classes]
    if doubles:
        remedy = "Rename one of them."
        raise LabelKeyError(expected("class names that columns tell apart", f"{listing(doubles)} and with |", remedy))
    return codes, classes


def column_name(name: str) -> str:
    """Return what a column of probabilities of a class is called: its name, "|" for each slash, which files cannot hold."""
    return name.replace("/", "|")


def _check_told_apart(column: pd.Series, label_key: str) -> None:
    """Raise `LabelKeyError` for classes that are one as text (1 and "1"), and for text with the character NUL."""
    values = column.dropna().drop_duplicates() if column.dtype.kind == "O" else []
    by_text: dict[str, set[str]] = {}
    for value in values:
        by_text.setdefault(str(value), set()).add(type(value).__name__)
    if nul := [repr(text) for text in by_text if "\0" in text]:
        found = f"the character NUL in {listing(nul)}"
        raise LabelKeyError(expected("class names that files can hold", found, "Rename these classes."))
    twice = [f"{text!r} as {listing(sorted(kinds))}" for text, kinds in by_text.items() if len(kinds) > 1]
    if twice:
        remedy = "Convert the column to text first."
        raise LabelKeyError(expected(f"classes of one type in obs[{label_key!r}]", listing(twice), remedy))
