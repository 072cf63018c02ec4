"""Processes that draw batches ahead: what they do when they begin."""

from __future__ import annotations

import os
import signal
from multiprocessing import parent_process
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

__all__ = ["begin_drawing"]


def begin_drawing(number: int) -> None:  # noqa: ARG001 - of the process, which torch passes
    """Leave Ctrl-C, which a terminal sends to all, to the process that trains, and end with that one however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)  # nothing is waited for: what it would still hand over, nobody takes
