"""How many voxels the labels of two images on one grid share: their runs are merged, line by line."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.kernels import kernel
from cellgraph_clr.cells.scan.runs import BATCH_VOXELS, flat_labels
from cellgraph_clr.cells.scan.sums import row_of_key
from cellgraph_clr.cells.scan.tables import Window, empty_rows, found_rows, grown, grown_rows

__all__ = ["shared_voxels"]

N_LABELS, N_PAIRS = 512, 4096  # of tables at first


def shared_voxels(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of labels (m, 2) int64 of two images, and the voxels (m,) int64 that they share, in no order.

    Both are C-contiguous and native, (..., x) of one shape, and not empty; the background, 0, is a label as any other. O(voxels)
    comparisons and O(runs) table updates.
    """
    n_x = first.shape[-1]
    n_lines = first.size // n_x
    batch = max(1, min(BATCH_VOXELS // n_x, n_lines))
    flats = [flat_labels(labels) for labels in (first, second)]
    windows = [Window(0, batch, n_x) for _ in flats]
    known = [empty_rows(N_LABELS) for _ in flats]
    for rows in known:
        rows.n[0] = 1  # row 0 is the background
    pairs, voxels = empty_rows(N_PAIRS), np.zeros(N_PAIRS, np.int64)
    for start in range(0, n_lines, batch):
        span = start, min(start + batch, n_lines)
        for i in range(2):
            known[i] = found_rows(known[i], *windows[i].read(flats[i], span))
        line = start
        while (line := _add_shared(windows[0].runs, windows[1].runs, pairs, voxels, (line, span[1]))) < span[1]:
            pairs = grown_rows(pairs)
            voxels = grown(voxels, len(pairs.keys))
    n = int(pairs.n[0])
    keys = pairs.keys[:n]
    rows_of = (keys >> np.uint64(32)).astype(np.int64) - 1, (keys & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1
    ids = [
        rows.keys[row].astype(f"u{labels.dtype.itemsize}").view(labels.dtype).astype(np.int64)
        for rows, row, labels in zip(known, rows_of, (first, second), strict=True)
    ]
    return np.stack(ids, axis=1), voxels[:n]


@kernel
def _add_shared(runs0, runs1, pairs, voxels, span):  # noqa: ANN001, ANN202
    """Add what runs of lines span[0] to span[1] - 1 of two images share to the voxels of their pairs.

    Return the first line left, which is span[1] unless the table of pairs must grow before.
    """
    room = min(pairs.hashed.size // 2, len(voxels))
    for line in range(span[0], span[1]):
        i, i_stop = runs0.starts[line - runs0.first_line], runs0.starts[line + 1 - runs0.first_line]
        j, j_stop = runs1.starts[line - runs1.first_line], runs1.starts[line + 1 - runs1.first_line]
        if pairs.n[0] + i_stop - i + j_stop - j > room:
            return line
        x = 0
        while i < i_stop:  # both lines end at one x
            end0, end1 = runs0.ends[i], runs1.ends[j]
            end = min(end0, end1)
            key = (np.uint64(runs0.rows[i] + 1) << np.uint64(32)) | np.uint64(runs1.rows[j] + 1)
            voxels[row_of_key(pairs, key)] += end - x
            x = end
            i += end0 == end
            j += end1 == end
    return span[1]
