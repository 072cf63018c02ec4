"""Label images from whatever a person holds: a path, an array, or a `LabelImage`, with pixels, names and scale together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelImageError
from cellgraph_clr._core.notices import warn
from cellgraph_clr.cells.blocks import array_like, named_channels
from cellgraph_clr.cells.given import given_labels
from cellgraph_clr.cells.label_image import LabelImage, check_axes
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.io.arrays import Pixels, read_pixels
from cellgraph_clr.io.foreign import file_to_read, guarded
from cellgraph_clr.io.missing_chunks import warn_of_missing_chunks
from cellgraph_clr.io.scales import in_unit, settled_scale, warn_difference, warn_spacing

if TYPE_CHECKING:
    from cellgraph_clr.cells.scan import LabelStatistics

__all__ = [
    "Labels",
    "as_label_image",
    "open_labels",
    "read_labels",
    "warn_of_pieces",
]

Labels: TypeAlias = (
    Any  # LabelImage | array (NumPy, Zarr, HDF5, dask, xarray) | path | mapping sample -> these | Movie | Plate
)


@checked
def read_labels(
    path: str | os.PathLike[str],
    image: str | os.PathLike[str] | None = None,
    *,
    spacing: float | Sequence[float] | None = None,
    unit: str | None = None,
    channels: Sequence[str] | None = None,
    level: int = 0,
) -> LabelImage:
    """Return a label image from disk, with its intensity image when there is one.

    Parameters
    ----------
    path : str or path-like
        .tif / .tiff (OME, ImageJ or plain), .npy (also a Cellpose `_seg.npy`), or a Zarr array or OME-Zarr (0.4, 0.5)
        image or label group.
    image : str or path-like or None, default None
        Intensities in one of the same formats, on the same pixel grid, channels in any axis order.
    spacing : float or sequence of float or None, default None
        Pixel size z, y, x (or y, x), or one number for all axes; overrides the metadata. In `unit`, else in the unit of
        the metadata.
    unit : str or None, default None
        Unit of the spacing; without `spacing` that of the metadata is converted to it.
    channels : sequence of str or None, default None
        Names of the image's channels; default those of the file.
    level : int, default 0
        Resolution level of an OME-Zarr, 0 is the finest; scale and translation are those of the level.

    Returns
    -------
    LabelImage
        `LabelImage`; Zarr stays on disk and is read in blocks when something is measured, a large .npy is
        memory-mapped.

    Raises
    ------
    MissingFileError
        If a file is not there.
    FileFormatError
        If a file cannot be read, or its axes have units that do not convert.
    LabelImageError, NoCellsError, ShapeError, OptionError
        If it is not a label image, holds no cells, or image and labels do not fit.

    Notes
    -----
    Where the labels have no scale, that of the image is taken; a UserWarning tells where both have one and they differ, and
    the labels' is used. Without any, 1 pixel is assumed, which a UserWarning says. TIFF is read into memory as a whole.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> np.save("masks.npy", np.array([[0, 1, 1], [0, 2, 2]]))
    >>> cgc.read_labels("masks.npy", spacing=0.5, unit="micrometer")
    <LabelImage 2 x 3 int64, 0.5 x 0.5 micrometer>
    """
    out = open_labels(path, image, spacing=spacing, unit=unit, channels=channels, level=level)
    if spacing is None and not out.has_scale:
        warn_spacing(out.ndim)
    return out


@checked
def open_labels(
    labels: Any,
    image: Any = None,
    *,
    spacing: float | Sequence[float] | None = None,
    unit: str | None = None,
    channels: Sequence[str] | None = None,
    level: int = 0,
) -> LabelImage:
    """Return labels and intensities from paths or arrays as one `LabelImage`; no warning where no scale is known."""
    of_labels = _opened(labels, channels_axis=False, level=level)
    of_labels = of_labels._replace(data=given_labels(of_labels.data))
    check_axes(of_labels.data)
    if isinstance(labels, (str, os.PathLike)):
        warn_of_missing_chunks(of_labels.data)
    of_image = None if image is None else _opened(image, channels_axis=True, level=level)
    d = of_labels.data.ndim
    known = of_labels if of_image is None or of_labels.scale(d) is not None else of_image
    if of_image is not None and spacing is None:
        warn_difference(of_labels, of_image, d)
    sizes, name = settled_scale(spacing, unit, found=known.scale(d), found_unit=known.unit, ndim=d)
    placed = next((p for p in (of_labels, of_image) if p is not None and p.start(d) is not None), of_labels)
    return LabelImage.build(
        of_labels.data,
        None if of_image is None else of_image.data,
        spacing=sizes,
        unit=name,
        channels=channels if channels is not None or of_image is None else of_image.channels,
        origin=in_unit(placed.start(d) or (), placed.unit, name),
    )


def _opened(source: Any, *, channels_axis: bool, level: int) -> Pixels:
    if isinstance(source, (str, os.PathLike)):
        at = level if file_to_read(source).is_dir() else 0
        return read_pixels(source, channels_axis=channels_axis, level=at)
    is_array = isinstance(source, (list, tuple)) or any(hasattr(source, a) for a in ("dtype", "__array__"))
    try:
        array = guarded(array_like(source), source) if is_array else np.array(None)
    except (TypeError, ValueError):  # rows of several lengths
        array = np.array(None)
    if array.dtype == object:
        found, remedy = type(source).__name__, "Pass an array, a `cgc.LabelImage`, or the path of a file."
        if isinstance(source, (Movie, Plate)):
            remedy = "Measure it by `cgc.from_movie(movie)` or `cgc.from_plate(plate)`, or choose one image of it."
        raise LabelImageError(expected("labels or an image", found, remedy))
    return Pixels(array, named_channels(source) if channels_axis else None)


@checked
def warn_of_pieces(image: LabelImage, s: LabelStatistics) -> None:
    """Warn where most labels lie scattered in pieces, none of which holds half of it: no segmentation of cells does.

    Pieces are counted only where the surface of the labels makes it likely: then a second read, O(voxels).
    """
    from cellgraph_clr.cells.components import label_pieces
    from cellgraph_clr.cells.gaps import looks_scattered

    if not looks_scattered(s, image.ndim):
        return
    pieces = label_pieces(image)
    scattered = (pieces.largest_fragment < 0.5) & (pieces.n_fragments > 1)
    if scattered.mean() > 0.5:
        warn(
            f"{int(scattered.sum())} of {len(scattered)} labels are scattered in pieces (typically "
            f"{int(np.median(pieces.n_fragments))}): this looks like an intensity image, a binary mask or a class map, not "
            "like one label per cell. Pass the segmentation; a mask is labelled by `skimage.measure.label(mask)`."
        )


@checked
def as_label_image(
    labels: Labels,
    image: Any = None,
    *,
    spacing: float | Sequence[float] | None = None,
    unit: str | None = None,
    channels: Sequence[str] | None = None,
    warn: bool = True,
) -> LabelImage:
    """Return one checked `LabelImage` of labels and intensities in any form; what is given overrides what files say.

    Parameters
    ----------
    labels : `LabelImage`, integer array ([z,] y, x) of NumPy, Zarr, HDF5, dask or xarray, or a path.
    image : intensities (c, [z,] y, x) or ([z,] y, x), in the same forms; replaces those of a `LabelImage`.
    spacing, unit : see `read_labels`. A `LabelImage` converts to `unit`.
    channels : names of the image's channels.
    warn : say so when no spacing is known (a `LabelImage` was given one, or meant pixels).

    Raises
    ------
    LabelImageError, NoCellsError, ShapeError, OptionError, MissingFileError, FileFormatError
        As `read_labels`.
    """
    if not isinstance(labels, LabelImage):
        out = open_labels(labels, image, spacing=spacing, unit=unit, channels=channels)
    elif image is None and spacing is None and unit is None and channels is None:
        out = labels
    else:
        out = _changed(labels, image, spacing=spacing, unit=unit, channels=channels)
    if warn and spacing is None and not out.has_scale and not isinstance(labels, LabelImage):
        warn_spacing(out.ndim)
    return out


def _changed(
    given: LabelImage,
    image: Any,
    *,
    spacing: float | Sequence[float] | None,
    unit: str | None,
    channels: Sequence[str] | None,
) -> LabelImage:
    if not given.has_scale and image is not None:  # that of the image, where it has one
        opened = open_labels(given.labels, image, spacing=spacing, unit=unit, channels=channels)
        scaled = replace(opened, origin=given.origin or opened.origin)
    else:
        found, own = (given.spacing, given.unit) if given.has_scale else (None, None)
        sizes, name = settled_scale(spacing, unit, found=found, found_unit=own, ndim=given.ndim)
        origin = in_unit(given.origin, own, name)
        scaled = replace(given, spacing=sizes or given.spacing, unit=name, origin=origin)
        if image is None:
            return scaled if channels is None else replace(scaled, channels=tuple(channels))
        opened = open_labels(given.labels, image, spacing=scaled.spacing, unit=scaled.unit, channels=channels)
    same = channels is None and len(given.channels) == len(opened.channels)
    return replace(scaled, image=opened.image, channels=given.channels if same else opened.channels)
