"""Blocks of a label image behind their halos, and slabs of blocks, each scanned by a thread of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr.cells.crofton import lag_families, lag_steps
from cellgraph_clr.cells.scan.columns import LAGGED, MATCH, N_OFFSETS, OFFSET_X, OFFSET_Y, OFFSET_Z, PLAIN, X, Y, Z

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.cells.scan.statistics import LabelStatistics

__all__ = ["Block", "Plan", "as_3d", "line_offsets", "mean_intensity", "no_image", "plan_of", "scan_in_slabs"]


class Block(NamedTuple):
    """Labels (z, y, x) behind a halo, and the image (c, z, y, x) of the voxels after it, both C-contiguous and native."""

    labels: np.ndarray
    image: np.ndarray
    core: np.ndarray  # (3,) index in `labels` of the first voxel after the halo
    origin: np.ndarray  # (3,) place of labels[0, 0, 0] in the whole image


class Plan(NamedTuple):
    """What all blocks of an image have in common."""

    size: np.ndarray  # (3,) of the whole image
    halo: np.ndarray  # (3,) voxels before a block that its voxels are compared with
    offsets: np.ndarray  # (g, N_OFFSETS) lines to compare for overlaps, of `line_offsets`
    along: np.ndarray  # (2,) columns of overlaps that follow from the faces along z and y, see `faces`; below 0 none
    matched: np.ndarray  # (k, 2) steps back along z and y to the lines whose runs are matched with those of a line


def plan_of(image: LabelImage, *, surface: bool) -> Plan:
    """Return what to count of an image; in 2D y takes the place of z."""
    steps = lag_steps(image.spacing)
    halo = np.maximum(steps, 1) if surface else np.ones(3, int)
    offsets = line_offsets(steps) if surface else np.zeros((0, N_OFFSETS), np.int64)
    size = np.array(image.labels.shape)
    if image.ndim == 2:
        size, halo = np.array([size[0], 1, size[1]]), halo[[Y, Z, X]]
        offsets[:, [OFFSET_Z, OFFSET_Y]] = offsets[:, [OFFSET_Y, OFFSET_Z]]
    lines = {(1, 0): 0, (0, 1): 1}  # those along z and y, for faces, and those of diagonals
    along, others = np.full(2, -1), []
    for offset in offsets:
        line = tuple(offset[[OFFSET_Z, OFFSET_Y]].tolist())
        if line in ((1, 0), (0, 1)) and offset[OFFSET_X] == 1 and offset[PLAIN] < 0:
            along[lines[line]] = offset[LAGGED]
            continue
        if offset[OFFSET_X] == 1:
            offset[MATCH] = lines.setdefault(line, len(lines))
        others.append(offset)
    return Plan(size, halo, np.array(others, np.int64).reshape(-1, N_OFFSETS), along, np.array(list(lines), np.int64))


def line_offsets(steps: tuple[int, int, int]) -> np.ndarray:
    """Return the lines (g, N_OFFSETS) that a scan compares for the diagonals, without matches."""
    lines: dict[tuple[int, int], list[int]] = {}
    for column, lags in enumerate(lag_families(steps)[3:]):
        for z, y, x in lags.tolist():
            if z < 0 or (z == 0 and y < 0):
                z, y = -z, -y
            offset = lines.setdefault((z, y), [z, y, 1, -1, -1, -1])
            if x == 0:
                offset[PLAIN] = column
            else:
                offset[OFFSET_X], offset[LAGGED] = abs(x), column
    return np.array(list(lines.values()), np.int64).reshape(-1, N_OFFSETS)


def as_3d(array: Any, ndim: int) -> Any:
    """Return (…, z, y, x) of a 3D array, (…, y, 1, x) of a 2D one, so that slabs of rows run in parallel."""
    return array if ndim == 3 else array[..., :, None, :]


def no_image(shape: tuple[int, ...]) -> np.ndarray:
    """Return an image without channels."""
    return np.empty((0, *shape), np.uint8)


def mean_intensity(image: np.ndarray) -> np.ndarray:
    """Return a value (c,) near the mean of each channel, about which squares are summed.

    It has eight significant bits, so that differences from integers and from float32, and their sums, are exact in float64: the
    sum of a cell without signal is 0, whatever blocks it lies in.
    """
    step = max(1, image.shape[1] // 64)
    mean = image[:, ::step].mean(axis=tuple(range(1, image.ndim)), dtype=np.float64) if len(image) else np.zeros(0)
    part, exponent = np.frexp(np.where(np.isfinite(mean), mean, 0.0))
    return np.ldexp(np.round(part * 256), exponent - 8)


def scan_in_slabs(block: Block, shift: np.ndarray, plan: Plan, workers: int) -> list[LabelStatistics]:
    """Scan a block with several threads, each on a slab of planes behind a halo; intensities are shifted by `shift`."""
    from cellgraph_clr.cells.scan.block import block_statistics

    labels, image, core, origin = block
    halo = int(plan.halo[0])
    n = labels.shape[0] - core[0]
    n_slabs = max(1, min(workers, n // halo if n > halo else 1))
    cuts = [int(core[0] + n * i // n_slabs) for i in range(n_slabs + 1)]

    def slab(i: int) -> LabelStatistics:
        low = max(0, cuts[i] - halo)
        part = Block(
            labels[low : cuts[i + 1]],
            image[:, cuts[i] - core[0] : cuts[i + 1] - core[0]],
            np.array([cuts[i] - low, core[1], core[2]]),
            origin + np.array([low, 0, 0]),
        )
        return block_statistics(part, shift, plan)

    if n_slabs == 1:
        return [slab(0)]
    with ThreadPoolExecutor(n_slabs) as pool:
        return list(pool.map(slab, range(n_slabs)))
