"""What `DeepInfoMax` sees: fields with their foreground, kept while they are used again, and a warning of saturated ones."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.encoders.fields import STRIDE

if TYPE_CHECKING:
    from cellgraph_clr.cells.foreground import Foreground
    from cellgraph_clr.cells.plate import Plate

__all__ = ["FieldReader", "warn_saturated"]

KEPT = 32  # fields in memory
SATURATED = 0.01  # share of pixels at the highest value that is warned of


class FieldReader:
    """Fields with their foreground, cut to whole multiples of 8 pixels; the last ones read are kept."""

    def __init__(self, plate: Plate, foreground: Foreground, size: int) -> None:
        self._plate, self._foreground, self._size = plate, foreground, size
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return image (c, y, x) and foreground (y, x) of line i."""
        if i in self._kept:
            return self._kept[i]
        image = self._plate.image(i)
        if min(image.shape[1:]) < self._size:
            found = f"{image.shape[1:]} in line {i}"
            raise ShapeError(expected(f"fields of at least {self._size} pixels a side", found, "Lower `size`."))
        mask = self._foreground.mask(self._plate, i, image)
        y, x = (n // STRIDE * STRIDE for n in image.shape[1:])
        found_pair = (np.ascontiguousarray(image[:, :y, :x]), mask[:y, :x])
        if len(self._kept) >= KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[i] = found_pair
        return found_pair


def warn_saturated(plate: Plate, rows: np.ndarray) -> None:
    """Warn of lines in which more than 1 % of the pixels have the highest value, with the share of the worst."""
    share = plate.saturation(rows).to_numpy().max(axis=1)
    if (share > SATURATED).any():
        worst = int(share.argmax())
        text = f"{int((share > SATURATED).sum())} of {len(rows)} fields looked at are saturated"
        share_text = f"{share[worst]:.0%} of the pixels of line {rows[worst]} have its highest value"
        warnings.warn(f"{text}: {share_text}.", UserWarning, stacklevel=4)
