"""What dask computes, on threads or on a cluster: workers may die, and what cannot be computed without them is named."""

from __future__ import annotations

import threading
import time
from typing import Any

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LostProcessError

__all__ = ["computed"]

PATIENCE = "5 minutes"  # without any worker, unless the configuration of dask says another time
SMALLER = "Each task holds a chunk: if memory ran out, pass labels in smaller chunks, or give workers more memory."
START = (
    "Start workers and call again. A cluster that takes longer to start them is given the time by dask's option "
    "distributed.scheduler.no-workers-timeout."
)
AGAIN = "Connect a client to a cluster that runs, and call again."
REMEDIES = {
    "KilledWorker": SMALLER,
    "NoValidWorkerError": START,
    "NoWorkerError": START,
    "CancelledError": AGAIN,
    "CommClosedError": AGAIN,
    "FutureCancelledError": AGAIN,
}  # of errors by their names, which are not the same in all versions


def computed(delayed: Any) -> Any:
    """Return the value of a delayed object, from where dask runs: the client of the session if there is one, else threads.

    A worker that dies costs time alone: what it held is computed again by another, or by the one that takes its place.

    Raises
    ------
    LostProcessError
        If workers die of the same task time and again, if there has been no worker for 5 minutes (or dask's
        `distributed.scheduler.no-workers-timeout`), or if the scheduler is lost.
    """
    from dask.base import get_scheduler

    client = getattr(get_scheduler(collections=[delayed]), "__self__", None)
    if client is None:
        return delayed.compute()
    over, deserted = threading.Event(), threading.Event()
    threading.Thread(target=_watch, args=(client, delayed.key, over, deserted), daemon=True).start()
    try:
        return delayed.compute()
    except Exception as error:
        name = type(error).__name__
        if name not in REMEDIES:
            raise
        told = "no worker for too long" if deserted.is_set() else f"{name}: {_first_sentence(error)}"
        remedy = START if deserted.is_set() else REMEDIES[name]
        raise LostProcessError(expected("a dask cluster that lives through the scan", told, remedy)) from error
    finally:
        over.set()


def _watch(client: Any, key: str, over: threading.Event, deserted: threading.Event) -> None:
    """Cancel what is computed on a cluster that has had no worker for too long, on which dask would wait for ever."""
    import dask
    from dask.utils import parse_timedelta
    from distributed import Future

    patience = parse_timedelta(dask.config.get("distributed.scheduler.no-workers-timeout", None) or PATIENCE)
    last = time.monotonic()
    while not over.wait(min(patience / 4, 5)):
        try:
            workers = client.nthreads()
        except OSError:  # without the scheduler the client ends by itself
            return
        if workers:
            last = time.monotonic()
        elif time.monotonic() - last > patience:
            deserted.set()
            client.cancel([Future(key, client)])
            return


def _first_sentence(error: Exception) -> str:
    return str(error).splitlines()[0].split(". ")[0].rstrip(".")
