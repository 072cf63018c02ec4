"""What a query selects: a mask, cell ids, names of rows, or a category, as rows of an AnnData."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_key, expected, listing
from cellgraph_clr._core.errors import EmptyQueryError, ShapeError
from cellgraph_clr._core.ids import EXACT
from cellgraph_clr.adata.samples import cell_ids, sample_column

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Query", "query_rows", "query_vectors"]

Query: TypeAlias = Any  # bool mask (n,) | cell ids | obs names | {"obs column": value or values} | float vector(s)


def query_rows(adata: AnnData, query: Query) -> np.ndarray:
    """Return the rows a query selects, sorted.

    `query` is a bool mask (n,), one or more cell ids, one or more `obs_names`, or a mapping of `obs` columns to a value or
    a list of values (all must hold). Raises `EmptyQueryError` when nothing matches (ids and names that are absent are
    listed with the nearest present) and for numbers with a point (ids are whole), `MissingKeyError` for an unknown column,
    `ShapeError` for a mask of another length.
    """
    if isinstance(query, Mapping):
        return _rows_by_category(adata, query)
    if isinstance(query, (set, frozenset)):
        query = sorted(query)
    if hasattr(query, "obs_names"):
        remedy = (
            "Query by ids, names, a mask or a category; search in other cells by `reference=` of `cgc.tl.retrieve`."
        )
        raise EmptyQueryError(expected("what selects cells", "an AnnData", remedy))
    if hasattr(query, "index") and getattr(getattr(query, "dtype", None), "kind", "") == "b":
        query = _aligned(adata, query)
    values = _plain(np.atleast_1d(np.asarray(query)))
    if values.dtype == bool:
        if values.shape != (adata.n_obs,):
            raise ShapeError(
                expected(f"a mask of {adata.n_obs} cells", values.shape, "One entry per row of the AnnData.")
            )
        rows = np.flatnonzero(values)
        if len(rows) == 0:
            raise EmptyQueryError(expected("a query of at least one cell", "a mask without True", "Select some cells."))
        return rows
    names = values.dtype.kind not in "iu"
    if adata.n_obs == 0:
        raise EmptyQueryError(expected("an AnnData with cells", "none", "Check the filter before."))
    known = adata.obs_names.to_numpy().astype(str) if names else cell_ids(adata)
    wanted = values.astype(str) if names else values
    absent = np.setdiff1d(wanted, known)
    if len(absent) or len(wanted) == 0:
        if len(wanted) == 0:
            found, hint = "an empty list", "Name at least one cell."
        elif names:
            found, hint = f"no row named {listing(absent)}", "Look at `adata.obs_names`."
        else:
            nearest = [int(known[np.abs(known - a).argmin()]) for a in absent[:10]]
            found, hint = f"no cell with id {listing(absent)}", f"The nearest ids are {listing(nearest)}."
        raise EmptyQueryError(expected("cells that are in the AnnData", found, hint))
    rows = np.flatnonzero(np.isin(known, wanted))
    if not names and len(rows) > len(np.unique(wanted)):
        column = sample_column(adata) or ("frame" if "frame" in adata.obs else None)
        remedy = "Query by `obs_names`."
        if column:
            remedy = f'Add what tells them apart: {{"{column}": …, "cell_id": …}}, or query by `obs_names`.'
        raise EmptyQueryError(
            expected(
                "ids that name one cell each",
                f"{len(rows)} cells for {len(np.unique(wanted))} ids, in several samples or frames",
                remedy,
            )
        )
    return rows


def _plain(values: np.ndarray) -> np.ndarray:
    """Return truth values, whole numbers or names. Raises `EmptyQueryError` for other numbers and objects: they name no cell."""
    if values.dtype.kind == "O":
        for kind in (str, (bool, np.bool_), (int, np.integer)):
            if all(isinstance(v, kind) for v in values):
                return np.array(values.tolist())
    elif values.dtype.kind in "biuU" or len(values) == 0:
        return values
    found = f"{listing([repr(v) for v in values.tolist()], limit=5)}"
    remedy = "Ids are whole numbers: convert them to int. Names are text: look at `adata.obs_names`."
    raise EmptyQueryError(expected("cell ids, names of rows, or a mask", found, remedy))


def _aligned(adata: AnnData, mask: Any) -> np.ndarray:
    """Return a boolean Series in the order of the cells; one without their names is taken as it stands."""
    index = mask.index
    if len(index) != adata.n_obs or index.equals(adata.obs_names) or not index.isin(adata.obs_names).all():
        return np.asarray(mask)
    if index.has_duplicates:
        raise EmptyQueryError(
            expected("a mask with one entry a cell", "names that occur twice", "Pass it as an array.")
        )
    return mask.reindex(adata.obs_names).to_numpy()


def _rows_by_category(adata: AnnData, query: Mapping[str, Any]) -> np.ndarray:
    keep = np.ones(adata.n_obs, bool)
    if not query:
        raise EmptyQueryError(
            expected("a query of at least one cell", "an empty mapping", "Name a column and its value.")
        )
    for column, value in query.items():
        check_key(column, list(adata.obs.columns), where="adata.obs")
        text = adata.obs[column].astype(str).to_numpy()
        values = [str(v) for v in (value if hasattr(value, "__iter__") and not isinstance(value, str) else [value])]
        hit = np.isin(text, values) | _equal(adata.obs[column], values)
        if not hit.any():
            raise EmptyQueryError(
                expected(
                    f"cells with {column} = {listing(values)}", f"values {listing(np.unique(text))}", "Choose one."
                )
            )
        keep &= hit
    if not keep.any():
        raise EmptyQueryError(expected(f"cells that match {dict(query)}", "none", "Loosen one of the conditions."))
    return np.flatnonzero(keep)


def _equal(column: Any, values: list[str]) -> np.ndarray:
    """Return which numbers (n,) of a column are one of these: 2 is 2.0. None are in a column that does not hold numbers."""
    numbers = []
    for text in values:
        with suppress(ValueError):
            numbers.append(float(text))
    if column.dtype.kind not in "iuf" or not numbers:
        return np.zeros(len(column), bool)
    return np.isin(column.to_numpy(float, na_value=np.nan), [n for n in numbers if abs(n) <= EXACT])


def query_vectors(adata: AnnData, query: Query, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the query's vectors (q, d) and its rows (none for a query given as float vectors)."""
    values = np.asarray(query) if not isinstance(query, Mapping) else None
    if values is not None and values.dtype.kind == "f" and values.size:
        given = np.atleast_2d(values).astype(np.float32)
        if given.shape[1] != vectors.shape[1]:
            remedy = "Use one embedding. Numbers with a point are vectors; ids are whole: convert them to int."
            raise ShapeError(expected(f"query vectors of width {vectors.shape[1]}", given.shape, remedy))
        check_finite(given, what="query vectors", remedy="Look at the cells they come from.")
        return given, np.zeros(0, np.int64)
    rows = query_rows(adata, query)
    return vectors[rows], rows
