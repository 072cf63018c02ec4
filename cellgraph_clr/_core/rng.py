"""Randomness is passed in: one seed in, independent generators out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError

__all__ = ["RandomState", "as_rng", "as_seed"]

RandomState: TypeAlias = int | np.integer | np.random.Generator | None


def as_rng(random_state: RandomState) -> np.random.Generator:
    """Return a NumPy generator: a fresh one for a seed or None, the same object for a generator."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(random_state)


def as_seed(random_state: RandomState) -> int:
    """Return an integer seed below 2**31 (an integer is returned as it is; a negative one raises `OptionError`)."""
    if isinstance(random_state, (int, np.integer)):
        if random_state < 0:
            raise OptionError(expected("`random_state` as a number >= 0", random_state, "Pass 0, 1, 2, …"))
        return int(random_state)
    return int(as_rng(random_state).integers(0, 2**31 - 1))
