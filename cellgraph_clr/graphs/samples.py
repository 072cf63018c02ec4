"""Many samples at once: every builder runs sample by sample, so that no edge joins two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellgraph_clr.cells.table import CellTable

__all__ = ["edges_per_sample", "groups"]


def groups(cells: CellTable) -> list[tuple[str, np.ndarray]]:
    """Return (name, rows) of every group of cells that may share edges: the same sample and the same frame."""
    names = cells.sample
    if (cells.frame != 0).any():
        names = np.char.add(np.char.add(cells.sample.astype(str), "/"), cells.frame.astype(str))
    unique, inverse = np.unique(names, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(unique) + 1))
    return [(str(unique[i]), order[starts[i] : starts[i + 1]]) for i in range(len(unique))]


def edges_per_sample(cells: CellTable, build: Callable[[np.ndarray, str], np.ndarray]) -> np.ndarray:
    """Return the edges (m, 2) of all samples; `build(position, name)` gives those of one as local rows."""
    edges = [rows[build(cells.position[rows], name)] for name, rows in groups(cells)]
    return np.concatenate(edges) if edges else np.zeros((0, 2), np.int64)
