"""The statistics of one block of a label image, by one thread with tables of its own.

Labels -> runs -> rows of the tables -> sums, intensities, faces, overlaps: lines are read in batches that stay in the
cache of the processor. A run of n voxels adds its closed-form sums once, so the cost is O(runs), not O(voxels), beside
one vectorised comparison per voxel.

A block may start with a halo on its low sides: voxels of blocks scanned before. Its voxels are not counted again; a pair
of voxels counts in the block that holds, axis by axis, the higher of the two. So every voxel and every pair counts once,
however the image is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.ids import order_of_pairs
from cellgraph_clr.cells.scan.columns import BORDER, BOX, COMMON, COUNT, FACES, FIRST, OFFSET_Y, OFFSET_Z, SECOND
from cellgraph_clr.cells.scan.matches import match_lines
from cellgraph_clr.cells.scan.overlaps import add_overlaps
from cellgraph_clr.cells.scan.runs import BATCH_VOXELS, Channel, Place, add_intensities, flat, flat_labels
from cellgraph_clr.cells.scan.statistics import LabelStatistics
from cellgraph_clr.cells.scan.sums import add_sums
from cellgraph_clr.cells.scan.tables import CellTables, PairTable, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellgraph_clr.cells.scan.parts import Block, Plan

__all__ = ["COMPILED_INTENSITIES", "block_statistics"]

COMPILED_INTENSITIES = (np.uint8, np.uint16, np.float32, np.float64)  # others are cast to float64, batch by batch


def _lines_before(place: Place, line: int) -> int:
    """Return how many own lines there are before a line of the block."""
    z, y = divmod(line, place.n_y)
    return max(z - place.core_z, 0) * (place.n_y - place.core_y) + (
        max(y - place.core_y, 0) if z >= place.core_z else 0
    )


def _pixels(image: np.ndarray, place: Place, span: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield, per channel, the flat intensities of the own voxels of lines span[0] to span[1] - 1."""
    n_x = image.shape[3]
    own = slice(_lines_before(place, span[0]) * n_x, _lines_before(place, span[1]) * n_x)
    for channel in image:
        values = flat(channel)[own]
        yield values if values.dtype in COMPILED_INTENSITIES else flat(values.astype(np.float64))


def block_statistics(block: Block, shift: np.ndarray, plan: Plan) -> LabelStatistics:
    """Return the statistics of one block; `shift` (c,) is subtracted of intensities before squaring."""
    labels, image, offsets = block.labels, block.image, plan.offsets
    place = Place(labels.shape[1], *block.core.tolist(), *block.origin.tolist(), *plan.size.tolist())
    n_lines, n_x = labels.shape[0] * labels.shape[1], labels.shape[2]
    batch = max(1, min(BATCH_VOXELS // max(n_x, 1), n_lines))
    back = [dz * place.n_y + dy for dz, dy in offsets[:, [OFFSET_Z, OFFSET_Y]].tolist()]
    window, cells, pairs = Window(max([place.n_y, *back]), batch, n_x), CellTables(len(image)), PairTable()
    matches = np.zeros((batch, len(plan.matched), 2), np.int64)
    values = flat_labels(labels)
    for first in range(0, n_lines, batch):
        span = first, min(first + batch, n_lines)
        cells.find(*window.read(values, span))
        add_sums(window.runs, place, cells.sums, span)
        for c, pixels in enumerate(_pixels(image, place, span)):
            add_intensities(pixels, window.runs, place, Channel(cells.intensity, c, shift[c]), span)
        if place.core_x == 0:  # lines that are own from their start
            match_lines(window.runs, place, plan.matched, matches, span)
        pairs.add(window, place, (matches, cells.overlaps, plan.along), span)
        if len(offsets):
            add_overlaps(window.runs, place, (cells.overlaps, matches), offsets, span)
    return _statistics(cells, pairs, shift, plan.along)


def _statistics(cells: CellTables, pairs: PairTable, shift: np.ndarray, along: np.ndarray) -> LabelStatistics:
    """Return what was counted, by id in place of rows."""
    n, m = len(cells), len(pairs)
    ids, sums, overlaps = cells.rows.keys[:n], cells.sums[:n], cells.overlaps[:n]
    keys, faces = pairs.rows.keys[:m], pairs.faces[:m]
    a, b = (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    cell_faces = sums[:, BORDER].copy()  # to which the faces of every pair are added
    for side in (a, b):
        for axis in range(3):
            cell_faces[:, axis] += np.bincount(side, weights=faces[:, axis], minlength=n).astype(np.int64)
        for axis, column in enumerate(along):
            if column >= 0:
                ends = np.bincount(side, weights=faces[:, COMMON + axis], minlength=n).astype(np.int64)
                overlaps[:, column] -= ends
    seen = np.flatnonzero((sums[:, COUNT] > 0) | (cell_faces.sum(axis=1) > 0) | overlaps.any(axis=1))
    seen = seen[seen > 0]
    order = seen[np.argsort(ids[seen])]
    met = faces[:, FACES].sum(axis=1) > 0  # a pair may lie wholly in the halo
    kept = np.flatnonzero((a > 0) & met)
    of_pairs = np.sort(np.stack([ids[a[kept]], ids[b[kept]]], axis=1), axis=1).astype(np.int64)
    pair_order = order_of_pairs(of_pairs)
    return LabelStatistics(
        cell_id=ids[order].astype(np.int64),
        count=sums[order, COUNT],
        first=sums[order, FIRST],
        second=sums[order, SECOND],
        box=sums[order, BOX].reshape(-1, 3, 2),
        faces=cell_faces[order],
        border_faces=sums[order, BORDER],
        overlaps=overlaps[order],
        intensity=cells.intensity[:n][order],
        shift=shift,
        pairs=of_pairs[pair_order],
        pair_faces=faces[kept, FACES][pair_order],
    )
