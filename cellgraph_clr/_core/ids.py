"""Cell ids looked up and pairs of them sorted."""

from __future__ import annotations

from typing import Any

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import CellGraphError

__all__ = ["as_whole", "is_whole", "order_of_pairs", "rows_of"]

MOST = 2**63 - 1
EXACT = 2**53  # up to here floats tell whole numbers apart


def as_whole(values: Any, what: str, *, low: int | None = 0, remedy: str) -> np.ndarray:
    """Return whole numbers (n,) as int64, from integers, or floats and objects that hold such.

    Raises `CellGraphError` that lists the first values below `low`, above 2**63 - 1 (floats: 2**53), or not whole; `what`
    names them. O(n).
    """
    given = values if isinstance(values, np.ndarray) else np.array(values, object)
    kind, least = given.dtype.kind, -MOST if low is None else low
    if kind not in "iufO" or given.ndim != 1:
        found = f"dtype {given.dtype}" if given.ndim == 1 else f"shape {given.shape}"
        raise CellGraphError(expected(f"whole numbers in {what}", found, remedy))
    whole = np.ones(len(given), bool)
    if kind == "O":
        whole = np.fromiter(map(is_whole, given), bool, len(given))
    elif kind == "f":
        whole = np.isfinite(given) & (given == np.floor(given))
    if not whole.all():
        shown = [repr(v) if isinstance(v, str) else v for v in given[~whole]]  # quotes tell text from a number
        is_text = all(isinstance(v, str) and v.isdigit() for v in given[~whole])
        remedy = "They are text: convert them by astype(int)." if is_text else remedy
        raise CellGraphError(expected(f"whole numbers in {what}", listing(shown, limit=5), remedy))
    above = given > (EXACT if kind == "f" else MOST)
    if above.any():
        limit = "2**53, up to which floats tell whole numbers apart" if kind == "f" else "2**63 - 1"
        raise CellGraphError(expected(f"{what} up to {limit}", listing(given[above], limit=5), remedy))
    below = given < least
    if below.any():
        raise CellGraphError(expected(f"{what} of {least} and above", listing(given[below], limit=5), remedy))
    return given.astype(np.int64, copy=False)


def is_whole(value: object) -> bool:
    """Return whether an object is a whole number that keeps its value as an integer."""
    if isinstance(value, (int, np.integer)):
        return not isinstance(value, bool)
    return isinstance(value, (float, np.floating)) and float(value).is_integer() and abs(float(value)) <= EXACT


def rows_of(cell_id: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the row in `cell_id` (n,) of every wanted id, -1 where there is none; the shape is that of `wanted`.

    Ids of cells occur once and fit int64; wanted ones may be any integers. A table of ids where they are dense and not
    negative, O(n + wanted); otherwise a binary search.
    """
    if len(cell_id) == 0 or wanted.size == 0:
        return np.full(wanted.shape, -1)
    wanted = wanted.astype(np.int64, copy=False)  # above int64 they are negative, and none of the cells
    low, top = int(min(cell_id.min(), wanted.min())), int(max(cell_id.max(), wanted.max()))
    if low >= 0 and top < 8 * (len(cell_id) + wanted.size):
        table = np.full(top + 1, -1)
        table[cell_id] = np.arange(len(cell_id))
        return table[wanted]
    order = np.argsort(cell_id)
    rows = order[np.searchsorted(cell_id, wanted, sorter=order).clip(max=len(cell_id) - 1)]
    return np.where(cell_id[rows] == wanted, rows, -1)


def order_of_pairs(pairs: np.ndarray) -> np.ndarray:
    """Return the stable order of pairs (m, 2) of ids, not negative, by the first and then the second."""
    if len(pairs) and int(pairs.max()) < 2**31:  # one key: fast where stretches are sorted already
        return np.argsort((pairs[:, 0].astype(np.int64) << 32) | pairs[:, 1].astype(np.int64), kind="stable")
    return np.lexsort((pairs[:, 1], pairs[:, 0]))
