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


def edges_per_sample(
    cells: CellTable, build: Callable[[np.ndarray, str], tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the edges (m, 2) of all samples with their lengths; `build(position, name)` gives those of one by local rows."""
    parts = [(rows, *build(cells.position[rows], name)) for name, rows in groups(cells)]
    if len(parts) == 1:
        return parts[0][1], {"length": parts[0][2]}
    edges = [rows[local] for rows, local, _ in parts]
    lengths = [length for _, _, length in parts]
    return (
        np.concatenate(edges) if edges else np.zeros((0, 2), np.int64),
        {"length": np.concatenate(lengths) if lengths else np.zeros(0, np.float32)},
    )
