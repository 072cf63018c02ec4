"""The tissue that pictures are drawn on: which samples, which plane, its image and masks, in physical units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import MissingKeyError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.numbers import finite_percentiles
from cellgraph_clr._core.units import PIXEL, unit_sign
from cellgraph_clr.adata.images_of_cells import Scale, chosen_images, scale_of
from cellgraph_clr.adata.planes import in_slab, plane
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import recorded_unit
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.io.arrays import image_of
from cellgraph_clr.io.matched_labels import labels_of_images, of_image
from cellgraph_clr.pl.canvas import MOST_PANELS, plain, scale_bar

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

    from cellgraph_clr.graphs.samples import Group

__all__ = ["Field", "as_picture", "point_size"]

MOST_INSIDE = 0.9  # share of cells that lie in an image whose size is not known otherwise
LOW, HIGH = 1.0, 99.8  # percentiles of an image that are black and white


class Plane(NamedTuple):
    """Labels (h, w) that are shown, their extent (left, right, bottom, top), and where a volume was cut for them, in words."""

    labels: np.ndarray
    extent: tuple[float, float, float, float]
    cut: str


class Field:
    """Cells of some samples as they lie in a plane, with image and masks where given."""

    def __init__(
        self,
        adata: AnnData,
        image: Any = None,
        labels: Any = None,
        *,
        library_id: Any = None,
        library_key: str | None = None,
        projection: str = "xy",
        slab: tuple[float, float] | None = None,
    ) -> None:
        self.adata, self.projection, self.slab = adata, projection, slab
        self.xy, self.unit = plane(adata, projection), recorded_unit(adata)
        self.ndim = position_of(adata, whole=False).shape[1]
        if adata.n_obs == 0:
            raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
        self.groups = _shown(chosen_images(adata, library_id, library_key), library_id is None)
        several = len({g.sample for g in self.groups}) > 1 or (len(self.groups) > 1 and not isinstance(image, Movie))
        if several and image is not None and not isinstance(image, (Mapping, Plate)):
            remedy = "Pass {sample: image, …}, or choose one sample by `library_id=`."
            raise MissingKeyError(expected(f"an image for each of {len(self.groups)} samples", "one image", remedy))
        self.image = image_of(image)
        self.inside = in_slab(adata, projection, slab) & np.isfinite(self.xy).all(axis=1)
        self._labels_of = None if labels is None else labels_of_images(adata, labels, self.groups, in_place=True)
        self._drawn: tuple[str, Plane] | None = None

    @property
    def _dropped(self) -> int:
        """The column of x, y, z that the projection leaves out."""
        return next(i for i, a in enumerate("xyz") if a not in self.projection)

    def rows(self, group: Group) -> np.ndarray:
        """Return the rows of a sample that lie in the slab, ascending."""
        return np.sort(group.rows[self.inside[group.rows]])

    def titled(self, text: str, group: Group) -> str:
        """Return a title with the plane in which the masks of a sample were cut and drawn, where they were."""
        cut = self._drawn[1].cut if self._drawn is not None and self._drawn[0] == group.name else ""
        return ", ".join(filter(None, (text, cut)))

    def masks(self, group: Group) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
        """Return the label plane (h, w) of a sample and its extent; None without labels. In 3D the plane in mid-slab."""
        if self._labels_of is None:
            return None
        if self._drawn is None or self._drawn[0] != group.name:  # regions and colours of a sample ask again
            self._drawn = group.name, self._plane_of(self._labels_of(group))
        return self._drawn[1][:2]

    def _plane_of(self, found: LabelImage) -> Plane:
        """Return the plane of labels that is shown."""
        scale = Scale(found.spacing, found.unit, found.origin or (0.0,) * found.ndim)
        if found.ndim == 2:
            plane, cut = np.asarray(found.labels), ""
        else:
            axis = 2 - self._dropped
            n, step, start = found.labels.shape[axis], scale.spacing[axis], scale.origin[axis]
            at = self._plane_in_slab(n, step, start)
            plane = np.asarray(found.labels[tuple(at if a == axis else slice(None) for a in range(3))])
            unit = unit_sign(self.unit) if self.unit else ""
            cut = f"{'xyz'[self._dropped]} = {start + at * step:.4g} {unit}".rstrip()
        return Plane(plane, self._extent(plane.shape, scale), cut)

    def _plane_in_slab(self, n: int, step: float, start: float) -> int:
        """Return the plane in the middle of what the slab has of n planes. Raises `OptionError` for a slab beside them."""
        if self.slab is None:
            return n // 2
        low, high = max(self.slab[0], start), min(self.slab[1], start + (n - 1) * step)
        if low > high + step:
            found = f"{self.slab[0]:g} to {self.slab[1]:g}"
            remedy = "Choose it within them."
            raise OptionError(
                expected(f"`slab` within the labels, {start:g} to {start + (n - 1) * step:g}", found, remedy)
            )
        return int(np.clip(round(((low + high) / 2 - start) / step), 0, n - 1))

    def _extent(self, shape: tuple[int, ...], scale: Scale) -> tuple[float, float, float, float]:
        """Return left, right, bottom, top of a plane (h, w), whose pixels lie around their centres."""
        place = self._axes(len(scale.spacing))
        (dx, dy), (x, y) = ([values[i] for i in place] for values in (scale.spacing, scale.origin))
        return x - dx / 2, x + (shape[1] - 0.5) * dx, y + (shape[0] - 0.5) * dy, y - dy / 2

    def draw_image(self, ax: Axes, group: Group) -> bool:
        """Draw the image of a sample where it lies; return whether there is one."""
        found = self.picture(group)
        if found is None:
            return False
        cmap = "gray" if found[0].ndim == 2 else None
        ax.imshow(found[0], cmap=cmap, vmin=0, vmax=1, extent=found[1], interpolation="nearest")
        return True

    def picture(self, group: Group) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
        """Return the image of a sample as `as_picture` gives it, and its extent (left, right, bottom, top); None without one."""
        if self.image is None:
            return None
        pixels = of_image(self.adata, self.image, group, what="image")
        if isinstance(pixels, LabelImage):
            pixels = pixels.image
        picture = as_picture(np.asarray(pixels))
        scale = self.scale(group)
        self._check_shape(picture.shape[:2], scale, group)
        return picture, self._extent(picture.shape[:2], scale)

    def _check_shape(self, shape: tuple[int, ...], scale: Scale, group: Group) -> None:
        """Raise `ShapeError` for an image that is not on the grid of the labels, or has most cells outside."""
        where = f" of {group.name!r}" if group.name else ""
        remedy = "Pass the plane of the image on the grid of the labels (not scaled, cut or turned), and cells where they lay."
        if scale.shape:
            wanted = tuple(scale.shape[i] for i in self._axes(len(scale.shape))[::-1])
            if wanted != tuple(shape):
                raise ShapeError(expected(f"an image{where} of shape {wanted}, as the labels", f"{shape}", remedy))
        left, right, bottom, top = self._extent(shape, scale)
        own = self.xy[self.rows(group)]
        if len(own) == 0:
            return
        inside = ((own >= [left, top]) & (own <= [right, bottom])).all(axis=1)
        if inside.mean() < MOST_INSIDE:
            found = f"{int((~inside).sum())} of {len(own)} outside"
            raise ShapeError(expected(f"an image{where} that the cells lie in", found, remedy))

    def _axes(self, ndim: int) -> list[int]:
        """Return the axes of z, y, x that lie across and down."""
        return [2 - "xyz".index(a) - (3 - ndim) for a in self.projection]

    def scale(self, group: Group) -> Scale:
        """Return spacing and place of the image of a sample. Raises `MissingKeyError` where they cannot be told."""
        known = scale_of(self.adata, group)
        if known is None and self._labels_of is not None:
            found = self._labels_of(group)
            known = Scale(found.spacing, found.unit, found.origin or (0.0,) * found.ndim)
        if known is None:
            if self.unit not in (None, PIXEL):
                remedy = "Pass the masks with their scale as well: `labels=cgc.LabelImage.build(labels, spacing=…)`."
                found_text = f"positions in {self.unit} alone"
                raise MissingKeyError(expected("the size of a pixel of `image`", found_text, remedy))
            known = Scale((1.0,) * self.ndim, PIXEL, (0.0,) * self.ndim)
        return known

    def frame(self, ax: Axes, group: Group, title: str) -> None:
        """Set limits around cells, image and masks, equal axes with y down, a scale bar, and the title."""
        boxes = [np.sort(np.reshape(i.get_extent(), (2, 2)), axis=1) for i in ax.get_images()]
        beside = [g.rows for g in self.groups if g.sample == group.sample]  # frames of a movie share a place
        own = self.xy[np.concatenate(beside)]
        own = own[np.isfinite(own).all(axis=1)]
        if len(boxes) == 0 and len(own):
            span = max(float(np.ptp(own, axis=0).max()), 1e-9)
            boxes = [np.stack([own.min(axis=0), own.max(axis=0)], axis=1) + 0.03 * span * np.array([-1, 1])]
        if boxes:
            low, high = np.min(boxes, axis=0)[:, 0], np.max(boxes, axis=0)[:, 1]
            ax.set_xlim(low[0], high[0])
            ax.set_ylim(high[1], low[1])
        ax.set_aspect("equal")
        ax.set_xticks([])
        ax.set_yticks([])
        for side in ax.spines.values():
            side.set_visible(False)
        if self.projection != "xy":
            ax.set_xlabel(self.projection[0])
            ax.set_ylabel(self.projection[1])
        ax.set_title(plain(title), fontsize=10)
        if boxes:
            scale_bar(ax, self.unit, on_image=self.image is not None)


def _shown(groups: list[Group], everything: bool) -> list[Group]:  # noqa: FBT001
    """Return the samples that get a panel; of very many the first, with a warning."""
    if not everything or len(groups) <= MOST_PANELS:
        return groups
    text = f"{MOST_PANELS} of {len(groups)} samples are drawn, one panel each. Choose others by `library_id=`."
    warn(text)
    return groups[:MOST_PANELS]


def as_picture(image: np.ndarray) -> np.ndarray:
    """Return pixels (y, x) in 0 … 1, or (y, x, 3) of (y, x, 3) or up to three channels (c, y, x).

    Colours of 8 bits or in 0 … 1 stay; other values lie between their 1 and 99.8 percentiles, channel by channel.
    Raises `ShapeError` for other shapes and more channels.
    """
    if image.ndim == 3 and image.shape[-1] in (3, 4) and image.shape[0] not in (1, 2):
        return image if image.dtype == np.uint8 or float(image.max(initial=0)) <= 1 else _stretched(image, (0, 1))
    if image.ndim == 3 and len(image) <= 3:
        channels = _stretched(image, (1, 2))
        if len(channels) == 1:
            return channels[0]
        blank = np.zeros_like(channels[0])
        return np.stack([channels[i] if i < len(channels) else blank for i in range(3)], axis=-1)
    if image.ndim == 2:
        return _stretched(image, (0, 1))
    remedy = "Select the plane and up to three channels, as in `image[[0, 2]]`."
    raise ShapeError(expected("an image (y, x), (y, x, 3) or (c, y, x) of up to 3 channels", image.shape, remedy))


def _stretched(image: np.ndarray, axes: tuple[int, int]) -> np.ndarray:
    values = image.astype(np.float32)
    values[~np.isfinite(values)] = np.nan  # shown as blank
    low, high = finite_percentiles(values, (LOW, HIGH), axis=axes)
    return np.clip((values - low) / np.maximum(high - low, 1e-12), 0, 1)


def point_size(n: int) -> float:
    """Return a marker size at which n cells neither hide one another nor vanish."""
    return float(np.clip(12000 / max(n, 1), 2, 40))
