"""The package's logger; every function of the face says what it wrote."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["log", "log_written"]

log = logging.getLogger("cellgraph_clr")


def log_written(function: str, keys: Iterable[str], remark: str = "") -> None:
    """Log the AnnData keys that a function wrote, and a remark on what it did."""
    log.info("%s wrote %s%s", function, ", ".join(keys), f" ({remark})" if remark else "")
