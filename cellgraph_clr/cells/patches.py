"""Crops of cells at a stated physical resolution: the whole cell, or patches inside it; image and mask, padded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cells.scan.columns import HIGH, LOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.cells.scan import LabelStatistics

__all__ = ["Patches", "box_sides", "covering_resolution", "extract_patches", "longest_sides"]

PLACES = ("whole", "inside")
MOST_COARSE = 1e6  # pixels of the image that a pixel of a patch may be wide


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Patches of n cells, k of each.

    Parameters
    ----------
    cell_id : (n,) int64.
    image : (n, k, c, [z,] y, x) float32, 0 outside the image; c is 0 without one.
    mask : (n, k, [z,] y, x) bool, where the cell is.
    resolution : size of a voxel, the same along every axis.
    """

    cell_id: np.ndarray
    image: np.ndarray
    mask: np.ndarray
    resolution: float


def extract_patches(
    labels: LabelImage,
    s: LabelStatistics,
    *,
    size: int,
    resolution: float | None = None,
    place: Literal["whole", "inside"] = "whole",
    n_patches: int = 1,
    rows: np.ndarray | None = None,
    seed: int = 0,
) -> Patches:
    """Return crops around cells, brought to isotropic voxels.

    Parameters
    ----------
    labels : label image with or without intensities, in memory or in chunks; only boxes around cells are read.
    s : its scan.
    size : voxels along every side of a patch.
    resolution : size of a voxel of the patch, in the unit of the labels. None: the finest spacing for "inside"; for "whole" such
        that nine of ten cells fit.
    place : "whole" centres a patch on the box of the cell; "inside" puts patches where they lie in the cell entirely, if they
        fit, else about its deepest voxels.
    n_patches : of each cell, for "inside".
    rows : (m,) cells of the scan; None takes all.
    seed : of where patches inside a cell lie; what a cell gets depends on it and on its id alone.

    Raises
    ------
    OptionError
        For sizes below 1, a resolution not above 0, another place, or several patches of whole cells.

    Notes
    -----
    Linear interpolation (the mask: nearest voxel); where voxels become larger, the image is smoothed before by half the ratio.
    Every cell is read once. O(voxels read) plus 4 n k c size^d bytes. No cells give arrays of length 0.
    """
    check_whole("size", size)
    check_option("place", place, PLACES)
    check_whole("n_patches", n_patches)
    if place == "whole" and n_patches != 1:
        raise OptionError(expected("one patch of a whole cell", n_patches, "Pass `place='inside'` for several."))
    d = labels.ndim
    spacing = np.asarray(labels.spacing)
    if resolution is None:
        resolution = (
            float(spacing.min()) if place == "inside" else covering_resolution([longest_sides(labels, s)], size)
        )
    check_in_range("resolution", resolution, low=0, low_open=True, high=MOST_COARSE * float(spacing.max()))
    chosen = np.arange(len(s.cell_id)) if rows is None else np.asarray(rows)
    n_channels = 0 if labels.image is None else labels.image.shape[0]
    out = Patches(
        s.cell_id[chosen],
        np.zeros((len(chosen), n_patches, n_channels, *(size,) * d), np.float32),
        np.zeros((len(chosen), n_patches, *(size,) * d), bool),
        float(resolution),
    )
    for at, row in enumerate(chosen):
        box = s.box[row, 3 - d :]
        cell_id = int(s.cell_id[row])
        if place == "whole":
            centres = box.mean(axis=1)[None]
        else:
            rng = np.random.default_rng([seed, cell_id])
            centres = _deep_voxels(labels, box, cell_id, n_patches, size * resolution / 2, rng)
        _fill(labels, cell_id, centres, resolution / spacing, out.image[at], out.mask[at])
    return out


def box_sides(labels: LabelImage, s: LabelStatistics) -> np.ndarray:
    """Return the sides (n, d) of the box of every cell, in the unit of the labels."""
    return np.asarray((np.diff(s.box[:, 3 - labels.ndim :], axis=2)[..., 0] + 1) * np.asarray(labels.spacing))


def longest_sides(labels: LabelImage, s: LabelStatistics) -> np.ndarray:
    """Return the longest side (n,) of the box of every cell, in the unit of the labels."""
    return np.asarray(box_sides(labels, s).max(axis=1))


def covering_resolution(sides: Sequence[np.ndarray], size: int) -> float:
    """Return the size of a voxel at which nine of ten cells of these longest sides fit into `size` voxels; 1 without cells."""
    every = np.concatenate(sides)
    return float(np.quantile(every, 0.9, method="higher")) / size if len(every) else 1.0


def _deep_voxels(
    labels: LabelImage, box: np.ndarray, cell_id: int, n: int, half: float, rng: np.random.Generator
) -> np.ndarray:
    """Return n voxels (n, d) of the cell from which a patch of half-width `half` stays inside, or the deepest tenth."""
    from scipy.ndimage import distance_transform_edt

    mask = np.pad(_labels_in(labels, box[:, LOW], box[:, HIGH] + 1) == cell_id, 1)
    depth = distance_transform_edt(mask, sampling=labels.spacing)
    enough = half * np.sqrt(mask.ndim)
    deep = depth >= min(enough, float(np.quantile(depth[mask], 0.9)))
    places = np.argwhere(deep & mask)
    return places[rng.integers(len(places), size=n)] - 1 + box[:, LOW]


def _labels_in(labels: LabelImage, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(labels.labels[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))])


def _fill(
    labels: LabelImage, cell_id: int, centres: np.ndarray, step: np.ndarray, image: np.ndarray, mask: np.ndarray
) -> None:
    """Resample the patches (k, …) of a cell around voxel coordinates (k, d), `step` source voxels a voxel, from one box."""
    from scipy.ndimage import affine_transform, gaussian_filter

    shape = mask.shape[1:]
    half = (np.array(shape) - 1) / 2
    blur = np.maximum((step - 1) / 2, 0)
    margin = np.ceil(3 * blur).astype(int) + 1
    low = np.maximum(np.floor(centres.min(axis=0) - half * step).astype(int) - margin, 0)
    low -= low % 2  # halves are rounded to even numbers, which must be those of the whole image
    high = np.ceil(centres.max(axis=0) + half * step).astype(int) + margin + 1
    high = np.minimum(high, labels.labels.shape)
    own = (_labels_in(labels, low, high) == cell_id).astype(np.uint8)
    smoothed: list[Any] = []
    if labels.image is not None:
        where = (slice(None), *(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)))
        pixels = np.asarray(labels.image[where], np.float32)
        smoothed = [gaussian_filter(channel, blur) if blur.any() else channel for channel in pixels]
    for k, centre in enumerate(centres):
        offset = centre - half * step - low
        mask[k] = affine_transform(own, step, offset, output_shape=shape, order=0, mode="grid-constant") > 0
        for c, channel in enumerate(smoothed):
            affine_transform(
                channel, step, offset, output_shape=shape, output=image[k, c], order=1, mode="grid-constant"
            )
