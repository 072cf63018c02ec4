"""Cell ids looked up and pairs of them sorted."""

from __future__ import annotations

import numpy as np

__all__ = ["order_of_pairs", "rows_of"]


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
