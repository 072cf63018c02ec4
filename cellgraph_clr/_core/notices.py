"""Warnings that show the line of the user's that led to them, however deep in the package they are raised."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["warn"]

PACKAGE = str(Path(__file__).parents[1])


def warn(text: str) -> None:
    """Give a UserWarning at the line that called the package."""
    level = 1
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as pandas does
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)
