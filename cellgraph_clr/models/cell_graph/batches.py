"""Batches of anchors: the whole graph when it fits, distant tiles of the tissue when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.graphs.tiles import curve_order

if TYPE_CHECKING:
    from cellgraph_clr.cells.table import CellTable

__all__ = ["FULL_GRAPH_CELLS", "AnchorBatches", "in_tiles"]

FULL_GRAPH_CELLS = 20_000  # up to here a step runs on the whole graph; above, on tiles with their halo

TILES_PER_BATCH = 16


def in_tiles(cells: CellTable) -> bool:
    """Return whether a step sees a part of the graph, its cells with their halo, or the whole of it."""
    return len(cells) > FULL_GRAPH_CELLS


class AnchorBatches:
    """Batch number `step` as a function of the seed and the step alone, so that training can start again anywhere.

    Every cell comes about once an epoch. Of a graph that fits, single cells are drawn all over the tissue; of a larger one runs
    along a space-filling curve, so that their halos overlap and the subgraph stays small, and noise still comes from all over.

    Attributes
    ----------
    steps_per_epoch : int.
    """

    def __init__(self, cells: CellTable, *, batch_size: int, seed: int) -> None:
        n, tiled = len(cells), in_tiles(cells)
        size = min(batch_size, n)
        self._run = max(1, size // TILES_PER_BATCH) if tiled else 1
        self._order = curve_order(cells) if tiled else np.arange(n)
        self._per_batch = max(1, size // self._run)
        self._seed = seed
        self._epoch = -1
        self._rolled = self._starts = self._order
        self.steps_per_epoch = max(1, -(-n // self._run) // self._per_batch)

    def __call__(self, step: int) -> np.ndarray:
        """Return the unique rows (sorted) of a batch, int64."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, 0, epoch])
            self._rolled = np.roll(self._order, int(rng.integers(self._run)))
            self._starts = rng.permutation(np.arange(0, len(self._order), self._run))
            self._epoch = epoch
        starts = self._starts[place * self._per_batch : (place + 1) * self._per_batch]
        places = (starts[:, None] + np.arange(self._run)).ravel()
        return np.sort(self._rolled[places[places < len(self._rolled)]])  # the last run may be short
