"""Whole numbers of many ranges, one after the other."""

from __future__ import annotations

import numpy as np

__all__ = ["joined_ranges"]


def joined_ranges(start: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return ``start[0] … start[0] + count[0] - 1, start[1] …`` (sum of `count`,) int64; none for no ranges."""
    count = count.astype(np.int64)
    ends = np.cumsum(count)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(start - (ends - count), count)
