"""Points with outward normals on the surface of every cell, uniform by area, straight from labels."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_whole
from cellgraph_clr._core.parallel import n_workers
from cellgraph_clr.cells.crops import crops

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.cells.scan import LabelStatistics

__all__ = ["SurfacePoints", "sample_surface", "sample_surfaces"]

AHEAD = 64  # crops in memory at a time, per worker
MOST_SMOOTHING = 100.0
MARGIN = 2  # voxels that differences of the smoothed cell need beyond what it spreads


@dataclass(frozen=True, slots=True, eq=False)
class SurfacePoints:
    """Points and unit normals (n, p, d) float32 of n cells, axes as in the labels (z, y, x), in physical units.

    Positions are those of the image (the centre of its first voxel is 0). `area` (n,) float64 is the surface, in 2D the
    perimeter.
    """

    cell_id: np.ndarray
    points: np.ndarray
    normals: np.ndarray
    area: np.ndarray


def sample_surface(
    mask: np.ndarray, spacing: Sequence[float], n_points: int = 512, *, smoothing: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return points (n_points, d), outward unit normals (n_points, d) and the surface (2D: perimeter) of one cell.

    Parameters
    ----------
    mask : ([z,] y, x) bool or uint8, at least one voxel; what touches its sides ends there.
    spacing : size of a voxel along each axis.
    n_points : points, at equal steps of area along the boundary faces.
    smoothing : spread of the Gaussian that normals and the surface are read from, in units of the largest spacing. Cells thinner
        than that keep the points of their faces.
    seed : of where in its step a point lies.

    Raises
    ------
    OptionError
        If `n_points` is below 1 or `smoothing` not above 0, or above 100.

    Notes
    -----
    A face of area A and axis a stands for A |n_a| of the surface, n the normal of the smoothed cell there (derivation ours);
    points move along the normal to where the smoothed cell is 1/2, half a voxel at most. No mesh. O(voxels + n_points).
    """
    from cellgraph_clr.cells.surface_rows import draw_points, smooth

    check_whole("n_points", n_points)
    check_in_range("smoothing", smoothing, low=0, low_open=True, high=MOST_SMOOTHING)
    flat = mask.ndim == 2
    solid = mask[None] if flat else mask
    size = np.array([1.0, *spacing] if flat else spacing, np.float64)
    sigma = smoothing * float(size[1:].max() if flat else size.max())
    reach = np.array([0 if flat and a == 0 else int(np.ceil(2.5 * sigma / size[a])) for a in range(3)])
    weights = np.zeros((3, reach.max() + 1), np.float32)
    for a in range(3):
        w = np.exp(-0.5 * (np.arange(reach[a] + 1) * size[a] / sigma) ** 2)
        weights[a, : len(w)] = w / (2 * w.sum() - 1)
    margin = np.where(reach > 0, reach + MARGIN, 0)
    padded = np.zeros(np.array(solid.shape) + 2 * margin, np.uint8)
    inner = tuple(slice(m, m + n) for m, n in zip(margin, solid.shape, strict=True))
    padded[inner] = solid
    field = smooth(padded, weights, reach)
    points, normals, area = draw_points(padded, field, margin, size, int(n_points), flat, np.uint64(seed))
    points -= margin * size
    first = 1 if flat else 0
    return points[:, first:], normals[:, first:], float(area)


def sample_surfaces(
    image: LabelImage,
    s: LabelStatistics,
    n_points: int = 512,
    *,
    smoothing: float = 1.0,
    seed: int = 0,
    n_jobs: int | None = None,
) -> SurfacePoints:
    """Return the surface points of every cell of the scan `s`, in its order; see `sample_surface`.

    Threads share the crops, of which a bounded number is in memory; chunked labels are read box by box. What a cell gets
    depends on `seed` and its id alone.
    """
    check_whole("n_points", n_points, high=2**24)
    d = image.ndim
    n = len(s.cell_id)
    out = SurfacePoints(
        s.cell_id,
        np.empty((n, n_points, d), np.float32),
        np.empty((n, n_points, d), np.float32),
        np.empty(n, np.float64),
    )
    spacing = np.asarray(image.spacing)

    def fill(row: int, mask: np.ndarray, start: tuple[int, ...], cell_id: int) -> None:
        own = (seed * 0x9E3779B97F4A7C15 + cell_id * 0xD1342543DE82EF95) % 2**64
        points, normals, out.area[row] = sample_surface(mask, image.spacing, n_points, smoothing=smoothing, seed=own)
        out.points[row], out.normals[row] = points + np.asarray(start) * spacing, normals

    workers = n_workers(n_jobs)
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for row, crop in enumerate(crops(image, s)):
            waiting.append(pool.submit(fill, row, crop.mask, crop.start, crop.cell_id))
            if len(waiting) > AHEAD * workers:
                waiting.popleft().result()
        for future in waiting:
            future.result()
    return out
