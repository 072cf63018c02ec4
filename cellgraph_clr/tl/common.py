"""What the tools share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_model_alone"]


def check_model_alone(given: Iterable[str]) -> None:
    """Raise `OptionError` for training options that were given beside a fitted model."""
    names = sorted(given)
    if names:
        raise OptionError(expected("no training options beside `model`", names, "Set them when fitting."))
