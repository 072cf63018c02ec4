"""Pictures of a page that need no scripts: the maps as they are printed, and cells typical of every class."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.units import round_length
from cellgraph_clr._report.parts import Section, Subject, dot, lead
from cellgraph_clr._report.pictures import picture_url
from cellgraph_clr._report.vectors import page_vectors
from cellgraph_clr.adata.images_of_cells import images_of, rows_of_labels
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.analysis.typical import typical_rows
from cellgraph_clr.pl.colors import coloring

if TYPE_CHECKING:
    from cellgraph_clr.pl.colors import Coloring

__all__ = ["gallery_section", "maps_section"]

SIDE = 640  # pixels of the longer side of a printed map
N_TYPICAL = 8
MOST_CLASSES = 24
RAMP = "viridis"
LIGHT = (1.0, 99.8)  # percentiles that are black and white
FITTING = 0.9  # share of the typical cells that are shown whole
TILE = 5.2  # rem, side of a picture of a cell in the style sheet


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
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii")


def gallery_section(about: Subject, key: str | None, use_rep: str | None) -> Section | None:
    """Return pictures of the cells most typical of every class of `obs[key]`; None without labels, classes or vectors."""
    from cellgraph_clr.io.matched_labels import labels_of_cells
    from cellgraph_clr.pl.tiles import SIZE, Tiles

    adata = about.adata
    vectors = page_vectors(adata, use_rep)
    if about.labels is None or key is None or vectors is None:
        return None
    found = coloring(adata[:], key)
    if not found.is_categorical:
        return None
    first = images_of(adata, about.library_key)[0]
    image = about.image if np.ndim(about.image) == np.shape(adata.obsm["spatial"])[1] else None
    group, picture = labels_of_cells(adata, about.labels, image, library_id=first.name or None)
    tiles = Tiles(picture, 0)
    rows = rows_of_labels(adata, tiles.scan.cell_id, group)
    typical = typical_rows(vectors[1][rows], found.values[rows], N_TYPICAL)
    at = {int(c): i for i, c in enumerate(tiles.scan.cell_id)}
    ids = cell_ids(adata)
    chosen = {
        found.names[code]: rows[best]
        for code, best in enumerate(typical)
        if len(best) and found.names[code] != UNASSIGNED
    }
    chosen = dict(list(chosen.items())[:MOST_CLASSES])
    if not chosen:
        return None
    every = np.array([at[int(ids[r])] for found_ in chosen.values() for r in found_])
    resolution = tiles.resolution(every, turned=False, share=FITTING)
    n_cut = int((tiles.reach(every, turned=False) > SIZE * resolution).sum())
    cut = {int(r): tiles.slice(at[int(ids[r])], resolution) for rows_ in chosen.values() for r in rows_}
    bright = [light for light, _ in cut.values() if light is not None]
    low, high = np.percentile(np.concatenate([b.ravel() for b in bright]), LIGHT) if bright else (0.0, 1.0)
    parts = []
    for name, some in chosen.items():
        color = found.colors[found.names.index(name)]
        pictures = "".join(_tile(*cut[int(r)], int(ids[r]), float(low), float(high), color) for r in some)
        parts.append(f'<h3>{dot(color)}{escape(name)}</h3><ul class="pictures">{pictures}</ul>')
    where = f" Sample {first.name}." if len(images_of(adata, about.library_key)) > 1 else ""
    light = f" Light is that of {picture.channels[0]}." if len(picture.channels) > 1 else ""
    text = f"The cells nearest to the middle of each class of {key} by {vectors[0]}, all at one scale and brightness."
    larger = f" {n_cut} of {len(every)} are larger than their picture and cut off." if n_cut else ""
    bar = _scale_bar(SIZE * resolution, picture.unit)
    return Section("gallery", "Typical cells", "Gallery", lead(text + larger + light + where) + bar + "".join(parts))


def _scale_bar(side: float, unit: str) -> str:
    """Return a bar of a round length, up to half the side of a picture, with its length."""
    length, text = round_length(side / 2, unit)
    look = f"display:inline-block;vertical-align:middle;height:3px;background:currentColor;width:{TILE * length / side:.3f}rem"
    return f'<p class="scale"><span style="{look}"></span> {escape(text)}</p>'


def _tile(light: np.ndarray | None, mask: np.ndarray, cell: int, low: float, high: float, color: str) -> str:
    """Return one picture of a cell with its outline in the color of its class."""
    from matplotlib.colors import to_rgb
    from scipy.ndimage import binary_erosion

    grey = 0.35 * mask.astype(float) if light is None else np.clip((light - low) / max(high - low, 1e-12), 0, 1)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    picture[mask & ~binary_erosion(mask, border_value=1)] = to_rgb(color)
    return f'<li><img alt="cell {cell}" title="cell {cell}" src="{picture_url(picture)}"></li>'
