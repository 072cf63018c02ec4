"""Randomness is passed in: one seed in, independent generators out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError

__all__ = ["RandomState", "as_rng", "as_seed"]

RandomState: TypeAlias = int | np.integer | np.random.Generator | None


def as_rng(random_state: RandomState) -> np.random.Generator:
    """Return a NumPy generator: a fresh one for a seed or None, the same object for a generator.

    Raises `OptionError` as `as_seed`.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(None if random_state is None else as_seed(random_state))


def as_seed(random_state: RandomState) -> int:
    """Return an integer seed below 2**32: an integer as it is, a number drawn from a generator, or a new one for None.

    Raises `OptionError` for anything else.
    """
    if random_state is None or isinstance(random_state, np.random.Generator):
        return int(as_rng(random_state).integers(0, 2**31 - 1))
    if not isinstance(random_state, (int, np.integer)) or not 0 <= random_state < 2**32:
        wanted = "`random_state` as a whole number from 0 to 2**32 - 1, a NumPy Generator or None"
        raise OptionError(expected(wanted, repr(random_state), "Pass 0, 1, 2, …"))
    return int(random_state)
