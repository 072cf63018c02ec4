"""Arrays of numbers at the door: what is no number is named, and so is what float32 cannot hold or tell apart."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import CellGraphError, NonFiniteError
from cellgraph_clr._core.notices import warn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_float32", "as_numbers", "finite_percentiles"]

ALIKE = 1e-3  # of the spread of a feature: values nearer than this that become one are not worth a warning
ROUNDING = 2.0**-42  # of the largest value: spreads up to this come from sums in float64


def as_numbers(values: Any, what: str) -> np.ndarray:
    """Return `values` as an array of whole or real numbers, or flags; numbers held as objects become float64.

    Raises `CellGraphError` for text, dates, complex numbers and lists of different lengths; `what` names them.
    """
    try:
        found = np.asarray(values)
        found = found.astype(np.float64) if found.dtype.kind == "O" else found
    except (TypeError, ValueError) as error:
        remedy = "Convert them to numbers."
        raise CellGraphError(expected(f"numbers as {what}", f"{type(values).__name__} of others", remedy)) from error
    if found.dtype.kind not in "biuf":
        raise CellGraphError(expected(f"numbers as {what}", f"dtype {found.dtype}", "Convert them to real numbers."))
    return found


def as_float32(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return features (n, f) as float32; NaN stays.

    Parameters
    ----------
    values : (n, f) numbers.
    names : of the columns.

    Raises
    ------
    NonFiniteError
        If a finite value is too large for float32; the message names its columns.

    Warns
    -----
    UserWarning
        If float32 makes one value of several that differ by more than a thousandth of the spread of their column.

    Notes
    -----
    One pass over what is wider than float32, O(n log n) for a column that is rounded much; nothing for float32 itself.
    """
    if values.dtype.itemsize < 4 or values.dtype == np.float32 or values.size == 0:
        return np.asarray(values, np.float32)
    with np.errstate(over="ignore"):
        out = np.asarray(values, np.float32)
    large = (np.isinf(out) & np.isfinite(values)).any(axis=0)
    if large.any():
        remedy = "Divide these features by a constant, or take their logarithm."
        found = f"larger ones in {listing([n for n, bad in zip(names, large, strict=False) if bad])}"
        raise NonFiniteError(
            expected(f"features up to {np.finfo(np.float32).max:.1e}, as float32 holds", found, remedy)
        )
    merged = [n for j, n in enumerate(names[: values.shape[1]]) if _merges(values[:, j], out[:, j])]
    if merged:
        said = f"float32 makes one value of several that differ in {listing(merged)}. Subtract a constant from them before."
        warn(said)
    return out


def finite_percentiles(
    values: np.ndarray, shares: Sequence[float], axis: int | tuple[int, ...] | None = None
) -> np.ndarray:
    """Return percentiles of the finite values along axes, which are kept; NaN where none is finite."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice", category=RuntimeWarning)
        return np.nanpercentile(np.where(np.isfinite(values), values, np.nan), shares, axis=axis, keepdims=True)


def _merges(wide: np.ndarray, narrow: np.ndarray) -> bool:
    """Return whether values that differ by more than `ALIKE` of their spread became one."""
    known, exact = np.isfinite(wide), wide.dtype.kind in "iu"
    wide, narrow = wide[known].astype(np.longdouble), narrow[known]
    if len(wide) == 0:
        return False
    spread = wide.std()
    lost = np.abs(wide - narrow).max()
    if lost <= ALIKE / 2 * spread or not (exact or spread > ROUNDING * np.abs(wide).max()):
        return False
    order = np.argsort(wide)
    wide, narrow = wide[order], narrow[order]
    return bool(((narrow[1:] == narrow[:-1]) & (np.diff(wide) > ALIKE * spread)).any())
