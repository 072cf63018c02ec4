"""Label images of packed cells: every voxel goes to the seed that is nearest in that seed's own metric."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.kernels import kernel
from cellgraph_clr._core.parallel import n_workers, over_rows

__all__ = ["packed_labels"]


@kernel
def _fill(labels, seeds, metrics, step, reach, start, order, bins, bin_size, first, last):  # noqa: ANN001, ANN202
    _, n_y, n_x = labels.shape
    for line in range(first, last):
        z, y = line // n_y, line % n_y
        for x in range(n_x):
            pz, py, px = z * step[0], y * step[1], x * step[2]
            bz = min(int(pz / bin_size), bins[0] - 1)
            by = min(int(py / bin_size), bins[1] - 1)
            bx = min(int(px / bin_size), bins[2] - 1)
            best = reach
            found = -1
            for i in range(max(bz - 1, 0), min(bz + 2, bins[0])):
                for j in range(max(by - 1, 0), min(by + 2, bins[1])):
                    for k in range(max(bx - 1, 0), min(bx + 2, bins[2])):
                        b = (i * bins[1] + j) * bins[2] + k
                        for at in range(start[b], start[b + 1]):
                            s = order[at]
                            dz, dy, dx = pz - seeds[s, 0], py - seeds[s, 1], px - seeds[s, 2]
                            m = metrics[s]
                            d = (
                                m[0] * dz * dz
                                + m[1] * dy * dy
                                + m[2] * dx * dx
                                + 2 * (m[3] * dz * dy + m[4] * dz * dx + m[5] * dy * dx)
                            )
                            if d < best:
                                best = d
                                found = s
            labels[z, y, x] = found + 1


def packed_labels(
    shape: tuple[int, int, int], seeds: np.ndarray, metrics: np.ndarray, spacing: np.ndarray, *, cell_size: float
) -> np.ndarray:
    """Return labels (z, y, x) int32; seed i becomes label i + 1.

    Parameters
    ----------
    shape : voxels; 2D images have one plane.
    seeds : (n, 3) positions in physical units.
    metrics : (n, 6) entries zz, yy, xx, zy, zx, yx of each seed's squared-distance matrix; a voxel goes to the seed of
        least distance, or to the background beyond a distance of 1.2.
    spacing : (3,) voxel size.
    cell_size : mean distance of seeds; a seed may reach this far.

    Notes
    -----
    O(voxels), in parallel, same result for any number of threads.
    """
    extent = np.array(shape) * spacing
    bins = np.maximum(1, np.ceil(extent / cell_size).astype(np.int64))
    place = np.minimum((seeds / cell_size).astype(np.int64).clip(0), bins - 1)
    key = (place[:, 0] * bins[1] + place[:, 1]) * bins[2] + place[:, 2]
    order = np.argsort(key, kind="stable")
    start = np.searchsorted(key[order], np.arange(bins.prod() + 1))
    labels = np.empty(shape, np.int32)
    given = labels, seeds, metrics, np.asarray(spacing, float), 1.2**2, start, order, bins, float(cell_size)
    over_rows(lambda first, last: _fill(*given, first, last), shape[0] * shape[1], n_threads=n_workers(None))
    return labels
