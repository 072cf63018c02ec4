"""One crop per cell: the box of a cell cut out of labels and image, and functions run over all crops in parallel."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.parallel import n_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.cells.scan import LabelStatistics

__all__ = ["Crop", "canonical_form", "crops", "per_cell"]

WORTH_PROCESSES = 256  # crops from which starting processes pays


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A cell in its box: mask ([z,] y, x) bool, image (c, [z,] y, x) or None, spacing, and where the box starts."""

    cell_id: int
    mask: np.ndarray
    image: np.ndarray | None
    spacing: tuple[float, ...]
    start: tuple[int, ...]


def crops(image: LabelImage, s: LabelStatistics) -> Iterator[Crop]:
    """Yield the crop of every cell of the scan, in the order of `s`; chunked arrays are read box by box."""
    d = image.ndim
    for cell_id, box in zip(s.cell_id.tolist(), s.box[:, 3 - d :].tolist(), strict=True):
        where = tuple(slice(a, b + 1) for a, b in box)
        mask = np.asarray(image.labels[where]) == cell_id
        pixels = None if image.image is None else np.asarray(image.image[(slice(None), *where)])
        yield Crop(cell_id, mask, pixels, image.spacing, tuple(a for a, _ in box))


def canonical_form(crop: Crop) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the mask of a crop in one of its turned and mirrored forms, the same whichever it is given in, and its spacing.

    The coarsest axis comes first, of equally coarse ones the shorter; what is left to choose (up to 8 forms in 2D, 48 in
    3D) is decided by the bytes of the mask. Algorithms that depend on the order of axes and voxels, as thinning and
    meshing do, give the same for an image however it is turned or mirrored when they work on this form. O(forms * crop).
    """
    sides = list(zip([-s for s in crop.spacing], crop.mask.shape, strict=True))
    best, best_bytes = crop.mask, b""
    for axes in itertools.permutations(range(len(sides))):
        if [sides[a] for a in axes] != sorted(sides):
            continue
        turned = crop.mask.transpose(axes)
        for senses in itertools.product((1, -1), repeat=len(sides)):
            form = turned[tuple(slice(None, None, s) for s in senses)]
            form_bytes = np.packbits(form).tobytes()
            if not best_bytes or form_bytes < best_bytes:
                best, best_bytes = form, form_bytes
    return np.ascontiguousarray(best), tuple(-s for s, _ in sorted(sides))


def per_cell(
    function: Callable[[Crop], Sequence[float]], image: LabelImage, s: LabelStatistics, *, n_jobs: int | None = None
) -> np.ndarray:
    """Return `function` of the crop of every cell as (n, f) float64; (0, 0) without cells.

    `n_jobs` processes (None or -1: one per core) share the work when there are enough cells; results do not depend on
    it. A function that runs in processes must be importable.
    """
    workers = n_workers(n_jobs)
    if workers == 1 or len(s.cell_id) < WORTH_PROCESSES:
        rows = [function(crop) for crop in crops(image, s)]
    else:
        from joblib import Parallel, delayed

        rows = Parallel(n_jobs=workers, batch_size=32)(delayed(function)(crop) for crop in crops(image, s))
    return np.array(rows, np.float64).reshape(len(rows), -1) if rows else np.zeros((0, 0))
