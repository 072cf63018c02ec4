"""Cells to look at: those nearest to the middle of their group, and those along the range of a value."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.checks import check_whole
from cellgraph_clr.analysis.retrieval import standardised_directions

__all__ = ["rows_along", "typical_rows"]


def typical_rows(vectors: np.ndarray, codes: np.ndarray, n: int) -> list[np.ndarray]:
    """Return for every group the rows of its n most typical members, most typical first; fewer for small groups.

    Typical is the member whose direction is nearest to the mean direction of its group, columns standardised over all.

    Parameters
    ----------
    vectors : (m, d) finite.
    codes : (m,) group of each, from 0; below 0 is none.
    n : members, at least 1 (else `OptionError`).

    Notes
    -----
    O(m d). No vectors give an empty list; a group without members an empty array.
    """
    check_whole("n", n)
    if len(codes) == 0:
        return []
    directions = standardised_directions(vectors)
    out = []
    for code in range(int(codes.max()) + 1):
        rows = np.flatnonzero(codes == code)
        alike = directions[rows] @ directions[rows].sum(axis=0)
        out.append(rows[np.argsort(-alike, kind="stable")[:n]])
    return out


def rows_along(values: np.ndarray, n: int) -> np.ndarray:
    """Return n rows whose values lie at evenly spaced quantiles, 5 % to 95 %, lowest first; NaN are left out.

    `values` (m,), n at least 1 (else `OptionError`). All rows in order when there are no more than n. O(m log m).
    """
    check_whole("n", n)
    order = np.argsort(values, kind="stable")[: np.isfinite(values).sum()]
    if len(order) <= n:
        return order
    share = np.linspace(0.05, 0.95, n) if n > 1 else np.array([0.5])
    return order[np.unique(np.round(share * (len(order) - 1)).astype(int))]
