"""How much the package tells on stderr: `settings.verbosity`, as in scanpy."""

from __future__ import annotations

import logging
import sys
from typing import Any

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log

__all__ = ["Settings", "settings"]

LEVELS = ("error", "warning", "info", "debug")  # 0 to 3


class _Lines(logging.Handler):
    """Writes lines to what is stderr at that moment, so that notebooks show them where they belong."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        sys.stderr.write(f"{self.format(record)}\n")


class Settings:
    """Settings of the session; there is one, `cellgraph_clr.settings`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cgc.settings.verbosity
    'warning'
    >>> cgc.settings.verbosity = "info"  # or 2: every call tells on stderr which keys it wrote
    >>> cgc.settings.verbosity = "warning"
    """

    def __init__(self) -> None:
        self._handler = _Lines()
        self._verbosity = "warning"

    @property
    def verbosity(self) -> str:
        """What is told on stderr: "error", "warning" (the default), "info" (keys that were written, what was chosen), "debug".

        Set it by name or, as in scanpy, by number (0 to 3); `OptionError` for another value. Lines also go to the logger
        "cellgraph_clr" of Python, whose level it sets.
        """
        return self._verbosity

    @verbosity.setter
    def verbosity(self, value: str | int) -> None:
        name: Any = LEVELS[value] if type(value) is int and 0 <= value < len(LEVELS) else value
        if name not in LEVELS:
            listed = ", ".join(repr(level) for level in LEVELS)
            raise OptionError(expected(f"`verbosity` as one of {listed}, or 0 to 3", repr(value), "Set one of these."))
        log.removeHandler(self._handler)
        log.addHandler(self._handler)
        log.setLevel(name.upper())
        self._verbosity = name

    def __repr__(self) -> str:
        """Return such as "Settings(verbosity='info')"."""
        return f"Settings(verbosity={self._verbosity!r})"


settings = Settings()
