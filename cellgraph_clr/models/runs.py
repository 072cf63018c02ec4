"""What the models share: checked configurations, fits that are whole or none, a hash that tells runs apart."""

from __future__ import annotations

import hashlib
import json
from copy import copy
from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from cellgraph_clr._core.checks import check_key
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["config_of", "run_digest", "whole_or_none"]

Config = TypeVar("Config")
Model = TypeVar("Model")
P = ParamSpec("P")


def config_of(kind: type[Config], options: Mapping[str, Any]) -> Config:
    """Return a configuration of named fields; raises `OptionError` for an unknown one, with the nearest known."""
    known = sorted(f.name for f in fields(kind))  # type: ignore[arg-type]
    for name in options:
        check_key(name, known, where=kind.__name__, error=OptionError)
    return kind(**options)


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


def run_digest(about: Any, arrays: Iterable[np.ndarray]) -> str:
    """Return a hash of what a run is (anything JSON can hold, in text form where it cannot) and of what it learns from."""
    digest = hashlib.sha256(json.dumps(about, default=str).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
