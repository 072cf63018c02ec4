"""Regions grown from the highest scores down, each up to a size: a flood of the graph with a limit."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.kernels import kernel
from cellgraph_clr.cells.component_runs import root_of

__all__ = ["grow"]


@kernel
def grow(order, indptr, indices, max_cells):  # noqa: ANN001, ANN201
    """Return a region (n,) of every cell, named by one of its cells, -1 for none.

    Cells come in `order`, best first; others are in no region. A cell joins and merges the regions beside it. Where that would
    pass `max_cells`, these regions are full, and the cell is their rim: what follows it downhill, beside full regions or rim
    only, is rim too, so that leftovers make no regions of their own. O(edges) after sorting.
    """
    n = len(indptr) - 1
    parent = np.full(n, -1)
    size = np.zeros(n, np.int64)
    full = np.zeros(n, np.bool_)
    rim = np.zeros(n, np.bool_)
    most = 1
    for i in range(n):
        most = max(most, indptr[i + 1] - indptr[i])
    beside = np.empty(most, np.int64)
    for i in order:
        total = 1
        count = 0
        closed = False
        for at in range(indptr[i], indptr[i + 1]):
            j = indices[at]
            if rim[j]:
                closed = True
            if parent[j] < 0:
                continue
            root = root_of(parent, j)
            if full[root]:
                closed = True
                continue
            known = False
            for c in range(count):
                known = known or beside[c] == root
            if not known:
                beside[count] = root
                count += 1
                total += size[root]
        if closed and count == 0:
            rim[i] = True
        elif total > max_cells:
            for c in range(count):
                full[beside[c]] = True
            rim[i] = True
        else:
            parent[i] = i
            size[i] = total
            for c in range(count):
                parent[beside[c]] = i
    for i in range(n):
        if parent[i] >= 0:
            parent[i] = root_of(parent, i)
    return parent
