"""The package's logger; every function of the face says what it wrote."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["log", "log_written"]

log = logging.getLogger("cellgraph_clr")


def log_written(function: str, keys: Iterable[str]) -> None:
    """Log the AnnData keys that a function wrote."""
    log.info("%s wrote %s", function, ", ".join(keys))
