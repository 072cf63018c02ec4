"""The two orders of axes: z, y, x of arrays, and x, y, z of `obsm["spatial"]` and of what is exported."""

from __future__ import annotations

import numpy as np

__all__ = ["to_xyz"]


def to_xyz(position: np.ndarray) -> np.ndarray:
    """Return positions with their axes reversed: z, y, x (arrays, `CellTable`) to x, y, z (`obsm["spatial"]`) and back."""
    return np.ascontiguousarray(position[:, ::-1])
