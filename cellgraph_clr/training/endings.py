"""Runs that do not come to their end: interrupted, no longer finite, or without one of their processes."""

from __future__ import annotations

import signal
import traceback
from typing import TYPE_CHECKING

from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LostProcessError, NonFiniteError
from cellgraph_clr.training.module import NOT_FINITE

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    import lightning.pytorch as lightning

    from cellgraph_clr.training.module import TaskModule

__all__ = ["fit"]

DRAWER = "DataLoader worker (pid"  # how torch tells of the end of one that draws batches ahead
HANDS_OVER = "resource_sharer.py"  # where its batches are fetched from it


def fit(trainer: lightning.Trainer, module: TaskModule, *, resume: Path | None, checkpoint: Path | None) -> None:
    """Train by Lightning, from a checkpoint to `resume` where there is one; `checkpoint` is where the user keeps the run.

    Raises
    ------
    KeyboardInterrupt
        When it is interrupted.
    SystemExit
        When the process is asked to end by SIGTERM, with the status that a shell gives such a process, 143.
    NonFiniteError
        When the loss stops being finite, in any process.
    LostProcessError
        When one of several processes, or one that draws batches, is killed. The others are ended.
    """
    try:
        trainer.fit(module, ckpt_path=resume)
    except SIGTERMException as stop:
        raise SystemExit(128 + signal.SIGTERM) from stop
    except SystemExit as stop:  # Lightning's way of ending on Ctrl-C
        raise KeyboardInterrupt from stop
    except (ProcessException, RuntimeError, OSError, EOFError) as error:
        if isinstance(error, ProcessException) and NonFiniteError.__name__ in str(error):
            raise NonFiniteError(expected("a finite loss", "another in a process", NOT_FINITE)) from error
        lost = _lost(error, getattr(trainer.strategy.launcher, "procs", []))
        if lost is None:
            raise
        remedy = _remedy(checkpoint)
        raise LostProcessError(expected("processes that live to the end of the run", lost, remedy)) from error


def _lost(error: Exception, processes: list[BaseProcess]) -> str | None:
    """Return which process was lost, in words; None where the error is another one."""
    if isinstance(error, ProcessExitedException):
        return str(error)
    for number, process in enumerate(processes):  # one that waited for it in vain can be the first that is seen
        if process.exitcode is not None and process.exitcode < 0 and process.exitcode != -signal.SIGTERM:
            return f"process {number} terminated with signal {signal.Signals(-process.exitcode).name}"
    gone = isinstance(error, (ConnectionError, EOFError, FileNotFoundError))
    told = "".join(traceback.format_exception(error))
    return "one killed that draws batches" if DRAWER in told or (gone and HANDS_OVER in told) else None


def _remedy(checkpoint: Path | None) -> str:
    """Return how to go on."""
    if checkpoint is None:
        return "Pass a `checkpoint`: then the same call goes on from what was saved."
    if not checkpoint.exists():
        return f"Nothing was saved in {str(checkpoint)!r} yet: call again, with a lower `checkpoint_every`."
    return (
        f"The run is whole in {str(checkpoint)!r} up to its last saving: the same call goes on from there. If memory ran out, "
        "lower `n_processes` or `num_workers` for it."
    )
