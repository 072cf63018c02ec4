"""Label images from whatever a person holds: a path, an array, a `LabelImage`, a movie, a plate, one image a sample."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import LabelImageError, MissingKeyError, OptionError
from cellgraph_clr._core.files import existing_path
from cellgraph_clr._core.units import PIXEL, canonical_unit, unit_factor
from cellgraph_clr.cells.blocks import array_like
from cellgraph_clr.cells.label_image import LabelImage, check_spacing
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.graphs.images_of_cells import SAME, images_of, only_image, scaled_like
from cellgraph_clr.io.arrays import Pixels, read_pixels

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from cellgraph_clr.cells.scan import LabelStatistics
    from cellgraph_clr.graphs.samples import Group

__all__ = [
    "Labels",
    "image_of_cells",
    "label_image",
    "labels_of_cells",
    "labels_of_images",
    "open_labels",
    "read_labels",
    "settled_scale",
    "warn_of_pieces",
]

Labels: TypeAlias = (
    Any  # LabelImage | array (NumPy, Zarr, HDF5, dask, xarray) | path | mapping sample -> these | Movie | Plate
)


def warn_spacing(stacklevel: int) -> None:
    """Warn that no spacing is known and 1 pixel is assumed."""
    warnings.warn(
        "No spacing was given and none is in the metadata: 1 pixel is assumed along every axis, and features are in "
        "pixels. Pass `spacing=(z, y, x)` and `unit=` for physical units.",
        UserWarning,
        stacklevel=stacklevel,
    )


def settled_scale(
    spacing: float | Sequence[float] | None,
    unit: str | None,
    *,
    found: Sequence[float] | None,
    found_unit: str | None,
    ndim: int,
) -> tuple[tuple[float, ...] | None, str, float]:
    """Return spacing (None: not known), its unit, and what lengths of the file are multiplied by to be in it.

    Parameters
    ----------
    spacing, unit : what was asked for. A spacing is in `unit`, else in the unit of the file. A unit alone converts.
    found, found_unit : what the file says.
    ndim : axes.

    Raises
    ------
    OptionError
        For a wrong spacing, a unit that the file's does not convert to, or a unit without any spacing.
    """
    if spacing is not None:
        return check_spacing(spacing, ndim), unit or found_unit or PIXEL, 1.0
    if found is not None:
        factor = 1.0 if unit is None or found_unit is None else unit_factor(found_unit, unit)
        return check_spacing([s * factor for s in found], ndim), unit or found_unit or PIXEL, factor
    if unit is not None and canonical_unit(unit) != PIXEL:
        remedy = f"Pass the size of a pixel as well: `spacing=…, unit={unit!r}`."
        raise OptionError(expected(f"`spacing` beside `unit={unit!r}`", "none, and none in the metadata", remedy))
    return None, PIXEL, 1.0


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
    path : .tif / .tiff (OME, ImageJ or plain), .npy (also a Cellpose `_seg.npy`), or a Zarr array or OME-Zarr (0.4, 0.5)
        image or label group.
    image : intensities in one of the same formats, on the same pixel grid, channels in any axis order.
    spacing : pixel size z, y, x (or y, x), or one number for all axes; overrides the metadata. In `unit`, else in the
        unit of the metadata.
    unit : unit of the spacing; without `spacing` that of the metadata is converted to it.
    channels : names of the image's channels; default those of the file.
    level : resolution level of an OME-Zarr, 0 is the finest; scale and translation are those of the level.

    Returns
    -------
    `LabelImage`; Zarr stays on disk and is read in blocks when something is measured, a large .npy is memory-mapped.

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
    """
    out = open_labels(path, image, spacing=spacing, unit=unit, channels=channels, level=level)
    if spacing is None and not out.has_scale:
        warn_spacing(3)
    return out


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
    of_image = None if image is None else _opened(image, channels_axis=True, level=level)
    d = of_labels.data.ndim
    known = of_labels if of_image is None or of_labels.scale(d) is not None else of_image
    if of_image is not None and spacing is None:
        _warn_difference(of_labels, of_image, d)
    sizes, name, factor = settled_scale(spacing, unit, found=known.scale(d), found_unit=known.unit, ndim=d)
    origin = of_labels.start(d) or (None if of_image is None else of_image.start(d))
    return LabelImage.build(
        of_labels.data,
        None if of_image is None else of_image.data,
        spacing=sizes,
        unit=name,
        channels=channels or (None if of_image is None else of_image.channels),
        origin=None if origin is None else [o * factor for o in origin],
    )


def _opened(source: Any, *, channels_axis: bool, level: int) -> Pixels:
    if isinstance(source, (str, os.PathLike)):
        at = level if existing_path(source).is_dir() else 0
        return read_pixels(source, channels_axis=channels_axis, level=at)
    named = channels_axis and hasattr(source, "dims") and "c" in getattr(source, "coords", ())
    names = [str(c) for c in np.asarray(source.coords["c"])] if named else None
    try:
        array = array_like(source)
    except (TypeError, ValueError):
        array = np.array(None)
    if array.dtype == object:
        found, remedy = type(source).__name__, "Pass an array, a `cgc.LabelImage`, or the path of a file."
        if isinstance(source, (Movie, Plate)):
            remedy = f"Measure it by `cgc.from_{found.lower()}`, or choose one image of it."
        raise LabelImageError(expected("labels or an image", found, remedy))
    return Pixels(array, names)


def _warn_difference(labels: Pixels, image: Pixels, ndim: int) -> None:
    """Warn where labels and image have spacings that differ."""
    one, other = labels.scale(ndim), image.scale(ndim)
    if one is None or other is None:
        return
    both_named = labels.unit is not None and image.unit is not None
    factor = unit_factor(str(image.unit), str(labels.unit)) if both_named else 1.0
    if not np.allclose(one, [s * factor for s in other], rtol=SAME, atol=0):
        texts = [
            f"{' x '.join(f'{v:g}' for v in s)} {u or ''}".strip() for s, u in ((one, labels.unit), (other, image.unit))
        ]
        warnings.warn(
            f"The labels have a spacing of {texts[0]}, the image one of {texts[1]}: that of the labels is used. Pass "
            "`spacing=` and `unit=` to say which is right.",
            UserWarning,
            stacklevel=4,
        )


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
        warnings.warn(
            f"{int(scattered.sum())} of {len(scattered)} labels are scattered in pieces (typically "
            f"{int(np.median(pieces.n_fragments))}): this looks like an intensity image, a binary mask or a class map, not "
            "like one label per cell. Pass the segmentation; a mask is labelled by `skimage.measure.label(mask)`.",
            UserWarning,
            stacklevel=3,
        )


def label_image(
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
        warn_spacing(4)
    return out


def _changed(
    given: LabelImage,
    image: Any,
    *,
    spacing: float | Sequence[float] | None,
    unit: str | None,
    channels: Sequence[str] | None,
) -> LabelImage:
    found = given.spacing if given.has_scale else None
    own = given.unit if given.has_scale else None
    sizes, name, factor = settled_scale(spacing, unit, found=found, found_unit=own, ndim=given.ndim)
    scaled = replace(given, spacing=sizes or given.spacing, unit=name, origin=tuple(o * factor for o in given.origin))
    if image is None:
        return scaled if channels is None else replace(scaled, channels=tuple(channels))
    pixels = open_labels(given.labels, image, spacing=scaled.spacing, unit=scaled.unit, channels=channels)
    names = given.channels if channels is None and len(given.channels) == len(pixels.channels) else pixels.channels
    return replace(scaled, image=pixels.image, channels=names)


def image_of_cells(adata: AnnData, group: Group, labels: Labels, image: Any = None) -> LabelImage:
    """Return the labels of one image of `adata` on the scale of its cells (see `scaled_like`)."""
    return scaled_like(adata, group, label_image(labels, image, warn=False))


def labels_of_cells(
    adata: AnnData, labels: Labels, image: Any = None, *, library_id: object = None
) -> tuple[Group, LabelImage]:
    """Return one image of `adata` and its labels on the scale of the cells.

    Parameters
    ----------
    adata : the cells.
    labels, image : as in `label_image`; or a mapping, `Movie` or `Plate` as in `labels_of_images`.
    library_id : the sample (or frame) that the labels are of; needed where there are several.

    Raises
    ------
    OptionError, MissingKeyError
        If `library_id` does not name one of several images, and as `labels_of_images`.
    """
    group = only_image(adata, library_id)
    found = labels_of_images(adata, labels, [group])(group)
    if image is not None:
        found = label_image(found, image, warn=False)
    return group, found


def labels_of_images(adata: AnnData, labels: Labels, images: Sequence[Group]) -> Callable[[Group], LabelImage]:
    """Return a function that gives the label image of each of `images`, on the scale of its cells, read when asked for.

    Parameters
    ----------
    adata : the cells.
    labels : for one image, what `label_image` takes; for several, a mapping from samples (names, or numbers of frames) to
        these, the `Movie` or `Plate` they were measured in, or an array of all frames (t, [z,] y, x).
    images : of `images_of` or `groups`.

    Raises
    ------
    MissingKeyError
        For an image without labels, or several images and one array.
    """
    if isinstance(labels, Movie):
        return lambda group: scaled_like(adata, group, labels.label_image(group.frame))
    if isinstance(labels, Plate):
        check_key("line", list(adata.obs.columns), where="adata.obs", remedy="Make it by `cgc.from_plate(plate)`.")
        line = adata.obs["line"].to_numpy()
        return lambda group: scaled_like(adata, group, labels.label_image(int(line[group.rows[0]])))
    if isinstance(labels, Mapping):
        by_name = {str(k): v for k, v in labels.items()}
        if len(images) == len(by_name) == len(images_of(adata)) == 1:
            only = next(iter(by_name.values()))
            return lambda group: image_of_cells(adata, group, only)
        return lambda group: image_of_cells(adata, group, _of_group(by_name, group))
    several = len(images) > 1
    if several or (len(images_of(adata)) > 1 and _n_axes(labels) == _n_dims(adata) + 1):
        stack = array_like(labels) if not isinstance(labels, (str, os.PathLike, LabelImage)) else None
        frames = {g.frame for g in images}
        if stack is None or stack.ndim != _n_dims(adata) + 1 or len(frames) < len(images) or max(frames) >= len(stack):
            remedy = "Pass {sample: labels, …}, or the movie or plate they were measured in."
            found = f"one image for {listing([g.name for g in images], limit=3)}"
            raise MissingKeyError(expected(f"a mapping sample → labels for {len(images)} samples", found, remedy))
        return lambda group: image_of_cells(adata, group, stack[group.frame])
    return lambda group: image_of_cells(adata, group, labels)


def _n_dims(adata: AnnData) -> int:
    return int(adata.obsm["spatial"].shape[1]) if "spatial" in adata.obsm else 0


def _n_axes(labels: Labels) -> int:
    return int(getattr(labels, "ndim", 0)) if not isinstance(labels, LabelImage) else 0


def _of_group(labels: Mapping[str, Any], group: Group) -> Any:
    for name in group.keys:
        if name in labels:
            found = labels[name]
            return found[group.frame] if name == group.sample != group.name and isinstance(found, np.ndarray) else found
    check_key(group.name, list(labels), where="labels", remedy="Give one label image per sample.")
    raise AssertionError  # check_key raises
