"""Tiles with a halo: exact k-layer results for some cells from a small part of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from cellgraph_clr.graphs.neighbors import row_entries, row_slots
from cellgraph_clr.graphs.samples import groups

if TYPE_CHECKING:
    from cellgraph_clr.cells.table import CellTable

__all__ = ["Subgraph", "curve_order", "halo"]

MORTON_BITS = 16


def curve_order(cells: CellTable) -> np.ndarray:
    """Return the rows of `cells`, sample after sample, along a Morton (z-order) curve: neighbours stay close.

    Returns (n,) int64. O(n log n).
    """
    out = []
    for rows in (g.rows for g in groups(cells)):
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

    For one cell it is the ego-subgraph. The order of `core` is kept in `Subgraph.core`; entries keep their values.
    O(edges touched · log), however large the graph, but for one byte a cell.
    """
    inside = np.zeros(adjacency.shape[0], bool)
    frontier = np.unique(core)
    inside[frontier] = True
    reached = [frontier]
    for _ in range(n_hops):
        near = row_entries(adjacency, frontier)[1]
        frontier = np.unique(near[~inside[near]]).astype(np.int64)
        if len(frontier) == 0:
            break
        inside[frontier] = True
        reached.append(frontier)
    rows = np.sort(np.concatenate(reached))
    return Subgraph(rows, _induced(adjacency, rows, inside), np.searchsorted(rows, core))


def _induced(adjacency: csr_matrix, rows: np.ndarray, inside: np.ndarray) -> csr_matrix:
    """Return the entries between `rows` (sorted); `inside` marks them among all cells."""
    index, slot = row_slots(adjacency, rows)
    column = adjacency.indices[slot]
    keep = inside[column]
    index, slot, column = index[keep], slot[keep], column[keep]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(index, minlength=len(rows)))])
    return csr_matrix((adjacency.data[slot], np.searchsorted(rows, column), indptr), shape=(len(rows),) * 2)
