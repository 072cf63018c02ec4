"""Losses in float32 at least, whatever the precision around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, overload

import torch
from torch import Tensor

__all__ = ["full_precision", "widened"]

P = ParamSpec("P")
T = TypeVar("T")


@overload
def widened(value: Tensor) -> Tensor: ...
@overload
def widened(value: Any) -> Any: ...
def widened(value: Any) -> Any:
    """Return a tensor of half precision as float32, differentiably; anything else as it is."""
    half = isinstance(value, Tensor) and value.is_floating_point() and value.dtype.itemsize < 4
    return value.float() if half else value


def full_precision(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function of tensors outside autocast and in float32 at least.

    Tensors of half precision come in as float32, so that what is summed is summed there: their gradient is rounded once, last,
    after it was multiplied with the gradient from above (a scaled loss does not overflow on the way). float64 stays.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        device = next((v.device.type for v in (*args, *kwargs.values()) if isinstance(v, Tensor)), "cpu")
        wide: Any = {name: widened(value) for name, value in kwargs.items()}
        with torch.autocast(device, enabled=False):
            return function(*(widened(v) for v in args), **wide)

    return call
