"""The graph of a page: for every cell its later neighbors, as differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from cellgraph_clr._report.blocks import Blocks

__all__ = ["add_edges", "later_neighbors"]


def later_neighbors(adjacency: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return for a symmetric pattern how many neighbors of a higher row each row has (n,), and the steps to them.

    Steps are from the row to its first such neighbor, then from one to the next: all at least 1. uint32. Self-loops are dropped.
    """
    from scipy.sparse import triu

    upper = triu(adjacency, k=1, format="csr")
    upper.sort_indices()
    count = np.diff(upper.indptr)
    index = upper.indices.astype(np.int64)
    first = upper.indptr[:-1][count > 0]
    step = np.diff(index, prepend=0)
    step[first] = index[first] - np.flatnonzero(count)
    return count.astype(np.uint32), step.astype(np.uint32)


def add_edges(blocks: Blocks, adjacency: csr_matrix) -> None:
    """Pack a graph as "edge_count" and "edge_step"."""
    count, step = later_neighbors(adjacency)
    blocks.add("edge_count", count.astype(np.uint8) if count.max(initial=0) < 256 else count)
    blocks.add("edge_step", step.astype(np.uint16) if step.max(initial=0) < 65536 else step)
