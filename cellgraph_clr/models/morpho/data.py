"""What `MorphoFeatures` learns from: surfaces and crops of cells and nuclei, read from labels and image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelImageError, NoCellsError, ShapeError
from cellgraph_clr._core.ids import rows_of
from cellgraph_clr._core.notices import warn
from cellgraph_clr.cells.compartments import check_same_grid, nucleus_of_cells
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.patches import covering_resolution, extract_patches, longest_sides
from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.cells.surfaces import sample_surfaces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_matrix

    from cellgraph_clr.cells.scan import LabelStatistics
    from cellgraph_clr.models.morpho.config import MorphoFeaturesConfig

__all__ = [
    "COMPARTMENTS",
    "Compartment",
    "as_pictures",
    "channel_moments",
    "compartments",
    "crop_resolution",
    "cut_crops",
    "standardised_crops",
    "surface_arrays",
    "touching",
]

COMPARTMENTS = ("cell", "nucleus")
LEAST_VOXELS = 8  # of a cell that is learned from


@dataclass(frozen=True, slots=True, eq=False)
class Compartment:
    """Cells or their nuclei: a name, labels with an image, their scan, and the row of each cell in it (-1: none).

    `texture` are the labels that crops are cut from: cells without their nuclei, where these are known. `learnable` (n,) bool
    are the cells that are not cut by the border of the image and have at least 8 voxels. `cell_id` (n,) are all cells, and
    `contacts` (m, 2) the ids of those that touch.
    """

    name: str
    image: LabelImage
    texture: LabelImage
    scan: LabelStatistics
    row: np.ndarray
    learnable: np.ndarray
    cell_id: np.ndarray
    contacts: np.ndarray


def as_pictures(labels: Any, image: Any | None, nuclei: Any | None) -> list[tuple[LabelImage, Any | None]]:
    """Return one or several label images with their intensities, and the nuclei of each.

    Raises `LabelImageError` for a path, `ShapeError` for lists of other length or pictures that differ in dimension or channels,
    and as `LabelImage` does.
    """
    if not isinstance(labels, (list, tuple)):
        return [(_as_label_image(labels, image), nuclei)]
    several = {"images": [None] * len(labels) if image is None else image}
    several["labels of nuclei"] = [None] * len(labels) if nuclei is None else nuclei
    for name, given in several.items():
        if not isinstance(given, (list, tuple)) or len(given) != len(labels):
            found = f"{len(given)}" if isinstance(given, (list, tuple)) else type(given).__name__
            raise ShapeError(expected(f"a list of {len(labels)} {name}", found, "One for each label image."))
    pictures = [_as_label_image(*pair) for pair in zip(labels, several["images"], strict=True)]
    if not pictures:
        raise NoCellsError(expected("label images", "an empty list", "Pass at least one."))
    kinds = [(p.ndim, 0 if p.image is None else p.image.shape[0]) for p in pictures]
    for i, kind in enumerate(kinds):
        if kind != kinds[0]:
            wanted, found = (f"{d}D with {c} channels" for d, c in (kinds[0], kind))
            raise ShapeError(expected(f"images in {wanted}, like the first", f"{found} in image {i}", "Learn apart."))
    return list(zip(pictures, several["labels of nuclei"], strict=True))


def _as_label_image(labels: Any, image: Any | None) -> LabelImage:
    """Return labels with intensities."""
    if not isinstance(labels, LabelImage):
        if not hasattr(labels, "dtype"):
            remedy = "Read it by `cgc.read_labels(path, image=...)` first."
            raise LabelImageError(expected("a label image or an array", type(labels).__name__, remedy))
        labels = LabelImage.build(labels)
    if image is None:
        return labels
    pixels = image if image.ndim > labels.ndim else image[None]
    names = (
        labels.channels if len(labels.channels) == len(pixels) else tuple(f"channel_{i}" for i in range(len(pixels)))
    )
    return replace(labels, image=pixels, channels=names)


def compartments(labels: LabelImage, nuclei: Any | None) -> list[Compartment]:
    """Return cells, and nuclei where given. Raises `NoCellsError`, and `ShapeError` for nuclei on another grid."""
    s = scan_labels(labels, surface=False)
    if len(s.cell_id) == 0:
        raise NoCellsError(expected("labelled cells", "none", "Check the segmentation."))
    rows = np.arange(len(s.cell_id))
    if nuclei is None:
        return [Compartment(COMPARTMENTS[0], labels, labels, s, rows, _learnable(s), s.cell_id, s.pairs)]
    inside = np.asarray(nuclei.labels if isinstance(nuclei, LabelImage) else nuclei)
    cells = np.asarray(labels.labels)
    check_same_grid(cells, inside)
    t = scan_labels(replace(labels, labels=inside), surface=False)
    chosen, count = nucleus_of_cells(cells, inside, s, t)
    _warn_nuclei(count, len(t.cell_id))
    body = replace(labels, labels=np.where(inside > 0, 0, cells))
    nucleus = replace(labels, labels=inside)
    good = np.zeros(len(chosen), bool)
    good[chosen >= 0] = _learnable(t)[chosen[chosen >= 0]]
    return [
        Compartment(COMPARTMENTS[0], labels, body, s, rows, _learnable(s), s.cell_id, s.pairs),
        Compartment(COMPARTMENTS[1], nucleus, nucleus, t, chosen, good, s.cell_id, s.pairs),
    ]


def _warn_nuclei(count: np.ndarray, n_nuclei: int) -> None:
    """Warn of nuclei outside any cell, and of cells with several."""
    outside, several = n_nuclei - int(count.sum()), int((count > 1).sum())
    if outside or several:
        found = [f"{outside} of {n_nuclei} nuclei lie in no cell and are left out"] if outside else []
        found += [f"{several} cells have several nuclei, of which the largest is taken"] if several else []
        remedy = '`cgc.from_labels(labels, nuclei=nuclei)` counts them in obs["n_nuclei"].'
        warn(f"{'; '.join(found)}. {remedy}")


def _learnable(s: LabelStatistics) -> np.ndarray:
    return (s.border_faces.sum(axis=1) == 0) & (s.count >= LEAST_VOXELS)


def touching(parts: Sequence[tuple[Compartment, np.ndarray]]) -> csr_matrix:
    """Return which of some cells (rows) of one or several images touch (n, n), row after row; nuclei where their cells do."""
    from scipy.sparse import block_diag, csr_matrix

    blocks = []
    for part, rows in parts:
        place = np.full(len(part.cell_id), -1)
        place[rows] = np.arange(len(rows))
        ends = place[rows_of(part.cell_id, part.contacts)]
        ends = ends[(ends >= 0).all(axis=1)]
        both = np.concatenate([ends, ends[:, ::-1]])
        blocks.append(csr_matrix((np.ones(len(both), bool), both.T), shape=(len(rows), len(rows))))
    return block_diag(blocks, format="csr")


def surface_arrays(part: Compartment, rows: np.ndarray, n_points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and normals (m, n_points, d) float32 of some cells of a compartment, about their mean."""
    s = part.scan
    chosen = part.row[rows]
    some = replace(s, cell_id=s.cell_id[chosen], box=s.box[chosen], count=s.count[chosen])
    found = sample_surfaces(part.image, some, n_points, seed=seed)
    return found.points - found.points.mean(axis=1, keepdims=True), found.normals


def crop_resolution(parts: Sequence[Compartment], kind: str, config: MorphoFeaturesConfig) -> float:
    """Return the size of a voxel of the crops: as asked; else the finest spacing, or such that nine of ten whole cells fit."""
    asked = config.fine_resolution if kind == "fine" else config.coarse_resolution
    if asked is not None:
        return asked
    if kind == "fine":
        return float(min(min(part.image.spacing) for part in parts))
    return covering_resolution([longest_sides(part.texture, part.scan) for part in parts], config.coarse_size)


def cut_crops(
    part: Compartment, rows: np.ndarray, kind: str, config: MorphoFeaturesConfig, resolution: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return images (m, k, c, [z,] y, x) float32 and masks (m, k, [z,] y, x) bool of some cells: one crop, or patches."""
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
    return found.image, found.mask


def channel_moments(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and spread (c,) float32 of every channel inside the cells."""
    values = [image[:, :, c][mask] for c in range(image.shape[2])]
    return np.array([v.mean() for v in values], np.float32), np.array([v.std() for v in values], np.float32)


def standardised_crops(
    image: np.ndarray, mask: np.ndarray, config: MorphoFeaturesConfig, moments: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return crops (m, k, c + 1, [z,] y, x) float16, standardised, the mask last; `moments` are used for "image" alone."""
    inside = mask[:, :, None]
    axes = tuple(range(3, image.ndim))
    if config.intensity_scale == "cell":
        weight = np.maximum(inside.sum(axis=axes, keepdims=True), 1)
        mean = (image * inside).sum(axis=axes, keepdims=True) / weight
        spread = np.sqrt((((image - mean) ** 2) * inside).sum(axis=axes, keepdims=True) / weight)
    else:
        shape = (1, 1, -1, *(1,) * len(axes))
        mean, spread = (np.asarray(m, np.float32).reshape(shape) for m in moments)
    out = (image - mean) / np.maximum(spread, 1e-6)
    out = np.clip(out * inside if config.masked else out, -10, 10)
    return np.concatenate([out, inside], axis=2).astype(np.float16)
