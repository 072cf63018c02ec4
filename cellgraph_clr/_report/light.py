"""Light around cells: the image of every sample, flat as under a map, and small squares of it, each in the plane of its cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.numbers import finite_percentiles
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.io.matched_labels import of_image
from cellgraph_clr.pl.field import HIGH, LOW, Field

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.adata.images_of_cells import Scale
    from cellgraph_clr.graphs.samples import Group

__all__ = ["Light", "Lights", "channels_of", "is_volume", "typical_distance"]

MOST_CHANNELS = 3
MOST_SAMPLED = 8  # planes of a volume that say what is black and what is white
AT_ONCE = 2**22  # pixels of squares that are worked out together


class Lights:
    """Images of the samples of an AnnData, as `pl.spatial` takes them; of cells in 3D also volumes ([c,] z, y, x)."""

    def __init__(self, adata: AnnData, image: Any, labels: Any, library_key: str | None) -> None:
        self.adata, self.image = adata, _pixels(image)
        self.ndim = np.shape(adata.obsm["spatial"])[1]
        self.field = Field(adata, _flat(self.image, self.ndim), labels, library_key=library_key)
        self._last: tuple[str, Light] | None = None

    def flat(self, group: Group) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
        """Return the picture of a sample, of a volume that of its brightest plane, and its extent (left, right, bottom, top)."""
        return self.field.picture(group)

    def of(self, group: Group) -> Light:
        """Return the light of a sample. Raises `ShapeError` for a volume of another shape than that of the labels."""
        if self._last is None or self._last[0] != group.name:
            pixels = _pixels(of_image(self.adata, self.image, group, what="image"))
            scale = self.field.scale(group)
            if not is_volume(np.shape(pixels), self.ndim):
                found = self.field.picture(group)
                assert found is not None
                self._last = group.name, Light(found[0], scale, in_planes=False)
            else:
                _check_planes(np.shape(pixels), scale)
                self._last = group.name, Light(pixels, scale, in_planes=True)
        return self._last[1]


class Light:
    """The light of one sample: a picture (h, w) or (h, w, 3), or a volume ([c,] z, y, x), and where its pixels lie."""

    def __init__(self, pixels: Any, scale: Scale, *, in_planes: bool) -> None:
        self.pixels, self.scale, self.in_planes = pixels, scale, in_planes
        self.step, self.start = (np.asarray(v, float)[::-1] for v in (scale.spacing, scale.origin))  # as x, y(, z)
        self.shape = np.shape(pixels)[-2:] if in_planes else np.shape(pixels)[:2]
        if in_planes:
            n = np.shape(pixels)[-3]
            some = np.unique(np.linspace(0, n - 1, min(n, MOST_SAMPLED)).astype(int))
            held = np.stack([np.asarray(pixels[..., k, :, :], np.float32) for k in some], axis=-3)
            self.low, self.high = finite_percentiles(held, (LOW, HIGH), axis=(-3, -2, -1))[..., 0, :, :]

    def plane(self, k: int) -> np.ndarray:
        """Return a plane (h, w) or (h, w, 3) in 0 … 1; of a picture the only one."""
        if not self.in_planes:
            shown = self.pixels if self.pixels.ndim == 2 else self.pixels[..., :3]
            shown = shown / np.float32(255) if shown.dtype == np.uint8 else shown
            return np.clip(np.nan_to_num(np.asarray(shown, np.float32)), 0, 1)
        plane = np.asarray(self.pixels[..., k, :, :], np.float32)
        bright = np.clip(np.nan_to_num((plane - self.low) / np.maximum(self.high - self.low, 1e-12)), 0, 1)
        if bright.ndim == 2:
            return bright
        blank = np.zeros_like(bright[0])
        channels = [*bright, *[blank] * MOST_CHANNELS][:MOST_CHANNELS]
        return bright[0] if len(bright) == 1 else np.stack(channels, axis=-1)

    def squares(self, places: np.ndarray, reach: float, side: int) -> np.ndarray:
        """Return squares (m, side, side, 3) uint8 of the image around places (m, d) as x, y(, z), each in its own plane.

        They end at `reach` from their middle; pixels are interpolated, smoothed where they are coarser than those of the image,
        and black beyond it and around what is not finite. O(m side² + pixels of the planes).
        """
        out = np.zeros((len(places), side, side, 3), np.uint8)
        known = np.flatnonzero(np.isfinite(places).all(axis=1))
        at = (places[known] - self.start[: places.shape[1]]) / self.step[: places.shape[1]]
        n = np.shape(self.pixels)[-3] if self.in_planes else 1
        planes = np.clip(np.rint(at[:, 2]), 0, n - 1).astype(int) if self.in_planes else np.zeros(len(at), int)
        across = reach * (2 * (np.arange(side) + 0.5) / side - 1)
        for k in np.unique(planes):
            mine = np.flatnonzero(planes == k)
            shown = self._smoothed(self.plane(int(k)), 2 * reach / side)
            for some in np.array_split(mine, len(mine) * side * side // AT_ONCE + 1):
                out[known[some]] = _sampled(shown, at[some, :2], across / self.step[0], across / self.step[1])
        return out

    def _smoothed(self, plane: np.ndarray, pixel: float) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        coarse = pixel / self.step[1::-1]
        if not (coarse > 1.5).any():
            return plane
        spread = np.where(coarse > 1.5, coarse / 2, 0)
        return gaussian_filter(plane, spread if plane.ndim == 2 else (*spread, 0))


def _sampled(plane: np.ndarray, at: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Return squares (m, side, side, 3) uint8 of a plane around `at` (m, 2), in its pixels as x, y."""
    from scipy.ndimage import map_coordinates

    x = at[:, 0, None, None] + across[None, None, :]
    y = at[:, 1, None, None] + down[None, :, None]
    place = np.stack(np.broadcast_arrays(y, x))
    channels = [plane] if plane.ndim == 2 else list(np.moveaxis(plane, -1, 0))
    found = [map_coordinates(c, place, order=1, mode="constant") for c in channels]
    return np.rint(255 * np.stack(found * (1 if len(found) > 1 else 3), axis=-1)).astype(np.uint8)


def typical_distance(xyz: np.ndarray, number: np.ndarray) -> float:
    """Return about the distance between cells: the side of the room of one, in the boxes around those of every image.

    `xyz` (n, d) may hold what is not finite; `number` (n,) is the image of each. 1 without any room.
    """
    known = np.isfinite(xyz).all(axis=1)
    order = np.argsort(number[known], kind="stable")
    place = xyz[known][order]
    starts = np.unique(number[known][order], return_index=True)[1]
    if len(starts) == 0:
        return 1.0
    side = np.maximum.reduceat(place, starts) - np.minimum.reduceat(place, starts)
    room = float(side.prod(axis=1).sum()) / len(place)
    return room ** (1 / place.shape[1]) or 1.0


def is_volume(shape: tuple[int, ...], ndim: int) -> bool:
    """Return whether an image of cells in `ndim` dimensions is a volume (z, y, x), or (c, z, y, x) of up to three channels."""
    one = len(shape) == 3 and shape[-1] not in (3, 4) and shape[0] > MOST_CHANNELS
    return ndim == 3 and (one or (len(shape) == 4 and shape[0] <= MOST_CHANNELS))


def channels_of(image: Any, ndim: int) -> tuple[Any, bool]:
    """Return an image as channels (c, [z,] y, x), None for a flat one of cells in 3D; and whether its colors stay as they are."""
    pixels = _pixels(image)
    shape = np.shape(pixels)
    if ndim == 3 and not is_volume(shape, ndim):
        return None, False
    if ndim == 2 and len(shape) == 3 and shape[-1] in (3, 4) and shape[0] not in (1, 2):
        return np.moveaxis(np.asarray(pixels)[..., :3], -1, 0), True
    return (pixels[None] if len(shape) == ndim else pixels), False


def _pixels(image: Any) -> Any:
    """Return the intensities of a `LabelImage`; anything else, and in mappings, as it is."""
    if isinstance(image, Mapping):
        return {name: _pixels(one) for name, one in image.items()}
    return image.image if isinstance(image, LabelImage) and image.image is not None else image


def _flat(image: Any, ndim: int) -> Any:
    """Return the image as it is drawn: of a volume the brightest along z."""
    if ndim != 3 or isinstance(image, (Movie, Plate)):
        return image
    if isinstance(image, Mapping):
        return {name: _flat(one, ndim) for name, one in image.items()}
    return np.asarray(image).max(axis=-3) if is_volume(np.shape(image), ndim) else image


def _check_planes(shape: tuple[int, ...], scale: Scale) -> None:
    if scale.shape and scale.shape[0] != shape[-3]:
        remedy = "Pass the image on the grid of the labels, or its brightest plane alone."
        raise ShapeError(expected(f"a volume of {scale.shape[0]} planes, as the labels", f"{shape[-3]} planes", remedy))
