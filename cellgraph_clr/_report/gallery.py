"""Cells typical of every class, in pictures that need no scripts: cut by their masks, or as squares of the image."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import listing
from cellgraph_clr._core.numbers import finite_percentiles
from cellgraph_clr._core.units import PIXEL, round_length
from cellgraph_clr._report.light import Lights, channels_of, typical_distance
from cellgraph_clr._report.parts import Section, Subject, dot, lead
from cellgraph_clr._report.pictures import picture_url
from cellgraph_clr._report.vectors import page_vectors
from cellgraph_clr.adata.images_of_cells import images_of, rows_of_labels
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import recorded_unit
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.analysis.typical import typical_rows
from cellgraph_clr.io.matched_labels import labels_of_cells, of_image
from cellgraph_clr.pl.colors import coloring
from cellgraph_clr.pl.tiles import SIZE, Tiles

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.graphs.samples import Group

__all__ = ["gallery_section"]

N_TYPICAL = 8
MOST_CLASSES = 24
BRIGHTNESS = (1.0, 99.8)  # percentiles that are black and white
FITTING = 0.9  # share of the typical cells that are shown whole
TILE = 5.2  # rem, side of a picture of a cell in the style sheet
AROUND = 1.6  # from the middle of a square of the image to its rim, in distances between cells


class Cuts(NamedTuple):
    """Pictures of some cells at one scale."""

    pictures: list[np.ndarray]
    """Each (s, s, 3) in 0 … 1."""
    masks: list[np.ndarray | None]
    """Each (s, s) bool, where the cell is; None without labels."""
    side: float
    """Of a picture, in `unit`."""
    unit: str
    note: str
    """What a reader should know of them."""


def gallery_section(about: Subject, key: str | None, use_rep: str | None) -> Section | None:
    """Return pictures of the cells most typical of every class of `obs[key]`; None without classes, vectors or any picture."""
    adata = about.adata
    vectors = page_vectors(adata, use_rep)
    if (about.labels is None and about.image is None) or key is None or vectors is None or "spatial" not in adata.obsm:
        return None
    found = coloring(adata[:], key)
    if not found.is_categorical:
        return None
    images = images_of(adata, about.library_key)
    held = [set(np.unique(found.values[g.rows])) - {-1} for g in images]
    most = int(np.argmax([len(h) for h in held]))  # the sample of most classes
    source = _Masks(about, images[most]) if about.labels is not None else _squares_of(about, images[most])
    if source is None:
        return None
    typical = typical_rows(vectors[1][source.rows], found.values[source.rows], N_TYPICAL)
    chosen = {
        code: source.rows[best] for code, best in enumerate(typical) if len(best) and found.names[code] != UNASSIGNED
    }
    chosen = dict(list(chosen.items())[:MOST_CLASSES])
    if not chosen:
        return None
    cuts = source.cut(np.concatenate(list(chosen.values())))
    ids, parts, at = cell_ids(adata), [], 0
    for code, rows in chosen.items():
        color = found.colors[code]
        cells = zip(rows, cuts.pictures[at : at + len(rows)], cuts.masks[at : at + len(rows)], strict=True)
        pictures = "".join(_tile(picture, mask, int(ids[row]), color) for row, picture, mask in cells)
        parts.append(f'<h3>{dot(color)}{escape(found.names[code])}</h3><ul class="pictures">{pictures}</ul>')
        at += len(rows)
    where = f" All are of sample {images[most].name}." if len(images) > 1 else ""
    missing = [found.names[code] for code in sorted(set().union(*held) - held[most]) if found.names[code] != UNASSIGNED]
    where += f" It has no cell of {listing(missing, limit=8)}." if missing else ""
    text = f"The cells nearest to the middle of each class of {key} by {vectors[0]}, all at one scale and brightness."
    body = lead(text + cuts.note + where) + _scale_bar(cuts.side, cuts.unit) + "".join(parts)
    return Section("gallery", "Typical cells", "Gallery", body)


class _Masks:
    """Cells cut by their masks, in the plane where each is widest, with light where there is an image."""

    def __init__(self, about: Subject, group: Group) -> None:
        adata, pixels = about.adata, None
        self.colored = False
        ndim = np.shape(adata.obsm["spatial"])[1]
        if about.image is not None:
            given = of_image(adata, about.image, group, what="image")
            pixels, self.colored = channels_of(given, ndim)
        group, self.picture = labels_of_cells(adata, about.labels, pixels, library_id=group.name or None)
        self.shown = range(1 if pixels is None else len(self.picture.channels))
        self.is_given = pixels is not None
        self.tiles = Tiles(self.picture, 0)
        self.rows = rows_of_labels(adata, self.tiles.scan.cell_id, group)
        self.ids = cell_ids(adata)

    def cut(self, rows: np.ndarray) -> Cuts:
        at = {int(c): i for i, c in enumerate(self.tiles.scan.cell_id)}
        every = np.array([at[int(self.ids[r])] for r in rows])
        resolution = self.tiles.resolution(every, turned=False, share=FITTING)
        n_cut = int((self.tiles.reach(every, turned=False) > SIZE * resolution).sum())
        note = f" {n_cut} of {len(every)} are larger than their picture and cut off." if n_cut else ""
        masks = [self.tiles.slice(i, resolution)[1] for i in every]
        pictures = self._light(every, resolution)
        if pictures is None:
            pictures = [np.repeat(0.35 * m[:, :, None], 3, axis=2) for m in masks]
        elif len(self.shown) > 1 and not self.colored:
            note += (
                f" {_listed(['red', 'green', 'blue'][: len(self.shown)])} are the channels of the image in their order."
            )
        elif not self.is_given and len(self.picture.channels) > 1:
            note += f" Light is that of {self.picture.channels[0]}."
        return Cuts(pictures, list(masks), SIZE * resolution, self.picture.unit, note)

    def _light(self, every: np.ndarray, resolution: float) -> list[np.ndarray] | None:
        """Return what is measured around these cells (s, s, 3), one brightness for all; None without an image."""
        if self.picture.image is None:
            return None
        channels = []
        for channel in self.shown:
            self.tiles.channel = channel
            bright = np.stack([np.asarray(self.tiles.slice(i, resolution)[0], np.float32) for i in every])
            top = 255.0 if np.asarray(self.picture.image[channel, :0]).dtype == np.uint8 else 1.0
            is_light = self.colored and (top == 255 or bright.max(initial=0) <= 1)
            low, high = (0.0, top) if is_light else finite_percentiles(bright, BRIGHTNESS).ravel()
            channels.append(np.clip(np.nan_to_num((bright - low) / max(high - low, 1e-12)), 0, 1))
        blank = np.zeros_like(channels[0])
        three = channels * 3 if len(channels) == 1 else [*channels, blank][:3]
        return list(np.stack(three, axis=-1))


class _Squares:
    """Squares of the image around cells whose outlines are not known."""

    def __init__(self, adata: AnnData, lights: Lights, group: Group) -> None:
        self.adata, self.light = adata, lights.of(group)
        self.xyz = position_of(adata, whole=False)
        self.rows = group.rows[np.isfinite(self.xyz[group.rows]).all(axis=1)]

    def cut(self, rows: np.ndarray) -> Cuts:
        reach = AROUND * typical_distance(self.xyz[self.rows], np.zeros(len(self.rows), int))
        pictures = self.light.squares(self.xyz[rows], reach, SIZE) / np.float32(255)
        unit = recorded_unit(self.adata) or PIXEL
        return Cuts(list(pictures), [None] * len(rows), 2 * reach, unit, " The cell is in the middle of its picture.")


def _squares_of(about: Subject, group: Group) -> _Squares | None:
    """Return squares of the image; None of a flat image of cells in 3D, where many lie over each other."""
    ndim = np.shape(about.adata.obsm["spatial"])[1]
    given = of_image(about.adata, about.image, group, what="image")
    if channels_of(given, ndim)[0] is None:
        return None
    return _Squares(about.adata, Lights(about.adata, about.image, None, about.library_key), group)


def _listed(names: list[str]) -> str:
    text = f"{', '.join(names[:-1])} and {names[-1]}"
    return text[0].upper() + text[1:]


def _scale_bar(side: float, unit: str) -> str:
    """Return a bar of a round length, up to half the side of a picture, with its length."""
    length, text = round_length(side / 2, unit)
    look = f"display:inline-block;vertical-align:middle;height:3px;background:currentColor;width:{TILE * length / side:.3f}rem"
    return f'<p class="scale"><span style="{look}"></span> {escape(text)}</p>'


def _tile(picture: np.ndarray, mask: np.ndarray | None, cell: int, color: str) -> str:
    """Return one picture of a cell, where it is known with its outline in the color of its class."""
    from matplotlib.colors import to_rgb
    from scipy.ndimage import binary_erosion

    shown = np.array(picture, np.float32)
    if mask is not None:
        shown[mask & ~binary_erosion(mask, border_value=1)] = to_rgb(color)
    return f'<li><img alt="cell {cell}" title="cell {cell}" src="{picture_url(shown)}"></li>'
