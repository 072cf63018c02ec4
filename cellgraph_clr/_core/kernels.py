"""How Numba compiles what this package scans, searches and sums with.

Compiling is felt at the first call. So wrappers for C are not made, nor those for Python where only kernels call; a division by 0
gives what it gives in NumPy, without a check of its own; parts that see the dtype of the input are small, all else has one.
"""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["called", "inner", "kernel", "reordered"]

_OPTIONS: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
_WITHIN = {"no_cpython_wrapper": True}

kernel = njit(**_OPTIONS | {"cache": True})
"""For Python, kept on disk."""
inner = njit(inline="always")
"""For one call in a kernel."""
called = njit(**_OPTIONS | _WITHIN)
"""For several calls in kernels."""
reordered = njit(**_OPTIONS | _WITHIN | {"fastmath": {"reassoc", "contract", "arcp"}})
"""As `called`; sums may be reordered, so that they are compiled to vector instructions. NaN and infinity stay what they are."""
