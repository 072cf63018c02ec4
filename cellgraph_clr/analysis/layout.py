"""Cells in a plane, by UMAP's rule, without what compiles for ten seconds and more when `umap` is imported.

Cells are laid out so that those who are joined by a graph of nearest neighbours lie close. With the weights w of
`fuzzy_neighbors` as probabilities that two cells are joined, and 1 / (1 + a d^2b) that of two points at distance d, the cross
entropy between both is lowered by stochastic descent: an edge is drawn as often as its weight says, its ends attract one another,
and one end is repelled by some cells drawn at random (McInnes, Healy and Melville 2018, arXiv:1802.03426, section 3.2 and
algorithm 5). It starts from the first two principal axes, which keep what is far apart in place (Kobak and Linderman 2021).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.analysis.layout_steps import descend

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["laid_out"]

MIN_DIST, SPREAD = 0.5, 1.0  # as scanpy
WIDTH = 20.0  # of the first layout
STEPS_OF_FEW, STEPS_OF_MANY, FEW = 500, 200, 10_000  # each edge of the highest weight is drawn in every step


def laid_out(weights: csr_matrix, start: np.ndarray, *, random_state: int) -> np.ndarray:
    """Return places (n, 2) float32 in which cells that are joined lie close.

    Parameters
    ----------
    weights : (n, n) symmetric, in 0 … 1, see `fuzzy_neighbors`.
    start : (n, 2) a first layout, such as the first two principal axes; its scale does not matter.
    random_state : seed of the cells that repel.

    Notes
    -----
    O(edges · steps), one thread, the same in every run. No cells give no places.
    """
    n = weights.shape[0]
    n_steps = STEPS_OF_FEW if n <= FEW else STEPS_OF_MANY
    edges = weights.tocoo()
    most = edges.data.max(initial=0.0)
    drawn = (edges.data > 0) & (edges.data * n_steps >= most)  # others would not be drawn once
    every = (most / edges.data[drawn]).astype(np.float64)
    rng = np.random.default_rng(random_state)
    spread = np.abs(start).max(initial=0.0)
    xy = WIDTH / 2 / (spread or 1.0) * start + rng.normal(scale=1e-4 * WIDTH, size=(n, 2))  # equal cells are told apart
    xy = np.ascontiguousarray(xy, np.float32)
    seed = np.uint64(rng.integers(1, 2**63))
    a, b = _curve(MIN_DIST, SPREAD)
    descend(xy, edges.row[drawn].astype(np.int32), edges.col[drawn].astype(np.int32), every, n_steps, a, b, seed)
    return xy


@cache
def _curve(min_dist: float, spread: float) -> tuple[float, float]:
    """Return a and b with which 1 / (1 + a d^2b) is nearest to 1 up to `min_dist` and exp((min_dist - d) / spread) beyond."""
    from scipy.optimize import curve_fit

    d = np.linspace(0, 3 * spread, 300)
    wanted = np.where(d < min_dist, 1.0, np.exp((min_dist - d) / spread))
    (a, b), _ = curve_fit(lambda x, a, b: 1 / (1 + a * x ** (2 * b)), d, wanted)
    return float(a), float(b)
