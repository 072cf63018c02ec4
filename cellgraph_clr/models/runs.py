"""What the models' constructors and runs share: checked configurations, and a hash that tells runs apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cellgraph_clr._core.checks import check_key
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["config_of", "run_digest"]

Config = TypeVar("Config")


def config_of(kind: type[Config], options: Mapping[str, Any]) -> Config:
    """Return a configuration of named fields; raises `OptionError` for an unknown one, with the nearest known."""
    known = sorted(f.name for f in fields(kind))  # type: ignore[arg-type]
    for name in options:
        check_key(name, known, where=kind.__name__, error=OptionError)
    return kind(**options)


def run_digest(about: Any, arrays: Iterable[np.ndarray]) -> str:
    """Return a hash of what a run is (anything JSON can hold, in text form where it cannot) and of what it learns from."""
    digest = hashlib.sha256(json.dumps(about, default=str).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
