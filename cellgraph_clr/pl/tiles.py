"""Small pictures of single cells, all at one scale: the plane where a cell is widest, or its shaded body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.cells.scan.columns import HIGH, LOW
from cellgraph_clr.pl.shading import shaded

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["SIZE", "Tiles"]

SIZE = 96  # pixels along the side of a picture
MARGIN = 1.15  # side of a picture, in sides of the largest cell


class Tiles:
    """Labels and image, scanned once, from which pictures of cells are cut."""

    def __init__(self, picture: LabelImage, channel: int) -> None:
        self.picture, self.channel = picture, channel
        self.scan = scan_labels(_without_image(picture), surface=False)
        self.box = self.scan.box[:, 3 - picture.ndim :]
        self.step = np.asarray(picture.spacing)

    def reach(self, rows: np.ndarray, *, turned: bool) -> np.ndarray:
        """Return the longer sides (n,) of these cells; `turned` bodies may lie along the diagonal of their boxes."""
        side = (self.box[rows, :, HIGH] - self.box[rows, :, LOW] + 1) * self.step
        return np.linalg.norm(side, axis=1) if turned else side[:, -2:].max(axis=1)

    def resolution(self, rows: np.ndarray, *, turned: bool, share: float = 1.0) -> float:
        """Return the size of a pixel, in the unit of the spacing, at which this share of the cells fits its picture."""
        return MARGIN * float(np.quantile(self.reach(rows, turned=turned), share, method="lower")) / SIZE

    def _mask(self, row: int, stride: np.ndarray) -> np.ndarray:
        """Return the mask of a cell in its box, every `stride`-th voxel."""
        cut = tuple(slice(a, b + 1, int(s)) for (a, b), s in zip(self.box[row], stride, strict=True))
        return np.asarray(self.picture.labels[cut]) == self.scan.cell_id[row]

    def slice(self, row: int, resolution: float) -> tuple[np.ndarray | None, np.ndarray]:
        """Return intensities (None without an image) and mask, (`SIZE`, `SIZE`), in the plane where a cell is widest.

        Pixels are the nearest of the mask and interpolated (smoothed where they are coarser) of the image; beyond the image
        they are 0. O(voxels of the box).
        """
        from scipy.ndimage import gaussian_filter, map_coordinates

        d = self.picture.ndim
        plane: tuple[int, ...] = ()
        if d == 3:
            widest = int(self._mask(row, np.ones(3, int)).sum(axis=(1, 2)).argmax())
            plane = (int(self.box[row, 0, LOW]) + widest,)
        step, shape = self.step[-2:], np.asarray(self.picture.labels.shape[-2:])
        middle = self.box[row, -2:].mean(axis=1)
        at = [m + (np.arange(SIZE) - (SIZE - 1) / 2) * resolution / s for m, s in zip(middle, step, strict=True)]
        low = [int(np.clip(np.floor(a[0]) - 2, 0, n - 1)) for a, n in zip(at, shape, strict=True)]
        high = [int(np.clip(np.ceil(a[-1]) + 3, 1, n)) for a, n in zip(at, shape, strict=True)]
        cut = (*plane, *(slice(a, b) for a, b in zip(low, high, strict=True)))
        place = np.stack(np.meshgrid(*(a - b for a, b in zip(at, low, strict=True)), indexing="ij"))
        mask = np.asarray(self.picture.labels[cut]) == self.scan.cell_id[row]
        shown = map_coordinates(mask.astype(np.uint8), place, order=0, mode="constant") > 0
        if self.picture.image is None:
            return None, shown
        light = np.asarray(self.picture.image[(self.channel, *cut)], np.float32)
        coarse = resolution / step
        if (coarse > 1.5).any():
            light = gaussian_filter(light, np.where(coarse > 1.5, coarse / 2, 0))
        return map_coordinates(light, place, order=1, mode="constant"), shown

    def body(self, row: int, resolution: float) -> np.ndarray:
        """Return the shaded body of a cell (h, w), NaN beside it, at this resolution (see `shading.shaded`)."""
        stride = np.maximum((resolution / self.step).astype(int), 1)
        return shaded(self._mask(row, stride), self.step * stride, resolution)


def _without_image(picture: LabelImage) -> LabelImage:
    from dataclasses import replace

    return replace(picture, image=None, channels=())
