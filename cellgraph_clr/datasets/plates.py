"""Generated plates: fields of cells whose phenotypes differ in shape, texture, brightness or density, with known truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cellgraph_clr._core.checks import check_whole
from cellgraph_clr._core.rng import RandomState, as_rng
from cellgraph_clr.cells.plate import Plate

__all__ = ["phenotype_plate"]

CHANNELS = ("DNA", "actin", "pH3")
BACKGROUND = 40.0


@dataclass(frozen=True, slots=True)
class _Phenotype:
    """What the cells of a sample look like."""

    radius: float  # pixels
    stretch: float
    grain: float  # pixels, spread of the texture of actin
    ring: float  # share of actin at the rim
    dividing: float  # share of cells with pH3
    bright: float
    density: float  # share of the field that cells cover


def phenotype_plate(
    n_samples: int = 14,
    n_fields: int = 4,
    *,
    side: int = 512,
    random_state: RandomState = 0,
) -> Plate:
    """Return a plate of samples of different phenotypes, with masks.

    The first two samples differ in brightness alone, the next two in density alone; the others in size, stretch, grain and rim of
    actin and in the share of dividing cells. Gain varies by a fifth from field to field of all of them.

    Parameters
    ----------
    n_samples : at least 2; one phenotype each.
    n_fields : of a sample.
    side : pixels along y and x, at least 64.
    random_state : seed.

    Returns
    -------
    `Plate` with channels DNA, actin and pH3 (uint16 values), masks of cells, and `table` with sample and field.

    Notes
    -----
    O(n_samples n_fields side^2), all in memory. Raises `OptionError` for options outside their range.
    """
    import pandas as pd

    check_whole("n_samples", n_samples, low=2)
    check_whole("n_fields", n_fields)
    check_whole("side", side, low=64)
    rng = as_rng(random_state)
    base = _Phenotype(9, 1.2, 2.0, 0.4, 0.1, 1.0, 0.35)
    kinds = [
        base,
        replace(base, bright=1.7),
        replace(base, radius=7.5, density=0.18),
        replace(base, radius=7.5, density=0.5),
    ]
    kinds += [
        _Phenotype(
            radius=float(rng.uniform(7, 12)),
            stretch=(1.0, 1.8)[i % 2],
            grain=(1.0, 2.0, 4.0)[i % 3],
            ring=(0.1, 0.7)[(i // 2) % 2],
            dividing=(0.03, 0.3)[(i // 3) % 2],
            bright=1.0,
            density=0.35,
        )
        for i in range(max(n_samples - 4, 0))
    ]
    images, labels, rows = [], [], []
    for sample, kind in enumerate(kinds[:n_samples]):
        for k in range(n_fields):
            image, mask = _field(kind, side, rng)
            images.append(image)
            labels.append(mask)
            rows.append((f"sample_{sample:02d}", str(k)))
    table = pd.DataFrame(rows, columns=["sample", "field"])
    return Plate.build(table, images, channels=CHANNELS, labels=labels)


def _field(kind: _Phenotype, side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return image (3, side, side) uint16 and masks (side, side) int32 of a field."""
    from scipy.ndimage import gaussian_filter

    texture = gaussian_filter(rng.normal(size=(side, side)), kind.grain)
    texture /= texture.std()
    picture = np.zeros((3, side, side))
    labels = np.zeros((side, side), np.int32)
    wanted, cell = kind.density * side**2, 0
    for _ in range(20 * max(1, int(wanted / kind.radius**2))):
        if (labels > 0).sum() >= wanted:
            break
        radius = kind.radius * rng.uniform(0.85, 1.15)
        stretch = kind.stretch * rng.uniform(0.95, 1.05)
        angle = rng.uniform(0, np.pi)
        place = rng.uniform(0, side, 2)
        reach = int(np.ceil(1.3 * radius * stretch)) + 1
        low = np.maximum(np.round(place).astype(int) - reach, 0)
        high = np.minimum(np.round(place).astype(int) + reach + 1, side)
        y, x = np.mgrid[low[0] : high[0], low[1] : high[1]]
        dy, dx = y - place[0], x - place[1]
        along = (dy * np.sin(angle) + dx * np.cos(angle)) / np.sqrt(stretch)
        across = (dy * np.cos(angle) - dx * np.sin(angle)) * np.sqrt(stretch)
        depth = np.hypot(along, across) / radius
        part = (slice(low[0], high[0]), slice(low[1], high[1]))
        if (labels[part][depth < 1.15] > 0).any() or not (depth < 1).any():
            continue
        cell += 1
        labels[part][depth < 1] = cell
        gain = kind.bright * np.exp(rng.normal(0, 0.15))
        body, nucleus = 1 / (1 + np.exp((depth - 1) * radius)), 1 / (1 + np.exp((depth - 0.55) * radius))
        rim = np.exp(-(((depth - 0.9) * radius / 1.5) ** 2))
        actin = (1 - kind.ring) * body * np.clip(1 + 0.6 * texture[part], 0, None) + 2 * kind.ring * rim
        picture[0][part] += gain * 500 * nucleus
        picture[1][part] += gain * 300 * actin
        if rng.random() < kind.dividing:
            picture[2][part] += gain * 400 * nucleus
    noisy = rng.poisson(np.exp(rng.uniform(-0.1, 0.1)) * (picture + BACKGROUND)) + rng.normal(0, 8, picture.shape)
    return noisy.clip(0, 65535).astype(np.uint16), labels
