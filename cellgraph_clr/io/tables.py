"""From a table of cells to AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.axes import to_xyz
from cellgraph_clr._core.checks import RESERVED, check_finite, check_key, expected, listing
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, NoCellsError, OptionError
from cellgraph_clr._core.ids import as_whole
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.numbers import as_float32
from cellgraph_clr._core.units import PIXEL, canonical_unit
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.provenance import package_info
from cellgraph_clr.adata.writing import anndata_of
from cellgraph_clr.cells.table import CellTable, FeatureInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData

__all__ = ["from_table"]


@checked
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
    df : pandas.DataFrame
        One row a cell.
    cell_id : str or None
        Column of integer ids, 0 to 2**63 - 1 (held as floats: to 2**53); None numbers the rows from 1.
    position : sequence of str
        Columns of x, y or x, y, z, in `unit`.
    features : sequence of str, default ()
        Numeric columns for `X` (NaN is kept: see `pp.scale_features`).
    obs : sequence of str, default ()
        Columns copied to `obs`; text becomes categorical, missing labels become "unassigned". A column "frame" tells
        the frames of a movie apart. What else says which cell is which ("cell_id", "library_id") comes from the
        arguments alone.
    unit : str or None, default None
        Unit of the positions, e.g. "micrometer" or "pixel". A warning says that None leaves it unknown.
    library_key : str or None, default None
        Column of samples, written to `obs["library_id"]`, which all functions take by default, and to `obs` by its own
        name too (unless that is taken: "region", "frame", …).

    Returns
    -------
    AnnData
        An AnnData of a table of cells.

    Raises
    ------
    NoCellsError
        If the table has no rows.
    MissingKeyError
        If a column is missing.
    NonFiniteError
        If a position is NaN, or a feature too large for float32.
    GeometryError
        If cells are too far apart, or too near, for distances in float32.
    OptionError
        If `obs` names a column that would be written over what the arguments say.
    CellGraphError
        If ids are not whole numbers, or not unique per sample and frame, a feature is not numeric, a cell has no sample, or
        text holds the character NUL.

    Warns
    -----
    UserWarning
        Without a unit; where neither `features` nor `obs` takes one of the other columns; and for features of which float32
        makes one value of several that differ, which it names.

    Examples
    --------
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> table = pd.DataFrame({"id": [4, 8], "x": [0.0, 3.0], "y": [1.0, 5.0], "CD3": [0.2, 0.9], "type": ["T", None]})
    >>> adata = cgc.from_table(table, cell_id="id", position=["x", "y"], features=["CD3"], obs=["type"], unit="micrometer")
    >>> adata.shape
    (2, 1)
    >>> adata.obs["type"].tolist()
    ['T', 'unassigned']
    """
    import pandas as pd

    if unit is None:
        said = "No unit of the positions was given: distances and pictures have none. Pass `unit='micrometer'` or `unit='pixel'`."
        warn(said)
    for name, given in (("position", position), ("features", features), ("obs", obs)):
        if isinstance(given, str):
            raise OptionError(expected(f"`{name}` as a list of columns", repr(given), f"Pass [{given!r}]."))
    if len(df) == 0:
        raise NoCellsError(expected("a table with rows", "none", "Check the filter before."))
    for name in (*position, *features, *obs, *(key for key in (cell_id, library_key) if key is not None)):
        check_key(name, [str(c) for c in df.columns], where="df.columns", error=MissingKeyError)
    _check_numbers(df, position, features)
    _check_owned(obs, {"cell_id": cell_id, "library_id": library_key})
    info = tuple(FeatureInfo(str(f)) for f in features)
    columns = {name: _obs_column(df[name]).array for name in obs}
    remedy = "Number the frames, or rename the column."
    frame = as_whole(df["frame"].to_numpy(), "the column 'frame'", low=None, remedy=remedy) if "frame" in obs else 0
    left = [str(c) for c in df.columns if str(c) not in {*position, cell_id, library_key}]
    if left and len(features) == len(obs) == 0:
        said = (
            f"The columns {listing(left)} are left out. Pass `features=` for those of `X`, `obs=` for labels of cells."
        )
        warn(said)
    cells = CellTable.build(
        _ids(df, cell_id),
        to_xyz(_matrix(df[list(position)]).astype(np.float64)),
        unit=PIXEL if unit is None else canonical_unit(unit),
        features=as_float32(_matrix(df[list(features)]), list(map(str, features))),
        info=info,
        sample=_samples(df, library_key),
        frame=frame,
    )
    adata = anndata_of(cells, library_id=None, region="cells", region_key="cells" if "region" in obs else "region")
    if unit is None:
        del package_info(adata)["unit"]
    if library_key:
        adata.obs["library_id"] = pd.Categorical(cells.sample)
        if library_key not in RESERVED["obs"]:
            adata.obs[library_key] = adata.obs["library_id"].array
    for name, values in columns.items():
        if name not in ("cell_id", "library_id"):  # which stand already
            adata.obs[name] = cells.frame if name == "frame" else values
    return adata


def _check_owned(obs: Sequence[str], owners: Mapping[str, str | None]) -> None:
    """Raise `OptionError` for columns that say which cell is which, unless they are those that the arguments name."""
    arguments = {"cell_id": "cell_id", "library_id": "library_key"}
    for name, given in owners.items():
        if name in obs and given != name:
            remedy = f"Pass `{arguments[name]}={name!r}`, or rename the column."
            found = f"`obs=[{name!r}]` with `{arguments[name]}={given!r}`"
            raise OptionError(expected(f"{name!r} from the column that `{arguments[name]}` names", found, remedy))


def _check_numbers(df: pd.DataFrame, position: Sequence[str], features: Sequence[str]) -> None:
    """Raise for positions and features that are not numbers, or positions that are not finite."""
    import pandas as pd

    if len(position) not in (2, 3):
        raise CellGraphError(expected("`position` of 2 or 3 columns (x, y or x, y, z)", list(position), "Name them."))
    for what, names, remedy in (
        ("positions", position, "Convert these columns."),
        ("features", features, "Convert or move them to `obs`."),
    ):
        text = [n for n in names if not pd.api.types.is_numeric_dtype(df[n]) or df[n].dtype.kind == "c"]
        if text:
            raise CellGraphError(expected(f"numeric {what}", f"text in {listing(text)}", remedy))
    xyz = _matrix(df[list(position)]).astype(np.float64)
    check_finite(xyz, what="positions", names=list(position), remedy="Drop the cells without a position.")


def _matrix(df: pd.DataFrame) -> np.ndarray:
    """Return numeric columns as one array, of integers where all are; values that are missing become NaN."""
    values = df.to_numpy()
    return values if values.dtype.kind in "biuf" else df.to_numpy(np.float64, na_value=np.nan)


def _ids(df: pd.DataFrame, cell_id: str | None) -> np.ndarray:
    """Return the ids (n,) int64 of a column, or 1 … n. Raises `CellGraphError` for what are not whole numbers."""
    if cell_id is None:
        return np.arange(1, len(df) + 1)
    remedy = "Convert it, or number the cells: `cell_id=None`."
    return as_whole(df[cell_id].to_numpy(), repr(cell_id), remedy=remedy)


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
    if (bad := text.str.contains("\0", regex=False)).any():
        found = listing([repr(v) for v in text[bad].unique()], limit=3)
        raise CellGraphError(expected(f"text without the character NUL in {column.name!r}", found, "Remove it."))
    return pd.Series(pd.Categorical(text), index=column.index)
