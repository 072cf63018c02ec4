"""Ctrl-C that waits for foreign code which no exception may leave."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interrupts_wait"]


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let Ctrl-C take effect at the end of a block rather than within.

    Python raises `KeyboardInterrupt` between any two of its steps, also in a function that C calls; HDF5 then ends the process.
    Only the main thread is interrupted: in any other, nothing changes.
    """
    former = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(former):
        yield
        return
    came: list[tuple[Any, ...]] = []
    signal.signal(signal.SIGINT, lambda *of: came.append(of))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
        if came:
            former(*came[0])
