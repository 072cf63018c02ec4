"""Generated plates: fields of cells whose phenotypes differ in brightness, density or arrangement, with known truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_whole
from cellgraph_clr._core.rng import RandomState, as_rng
from cellgraph_clr.cells.plate import Plate

__all__ = ["phenotype_plate"]

CHANNELS = ("DNA", "actin", "pH3")
BACKGROUND = 40.0
RADIUS = 9.0  # pixels
CLUMPED = 0.9  # share of the cells of a group that lie beside another
# whether cells are clumped, bipolar, opposite, stretched: those of the first ten samples in an odd number of ways, of the others
# in an even one, so that any two of the others differ in two at least
KINDS = ("0001", "0001", "0111", "0111", "0010", "0100", "1000", "1110", "1011", "1101")
MORE = ("0011", "0101", "1001", "1100", "0000", "0110", "1010", "1111")


@dataclass(frozen=True, slots=True)
class _Phenotype:
    """What the cells of a sample look like, and how they lie."""

    clumped: bool  # cells lie in groups
    bipolar: bool  # actin gathers at two ends, not at one
    opposite: bool  # pH3 lies away from the actin, not beneath it
    stretched: bool
    bright: float = 1.0
    density: float = 0.35  # share of the field that cells cover


@checked
def phenotype_plate(
    n_samples: int = 14,
    n_fields: int = 4,
    *,
    side: int = 512,
    random_state: RandomState = 0,
) -> Plate:
    """Return a plate of samples of different phenotypes, with masks.

    The first two samples differ in brightness alone, the next two in density alone. The others differ in whether cells lie in
    groups, actin gathers at one end of a cell or at two, pH3 lies beneath it or away from it, and cells are stretched: in how
    channels lie to one another and cells among themselves, while values of single channels are much alike. Gain (by a fifth, in
    every channel) and focus vary from field to field of all of them.

    Parameters
    ----------
    n_samples : int, default 14
        At least 2; one phenotype each, which come again after 18. The first ten show all properties in one or three
        ways together, the next four in combinations that are not among them.
    n_fields : int, default 4
        Of a sample.
    side : int, default 512
        Pixels along y and x, at least 64.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.

    Returns
    -------
    Plate
        `Plate` with channels DNA, actin and pH3 (uint16 values), masks of cells, and `table` with sample and field.

    Notes
    -----
    O(n_samples n_fields side^2), all in memory. Raises `OptionError` for options outside their range.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cgc.datasets.phenotype_plate(2, 2, side=64, random_state=0)
    <Plate of 2 samples, 2 wells, 4 fields, channels DNA, actin, pH3>
    """
    import pandas as pd

    check_whole("n_samples", n_samples, low=2)
    check_whole("n_fields", n_fields)
    check_whole("side", side, low=64)
    rng = as_rng(random_state)
    pairs: list[dict[str, Any]] = [{}, {"bright": 1.7}, {"density": 0.18}, {"density": 0.5}]
    images, labels, rows = [], [], []
    for sample in range(n_samples):
        code = KINDS[sample] if sample < len(KINDS) else MORE[(sample - len(KINDS)) % len(MORE)]
        kind = _Phenotype(*(bit == "1" for bit in code))
        kind = replace(kind, **pairs[sample]) if sample < len(pairs) else kind
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

    texture = gaussian_filter(rng.normal(size=(side, side)), 2.0)
    texture /= texture.std()
    picture = np.zeros((3, side, side))
    labels = np.zeros((side, side), np.int32)
    stretch = 1.8 if kind.stretched else 1.1
    wanted, cell = kind.density * side**2, 0
    places: list[np.ndarray] = []
    reach = int(np.ceil(1.5 * RADIUS * stretch)) + 1
    for _ in range(40 * max(1, int(wanted / RADIUS**2))):
        if (labels > 0).sum() >= wanted:
            break
        place = rng.uniform(0, side, 2)
        if kind.clumped and places and rng.random() < CLUMPED:
            direction = rng.uniform(0, 2 * np.pi)
            beside = RADIUS * rng.uniform(2.1, 2.6) * np.array([np.sin(direction), np.cos(direction)])
            place = places[int(rng.integers(len(places)))] + beside
            if (place < 0).any() or (place >= side).any():
                continue
        radius, angle = RADIUS * rng.uniform(0.85, 1.15), rng.uniform(0, 2 * np.pi)
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
        places.append(place)
        labels[part][depth < 1] = cell
        body, nucleus = (1 / (1 + np.exp((depth - edge) * radius)) for edge in (1, 0.5))
        turn = np.arctan2(across, along)
        cap = np.cos(turn if not kind.bipolar else 2 * turn) > 0  # half of the rim either way
        under = cap != kind.opposite
        rim = np.exp(-(((depth - 0.8) * radius / 1.5) ** 2))
        gain = kind.bright * np.exp(rng.normal(0, 0.15))
        picture[0][part] += gain * 500 * nucleus
        picture[1][part] += gain * (150 * body * np.clip(1 + 0.6 * texture[part], 0, None) + 400 * rim * cap)
        picture[2][part] += gain * 300 * rim * under
    gains = np.exp(rng.uniform(-0.2, 0.2, (3, 1, 1)))
    focus = rng.uniform(0.3, 1.2)
    seen = gaussian_filter(gains * (picture + BACKGROUND), (0, focus, focus))
    noisy = rng.poisson(seen) + rng.normal(0, 8, picture.shape)
    return noisy.clip(0, 65535).astype(np.uint16), labels
