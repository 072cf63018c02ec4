"""Fits that are whole or none."""

from __future__ import annotations

from copy import copy
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["whole_or_none"]

Model = TypeVar("Model")
P = ParamSpec("P")


def whole_or_none(fit: Callable[Concatenate[Model, P], Model]) -> Callable[Concatenate[Model, P], Model]:
    """Let a `fit` that does not reach its end, for an error or an interruption, leave the model exactly as it was.

    It learns into a copy of the model, whose state is taken over by one assignment at the end. It may assign any attribute,
    and change none in place.
    """

    @wraps(fit)
    def call(self: Model, *args: P.args, **kwargs: P.kwargs) -> Model:
        draft = copy(self)
        fit(draft, *args, **kwargs)
        self.__dict__ = draft.__dict__
        return self

    return call
