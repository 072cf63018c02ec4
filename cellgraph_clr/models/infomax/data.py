"""What `DeepInfoMax` sees: fields with their foreground, kept while they are used again, and a warning of saturated ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_finite, expected
from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr._core.notices import warn
from cellgraph_clr.models.infomax.network import STRIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellgraph_clr.cells.foreground import Foreground
    from cellgraph_clr.cells.plate import Plate
    from cellgraph_clr.models.infomax.config import DeepInfoMaxConfig

__all__ = ["LEAST", "FieldReader", "SampleCrops", "coarse", "lines_of", "read_field", "warn_saturated"]

LEAST = 0.1  # share of foreground pixels that makes a local vector count
KEPT = 32  # fields in memory
SATURATED = 0.01  # share of pixels at the highest value that is warned of


def read_field(
    plate: Plate, foreground: Foreground, size: int, i: int
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Return image (c, y, x) and foreground (y, x) of line i, cut to whole multiples of 8 pixels, and its shape (y, x) before.

    Raises `ShapeError` for a field smaller than `size` pixels a side, `NonFiniteError` for pixels that are not finite.
    """
    image = plate.image(i)
    if min(image.shape[1:]) < size:
        found = f"{image.shape[1:]} in line {i}"
        raise ShapeError(expected(f"fields of at least {size} pixels a side", found, "Lower `window_px`."))
    check_finite(image, what=f"pixels of line {i}", remedy="Fill them, or leave the field out.")
    mask = foreground.mask(plate, i, image)
    y, x = (n // STRIDE * STRIDE for n in image.shape[1:])
    return np.ascontiguousarray(image[:, :y, :x]), mask[:y, :x], image.shape[1:]


def lines_of(plate: Plate, rows: np.ndarray | None) -> np.ndarray:
    """Return the lines (n,) int64 of a plate that `rows` names, by numbers from 0 or a mask of all lines; None names all.

    Raises `OptionError` for anything else.
    """
    every = np.arange(len(plate))
    if rows is None:
        return every
    given = np.asarray(rows)
    if not given.size and given.ndim == 1:
        return every[:0]
    if given.dtype == bool and given.shape == every.shape:
        return every[given]
    if given.ndim == 1 and np.issubdtype(given.dtype, np.integer) and given.min() >= 0 and given.max() < len(every):
        return given.astype(np.int64)
    wanted = f"`rows` as lines of the plate from 0 to {len(every) - 1}, or a mask of its {len(every)} lines"
    raise OptionError(expected(wanted, f"{given!r:.80}", "`plate.table` lists the lines."))


class FieldReader:
    """Fields with their foreground, as `read_field` reads them; the last ones read are kept."""

    def __init__(self, plate: Plate, foreground: Foreground, size: int) -> None:
        self._plate, self._foreground, self._size = plate, foreground, size
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return image (c, y, x) and foreground (y, x) of line i."""
        if i not in self._kept:
            found = read_field(self._plate, self._foreground, self._size, i)[:2]
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[i] = found
        return self._kept[i]


def warn_saturated(plate: Plate, rows: np.ndarray) -> None:
    """Warn of lines in which more than 1 % of the pixels have the highest value, with the share of the worst."""
    share = plate.saturation(rows=rows).to_numpy().max(axis=1)
    if (share > SATURATED).any():
        worst = int(share.argmax())
        text = f"{int((share > SATURATED).sum())} of {len(rows)} fields looked at are saturated"
        share_text = f"{share[worst]:.0%} of the pixels of line {rows[worst]} have its highest value"
        warn(f"{text}: {share_text}.")


def coarse(mask: np.ndarray) -> np.ndarray:
    """Return the share of foreground (…, y / 8, x / 8) of every local vector."""
    *rest, y, x = mask.shape
    rows = mask.reshape(*rest, y // STRIDE, STRIDE, x).sum(axis=-2, dtype=np.uint8)
    return np.asarray(rows.reshape(*rest, y // STRIDE, x // STRIDE, STRIDE).sum(axis=-1, dtype=np.uint8) / STRIDE**2)


@dataclass(eq=False)
class SampleCrops:
    """Crops of several fields of several samples.

    Parameters
    ----------
    config : the options.
    read : image (c, y, x) and foreground (y, x) of a row of the plate.
    samples : rows of every sample.
    """

    config: DeepInfoMaxConfig
    read: Callable[[int], tuple[np.ndarray, np.ndarray]]
    samples: Sequence[np.ndarray]

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return crops (n, c, s, s), their foreground (n, s, s) and sample (n,): turned, mirrored, where foreground is."""
        n_samples = min(len(self.samples), max(2, self.config.batch_size // self.config.n_fields))
        chosen = rng.choice(len(self.samples), n_samples, replace=False)
        images, masks, owner = [], [], []
        for k in chosen:
            rows = self.samples[k]
            for i in rng.choice(rows, self.config.n_fields, replace=len(rows) < self.config.n_fields):
                image, mask = self.read(int(i))
                y, x = self._place(mask, rng)
                part = image[:, y : y + self.config.window_px, x : x + self.config.window_px]
                inside = mask[y : y + self.config.window_px, x : x + self.config.window_px]
                turn = int(rng.integers(4))
                part, inside = np.rot90(part, turn, (1, 2)), np.rot90(inside, turn)
                if rng.random() < 0.5:
                    part, inside = part[..., ::-1], inside[..., ::-1]
                images.append(self._seen(part, rng))
                masks.append(inside)
                owner.append(k)
        return np.ascontiguousarray(np.stack(images), np.float32), np.stack(masks), np.array(owner)

    def _seen(self, part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a crop (c, s, s) as another exposure and another focus might have shown it."""
        from scipy.ndimage import gaussian_filter

        if self.config.gain > 0:
            part = part * (1 + self.config.gain) ** rng.uniform(-1, 1, (len(part), 1, 1)).astype(np.float32)
        if self.config.blur > 0:
            spread = self.config.blur * rng.random()
            part = gaussian_filter(part, (0, spread, spread))
        return part

    def _place(self, mask: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
        """Return where a crop starts: the first of five draws with foreground, else the last."""
        high = [n - self.config.window_px + 1 for n in mask.shape]
        y = x = 0
        for _ in range(5):
            y, x = (int(rng.integers(h)) for h in high)
            if mask[y : y + self.config.window_px, x : x + self.config.window_px].mean() >= LEAST / 2:
                break
        return y, x
