"""Pictures of a page that need no scripts: the maps as they are printed."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._report.parts import Section, dot, lead
from cellgraph_clr._report.pictures import data_url

if TYPE_CHECKING:
    from cellgraph_clr.pl.colors import Coloring

__all__ = ["maps_section"]

SIDE = 640  # pixels of the longer side of a printed map
RAMP = "viridis"


def maps_section(title: str, maps: dict[str, np.ndarray], found: Coloring | None) -> Section | None:
    """Return the maps (name: (n, 2), y down) as still pictures, for print and for readers without scripts; None for none."""
    if not maps:
        return None
    colors = _rgb(found, len(next(iter(maps.values()))))
    drawn = []
    for name, xy in maps.items():
        picture = f'<img class="still" alt="{escape(name)} of all cells" src="{_url(_dots(xy, colors))}">'
        drawn.append(f'<figure class="plot"><figcaption><strong>{escape(name)}</strong></figcaption>{picture}</figure>')
    named = ""
    if found is not None and found.is_categorical:
        named = (
            "<p>"
            + " ".join(f"{dot(c)}{escape(n)}&ensp;" for n, c in zip(found.names, found.colors, strict=True))
            + "</p>"
        )
    body = (
        lead(f"Colored by {found.title}." if found is not None else "All cells.")
        + f'<div class="grid wide">{"".join(drawn)}</div>{named}'
    )
    return Section("maps", title, "Maps", body)


def _rgb(found: Coloring | None, n: int) -> np.ndarray:
    """Return the colors (n, 3) uint8 of all cells."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    grey = np.full((n, 3), 150, np.uint8)
    if found is None:
        return grey
    if found.is_categorical:
        table = np.array([to_rgb(c) for c in found.colors])
        return np.where(found.values[:, None] >= 0, (255 * table[found.values]).astype(np.uint8), grey)
    known = np.isfinite(found.values)
    if not known.any():
        return grey
    low, high = np.percentile(found.values[known], (1, 99))
    share = np.clip((np.nan_to_num(found.values) - low) / max(high - low, 1e-300), 0, 1)
    return np.where(known[:, None], (255 * colormaps[RAMP](share)[:, :3]).astype(np.uint8), grey)


def _dots(xy: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return a picture (h, w, 4) uint8 with a dot for every place that is finite; later ones lie over earlier ones."""
    good = np.isfinite(xy).all(axis=1)
    place, shown = xy[good], colors[good]
    low = place.min(axis=0, initial=np.inf)
    span = max(float(np.ptp(place, axis=0).max()), 1e-300) if len(place) else 1.0
    radius = int(np.clip(0.5 * SIDE / np.sqrt(max(len(place), 1)), 1, 6))
    at = ((place - low) / span * (SIDE - 1)).astype(int) + radius
    width, height = at.max(axis=0, initial=0) + radius + 1
    out = np.zeros((height, width, 4), np.uint8)
    reach = range(-radius, radius + 1)
    for dx, dy in ((x, y) for x in reach for y in reach if x * x + y * y <= radius * radius):
        out[at[:, 1] + dy, at[:, 0] + dx, :3] = shown
        out[at[:, 1] + dy, at[:, 0] + dx, 3] = 255
    return out


def _url(picture: np.ndarray) -> str:
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(picture).quantize(128).save(held, "PNG", optimize=True)
    return data_url(held.getvalue(), "png")
