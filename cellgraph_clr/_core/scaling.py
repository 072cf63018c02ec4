"""Mean and spread of columns, safe for columns that do not vary."""

from __future__ import annotations

import numpy as np

__all__ = ["column_moments"]


def column_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and spread per column, float32; a column that is constant but for rounding gets a spread of 1."""
    mean = x.mean(axis=0, dtype=np.float64)
    spread = x.std(axis=0, dtype=np.float64)
    varies = spread > 1e-6 * np.maximum(np.abs(mean), 1e-12)
    return mean.astype(np.float32), np.where(varies, spread, 1.0).astype(np.float32)
