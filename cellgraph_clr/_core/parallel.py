"""How many threads or processes share a piece of work."""

from __future__ import annotations

import os

__all__ = ["n_workers"]


def n_workers(n_jobs: int | None) -> int:
    """Return the number of workers that `n_jobs` asks for: one per core for None and -1, at least one."""
    return os.cpu_count() or 1 if n_jobs in (None, -1) else max(1, int(n_jobs))
