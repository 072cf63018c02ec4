"""How many threads or processes share a piece of work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["n_workers", "over_rows"]

MOST = 4096


def n_workers(n_jobs: int | None) -> int:
    """Return the number of workers that `n_jobs` asks for, at least one.

    None and -1 are all cores that this process may use (by affinity, cgroups and `LOKY_MAX_CPU_COUNT`), -2 all but one, and
    so on, as joblib counts. Raises `OptionError` for 0, more than 4,096, and for what is no whole number.
    """
    from joblib import cpu_count

    count = -1 if n_jobs is None else n_jobs
    if not isinstance(count, (int, np.integer)) or isinstance(count, bool) or count == 0 or count > MOST:
        remedy = "Pass 1 for one worker, -1 or None for all cores."
        raise OptionError(expected("`n_jobs` as a whole number other than 0, or None", repr(n_jobs), remedy))
    return int(count) if count > 0 else max(1, int(cpu_count()) + 1 + int(count))


def over_rows(work: Callable[[int, int], object], n_rows: int, *, n_threads: int, n_parts: int | None = None) -> None:
    """Call `work(first, last)` for consecutive parts of the rows, in threads; it should release the interpreter's lock.

    As many parts as threads unless `n_parts` says otherwise, none of them empty. One part, or one thread, is worked on by the
    caller. What a part raises is raised.
    """
    parts = max(1, min(n_threads if n_parts is None else n_parts, n_rows))
    cuts = [n_rows * i // parts for i in range(parts + 1)]
    workers = min(n_threads, parts)
    if workers <= 1:
        for i in range(parts):
            work(cuts[i], cuts[i + 1])
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda i: work(cuts[i], cuts[i + 1]), range(parts)))
