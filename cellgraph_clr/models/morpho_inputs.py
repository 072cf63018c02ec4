"""What `MorphoFeatures` learns from: surfaces and crops of cells and nuclei, read from labels and image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelImageError, NoCellsError
from cellgraph_clr.cells.compartments import check_same_grid, nucleus_of_cells
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.patches import extract_patches
from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.cells.surfaces import sample_surfaces

if TYPE_CHECKING:
    from cellgraph_clr.cells.scan import LabelStatistics
    from cellgraph_clr.models.morpho_config import MorphoFeaturesConfig

__all__ = ["Compartment", "as_label_image", "compartments", "crop_tensor", "surface_arrays"]

LEAST_VOXELS = 8  # of a cell that is learned from


@dataclass(frozen=True, slots=True, eq=False)
class Compartment:
    """Cells or their nuclei: a name, labels with an image, their scan, and the row of each cell in it (-1: none).

    `texture` are the labels that crops are cut from: cells without their nuclei, where these are known. `learnable` (n,) bool
    are the cells that are not cut by the border of the image and have at least 8 voxels.
    """

    name: str
    image: LabelImage
    texture: LabelImage
    scan: LabelStatistics
    row: np.ndarray
    learnable: np.ndarray


def as_label_image(labels: Any, image: Any | None) -> LabelImage:
    """Return labels with intensities; raises `LabelImageError` for a path, and as `LabelImage` does."""
    if not isinstance(labels, LabelImage):
        if not hasattr(labels, "dtype"):
            remedy = "Read it by `cgc.read_labels(path, image=...)` first."
            raise LabelImageError(expected("a label image or an array", type(labels).__name__, remedy))
        labels = LabelImage(labels, (1.0,) * labels.ndim)
    if image is None:
        return labels
    pixels = image if image.ndim > labels.ndim else image[None]
    names = (
        labels.channels if len(labels.channels) == len(pixels) else tuple(f"channel_{i}" for i in range(len(pixels)))
    )
    return replace(labels, image=pixels, channels=names)


def compartments(
    labels: LabelImage, nuclei: Any | None
) -> tuple[list[Compartment], LabelStatistics, np.ndarray | None]:
    """Return cells, and nuclei where given; the scan of the cells; and how many nuclei each has. Raises `NoCellsError`."""
    s = scan_labels(labels, surface=False)
    if len(s.cell_id) == 0:
        raise NoCellsError(expected("labelled cells", "none", "Check the segmentation."))
    rows = np.arange(len(s.cell_id))
    if nuclei is None:
        return [Compartment("cell", labels, labels, s, rows, _learnable(s))], s, None
    inside = np.asarray(nuclei.labels if isinstance(nuclei, LabelImage) else nuclei)
    cells = np.asarray(labels.labels)
    check_same_grid(cells, inside)
    t = scan_labels(replace(labels, labels=inside), surface=False)
    chosen, count = nucleus_of_cells(cells, inside, s, t)
    body = replace(labels, labels=np.where(inside > 0, 0, cells))
    nucleus = replace(labels, labels=inside)
    good = np.zeros(len(chosen), bool)
    good[chosen >= 0] = _learnable(t)[chosen[chosen >= 0]]
    return (
        [
            Compartment("cell", labels, body, s, rows, _learnable(s)),
            Compartment("nucleus", nucleus, nucleus, t, chosen, good),
        ],
        s,
        count,
    )


def _learnable(s: LabelStatistics) -> np.ndarray:
    return (s.border_faces.sum(axis=1) == 0) & (s.count >= LEAST_VOXELS)


def surface_arrays(part: Compartment, rows: np.ndarray, n_points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and normals (m, n_points, d) float32 of some cells of a compartment, about their mean."""
    s = part.scan
    chosen = part.row[rows]
    some = replace(s, cell_id=s.cell_id[chosen], box=s.box[chosen], count=s.count[chosen])
    found = sample_surfaces(part.image, some, n_points, seed=seed)
    return found.points - found.points.mean(axis=1, keepdims=True), found.normals


def crop_tensor(
    part: Compartment,
    rows: np.ndarray,
    kind: str,
    config: MorphoFeaturesConfig,
    resolution: float | None,
    moments: tuple[np.ndarray, np.ndarray] | None,
    seed: int,
) -> tuple[np.ndarray, float, tuple[np.ndarray, np.ndarray]]:
    """Return crops (m, k, c + 1, [z,] y, x) float16, standardised, the mask last; the resolution; and the moments used.

    `moments` (means and spreads of the channels, for "image") None works them out of these crops.
    """
    inside = kind == "fine"
    found = extract_patches(
        part.texture,
        part.scan,
        size=config.fine_size if inside else config.coarse_size,
        resolution=resolution,
        place="inside" if inside else "whole",
        n_patches=config.n_patches if inside else 1,
        rows=part.row[rows],
        seed=seed,
    )
    mask = found.mask[:, :, None]
    axes = tuple(range(3, found.image.ndim))
    if config.normalise == "cell":
        weight = np.maximum(mask.sum(axis=axes, keepdims=True), 1)
        mean = (found.image * mask).sum(axis=axes, keepdims=True) / weight
        spread = np.sqrt((((found.image - mean) ** 2) * mask).sum(axis=axes, keepdims=True) / weight)
        moments = (np.zeros(0, np.float32), np.zeros(0, np.float32))
    else:
        if moments is None:
            values = [found.image[:, :, c][found.mask] for c in range(found.image.shape[2])]
            moments = np.array([v.mean() for v in values], np.float32), np.array([v.std() for v in values], np.float32)
        shape = (1, 1, -1, *(1,) * len(axes))
        mean, spread = moments[0].reshape(shape), moments[1].reshape(shape)
    image = (found.image - mean) / np.maximum(spread, 1e-6)
    image = np.clip(image * mask if config.masked else image, -10, 10)
    return np.concatenate([image, mask], axis=2).astype(np.float16), found.resolution, moments
