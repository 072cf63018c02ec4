"""Positions at the door: two or three finite coordinates a cell, as far apart as distances can tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from cellgraph_clr._core.checks import check_finite, expected
from cellgraph_clr._core.errors import CellGraphError, GeometryError, ShapeError
from cellgraph_clr._core.numbers import as_numbers

__all__ = ["FARTHEST", "NEAREST", "as_positions", "check_positions"]

FARTHEST = 1e37  # extents whose distances float32 holds, and whose squares and volumes float64 holds
NEAREST = 1e-31  # extents of which float32 resolves a millionth


def as_positions(values: Any, what: str = "positions") -> np.ndarray:
    """Return positions as (n, 2) or (n, 3) float64; a DataFrame of numbers is taken as its array.

    Raises `ShapeError` for another number of axes or columns, `CellGraphError` for sparse matrices and for what are no numbers.
    """
    from scipy.sparse import issparse

    if issparse(values):
        remedy = "Convert it to a dense array."
        raise CellGraphError(expected(f"{what} as a dense array", f"a sparse {values.format} matrix", remedy))
    position = as_numbers(values, what).astype(np.float64, copy=False)
    if position.ndim != 2 or position.shape[1] not in (2, 3):
        remedy = "Give two or three coordinates per cell."
        raise ShapeError(expected(f"{what} of shape (n, 2) or (n, 3)", position.shape, remedy))
    return position


def check_positions(position: np.ndarray) -> None:
    """Raise `NonFiniteError` for positions (n, d) that are NaN or infinite, `GeometryError` for cells too far or too near.

    Distances are kept as float32: the extent is to be 0, or between `NEAREST` and `FARTHEST`. O(n).
    """
    check_finite(position, what="positions", remedy="Drop or repair these cells first.")
    if len(position) == 0:
        return
    low, high = position.min(axis=0), position.max(axis=0)
    extent = float((high / 2 - low / 2).max()) * 2  # which does not overflow before it is halved
    if extent > FARTHEST or 0 < extent < NEAREST:
        what = f"positions with an extent between {NEAREST:g} and {FARTHEST:g}, whose distances float32 holds"
        raise GeometryError(expected(what, f"{extent:g}", "Choose another unit, or drop cells that lie far outside."))
