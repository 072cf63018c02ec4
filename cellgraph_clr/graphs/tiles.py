"""Tiles with a halo: exact k-layer results for some cells from a small part of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.graphs.neighbors import row_entries
from cellgraph_clr.graphs.samples import groups

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from cellgraph_clr.cells.table import CellTable

__all__ = ["Subgraph", "curve_order", "halo"]

MORTON_BITS = 16


def curve_order(cells: CellTable) -> np.ndarray:
    """Return the rows of `cells`, sample after sample, along a Morton (z-order) curve: neighbours stay close.

    Returns (n,) int64. O(n log n).
    """
    out = []
    for _, rows in groups(cells):
        position = cells.position[rows]
        low, span = position.min(axis=0), np.ptp(position, axis=0).max()
        grid = ((position - low) / max(span, 1e-300) * (2**MORTON_BITS - 1)).astype(np.uint64)
        key = np.zeros(len(rows), np.uint64)
        d = position.shape[1]
        for bit in range(MORTON_BITS):
            for axis in range(d):
                key |= ((grid[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(bit * d + axis)
        out.append(rows[np.argsort(key, kind="stable")])
    return np.concatenate(out) if out else np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Subgraph:
    """Part of a graph: `rows` of the whole (sorted), its edges as CSR, and where the core cells are in `rows`."""

    rows: np.ndarray
    adjacency: csr_matrix
    core: np.ndarray


def halo(adjacency: csr_matrix, core: np.ndarray, n_hops: int) -> Subgraph:
    """Return the subgraph of `core` and everything within `n_hops`: k layers on it are exact for the core, k = n_hops.

    O(edges touched). The order of `core` is kept in `Subgraph.core`.
    """
    inside = np.zeros(adjacency.shape[0], bool)
    inside[core] = True
    frontier = np.unique(core)
    for _ in range(n_hops):
        reached = np.unique(row_entries(adjacency, frontier)[1])
        frontier = reached[~inside[reached]]
        inside[frontier] = True
        if len(frontier) == 0:
            break
    rows = np.flatnonzero(inside)
    return Subgraph(rows, adjacency[rows][:, rows].tocsr(), np.searchsorted(rows, core))
