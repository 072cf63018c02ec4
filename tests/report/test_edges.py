"""Packed graphs, unpacked by a loop."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from cellgraph_clr._report.blocks import Blocks
from cellgraph_clr._report.edges import add_edges, later_neighbors


def unpacked(count, step, n):
    out, at = set(), 0
    for i in range(n):
        j = i
        for _ in range(count[i]):
            j += int(step[at])
            out.add((i, j))
            at += 1
    return out


@pytest.mark.parametrize("density", [0.0, 0.01, 0.3, 1.0])
def test_edges_come_back(density):
    a = random_array((60, 60), density=density, rng=np.random.default_rng(0), format="csr")
    a = csr_matrix((a + a.T) != 0)
    count, step = later_neighbors(a)
    r, c = a.nonzero()
    assert unpacked(count, step, 60) == {(int(i), int(j)) for i, j in zip(r, c, strict=True) if i < j}
    assert (step >= 1).all()


def test_they_are_small_where_steps_are():
    blocks = Blocks()
    ring = csr_matrix((np.ones(100), (np.arange(100), (np.arange(100) + 1) % 100)), shape=(100, 100))
    add_edges(blocks, ring + ring.T)
    assert blocks.about["edge_count"]["kind"] == "uint8"
    assert blocks.about["edge_step"] == {"kind": "uint16", "length": 100}
