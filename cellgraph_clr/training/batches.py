"""Batches of anchors: the whole graph when it fits, distant tiles of the tissue when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.graphs.tiles import curve_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellgraph_clr.cells.table import CellTable

__all__ = ["anchor_batches"]

TILES_PER_BATCH = 16


def anchor_batches(
    cells: CellTable, *, batch_size: int, n_steps: int, tiled: bool, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield `n_steps` batches of unique rows (sorted), every cell about equally often.

    `tiled` False draws single cells all over the tissue; True draws runs along a space-filling curve, so that their
    halos overlap and the subgraph stays small, and noise still comes from all over.
    """
    n = len(cells)
    size = min(batch_size, n)
    run = max(1, size // TILES_PER_BATCH) if tiled else 1
    order = curve_order(cells) if tiled else np.arange(n)
    pool: list[np.ndarray] = []
    per_batch = max(1, size // run)
    for _ in range(n_steps):
        if len(pool) < per_batch:
            shift = int(rng.integers(run))
            pieces = np.split(np.roll(order, shift), np.arange(run, n, run))
            pool = [pieces[i] for i in rng.permutation(len(pieces))]
        batch, pool = pool[:per_batch], pool[per_batch:]
        yield np.sort(np.concatenate(batch))
