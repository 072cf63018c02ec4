"""From a table of cells to AnnData."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.axes import to_xyz
from cellgraph_clr._core.checks import check_finite, check_key, expected, listing
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, NoCellsError
from cellgraph_clr._core.units import PIXEL, canonical_unit
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.provenance import package_info
from cellgraph_clr.adata.writing import anndata_of
from cellgraph_clr.cells.table import CellTable, FeatureInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

__all__ = ["from_table"]


def from_table(
    df: pd.DataFrame,
    *,
    cell_id: str | None,
    position: Sequence[str],
    features: Sequence[str] = (),
    obs: Sequence[str] = (),
    unit: str | None = None,
    library_key: str | None = None,
) -> AnnData:
    """Return an AnnData of a table of cells.

    Parameters
    ----------
    df : one row a cell.
    cell_id : column of integer ids; None numbers the rows from 1.
    position : columns of x, y or x, y, z, in `unit`.
    features : numeric columns for `X` (NaN is kept: see `pp.scale_features`).
    obs : columns copied to `obs`; text becomes categorical, missing labels become "unassigned".
    unit : unit of the positions, e.g. "micrometer" or "pixel". A warning says that None leaves it unknown.
    library_key : column of samples, written to `obs["library_id"]`.

    Raises
    ------
    NoCellsError
        If the table has no rows.
    MissingKeyError
        If a column is missing.
    NonFiniteError
        If a position is NaN.
    CellGraphError
        If ids are not whole numbers, or not unique per sample, a feature is not numeric, or a cell has no sample.
    """
    import pandas as pd

    if unit is None:
        said = "No unit of the positions was given: distances and pictures have none. Pass `unit='micrometer'` or `unit='pixel'`."
        warnings.warn(said, UserWarning, stacklevel=2)
    if len(df) == 0:
        raise NoCellsError(expected("a table with rows", "none", "Check the filter before."))
    for name in (*position, *features, *obs, *(key for key in (cell_id, library_key) if key)):
        check_key(name, [str(c) for c in df.columns], where="df.columns", error=MissingKeyError)
    _check_numbers(df, position, features)
    cells = CellTable.build(
        _ids(df, cell_id),
        to_xyz(df[list(position)].to_numpy(np.float64)),
        unit=PIXEL if unit is None else canonical_unit(unit),
        features=df[list(features)].to_numpy(np.float32),
        info=tuple(FeatureInfo(str(f)) for f in features),
        sample=_samples(df, library_key),
    )
    adata = anndata_of(cells, library_id=None, region="cells", region_key="cells" if "region" in obs else "region")
    if unit is None:
        del package_info(adata)["unit"]
    if library_key:
        adata.obs["library_id"] = pd.Categorical(cells.sample)
    for name in obs:
        adata.obs[name] = _obs_column(df[name]).array
    return adata


def _check_numbers(df: pd.DataFrame, position: Sequence[str], features: Sequence[str]) -> None:
    """Raise for positions and features that are not numbers, or positions that are not finite."""
    import pandas as pd

    if len(position) not in (2, 3):
        raise CellGraphError(expected("`position` of 2 or 3 columns (x, y or x, y, z)", list(position), "Name them."))
    for what, names, remedy in (
        ("positions", position, "Convert these columns."),
        ("features", features, "Convert or move them to `obs`."),
    ):
        text = [n for n in names if not pd.api.types.is_numeric_dtype(df[n])]
        if text:
            raise CellGraphError(expected(f"numeric {what}", f"text in {listing(text)}", remedy))
    xyz = df[list(position)].to_numpy(np.float64)
    check_finite(xyz, what="positions", names=list(position), remedy="Drop the cells without a position.")


def _ids(df: pd.DataFrame, cell_id: str | None) -> np.ndarray:
    """Return the ids (n,) int64 of a column, or 1 … n. Raises `CellGraphError` for what are not whole numbers."""
    if cell_id is None:
        return np.arange(1, len(df) + 1)
    ids = df[cell_id].to_numpy()
    if ids.dtype.kind not in "iu" and not (ids.dtype.kind == "f" and (ids == np.floor(ids)).all()):
        remedy = "Convert it, or number the cells: `cell_id=None`."
        raise CellGraphError(expected(f"whole numbers in {cell_id!r}", f"dtype {ids.dtype}", remedy))
    return ids.astype(np.int64)


def _samples(df: pd.DataFrame, library_key: str | None) -> np.ndarray | str:
    """Return the sample of every cell. Raises `CellGraphError` for cells without one."""
    if library_key is None:
        return ""
    missing = int(df[library_key].isna().sum())
    if missing:
        remedy = "Name their sample, or drop these cells."
        raise CellGraphError(
            expected(f"a sample for every cell in {library_key!r}", f"{missing} cells without", remedy)
        )
    return df[library_key].astype(str).to_numpy()


def _obs_column(column: Any) -> Any:
    """Return a column fit for `obs`: text as categories without NaN, numbers and flags as they are."""
    import pandas as pd

    missing = pd.api.types.is_extension_array_dtype(column.dtype) and column.isna().any()
    if column.dtype.kind in "biuf" and not missing:
        return column
    text = column.astype(object).where(column.notna(), UNASSIGNED).astype(str)
    return pd.Series(pd.Categorical(text), index=column.index)
