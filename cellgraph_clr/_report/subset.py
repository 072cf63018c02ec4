"""Which cells a page holds: all, or of very many a sample in which no class is lost; and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["chosen_rows", "near_in_order"]

LEAST = 200  # cells that a class keeps, or all where it has fewer
GRID = 1 << 10  # steps along an axis of the curve that cells are ordered by


def chosen_rows(n: int, classes: Sequence[np.ndarray], most: int, rng: np.random.Generator) -> np.ndarray:
    """Return the rows (ascending) of at most `most` of n cells, drawn so that rare classes stay.

    Parameters
    ----------
    n : number of cells.
    classes : columns of codes (n,), -1 for none. Of every class of every column `LEAST` cells are drawn first, or all
        it has (fewer where these alone would be more than half of `most`); the rest is drawn from all others alike.
    most : cells kept.
    rng : of the draw.

    Notes
    -----
    O(n columns). With n up to `most` all rows.
    """
    if n <= most:
        return np.arange(n)
    order = rng.permutation(n)
    n_classes = sum(int(c.max(initial=-1)) + 1 for c in classes)
    least = min(LEAST, max(most // (2 * max(n_classes, 1)), 1))
    kept = np.zeros(n, bool)
    for codes in classes:
        shuffled = codes[order]
        by_class = np.argsort(shuffled, kind="stable")
        ordered = shuffled[by_class]
        place = np.arange(n) - np.searchsorted(ordered, ordered)  # of a cell among those of its class
        kept[order[by_class[(place < least) & (ordered >= 0)]]] = True
    rows = order[np.argsort(~kept[order], kind="stable")][:most]
    return np.sort(rows)


def near_in_order(xyz: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return an order (n,) of cells, image by image along a Morton curve, in which neighbors in space are near.

    Lists of neighbors are then small differences, which compress. `xyz` (n, d) may hold what is not finite.
    """
    place = np.nan_to_num(np.asarray(xyz, float), nan=0.0, posinf=0.0, neginf=0.0)
    low = place.min(axis=0, initial=np.inf)
    span = max(float(np.ptp(place, axis=0).max(initial=0.0)), 1e-300) if len(place) else 1.0
    cell = ((place - low) / span * (GRID - 1)).astype(np.uint64)
    key = np.zeros(len(place), np.uint64)
    for bit in range(10):
        for axis in range(cell.shape[1]):
            key |= ((cell[:, axis] >> np.uint64(bit)) & np.uint64(1)) << np.uint64(bit * cell.shape[1] + axis)
    return np.lexsort((key, image))
