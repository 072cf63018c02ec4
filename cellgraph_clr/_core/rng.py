"""Randomness is passed in: one seed in, independent generators out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

__all__ = ["RandomState", "as_rng", "as_seed"]

RandomState: TypeAlias = int | np.integer | np.random.Generator | None


def as_rng(random_state: RandomState) -> np.random.Generator:
    """Return a NumPy generator: a fresh one for a seed or None, the same object for a generator."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(random_state)


def as_seed(random_state: RandomState) -> int:
    """Return an integer seed below 2**31 (an integer is returned as it is)."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(as_rng(random_state).integers(0, 2**31 - 1))
