"""`LabelImage`: labels with spacing, unit and intensities, checked once at the door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelImageError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.units import PIXEL, canonical_unit
from cellgraph_clr.cells.blocks import is_chunked, is_dask, named_channels
from cellgraph_clr.cells.given import given_image, given_labels
from cellgraph_clr.cells.lazy_arrays import OneChannel

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LabelImage", "check_axes", "check_grid", "check_origin", "check_spacing", "check_unit_alone"]

FINEST, COARSEST = 1e-12, 1e12  # whose cubes float32 holds
MOST_UNLIKE = 1e5


def check_spacing(spacing: float | Sequence[float], ndim: int) -> tuple[float, ...]:
    """Return `spacing` as floats, one per axis; a single number holds for all axes.

    Raises `OptionError` for a wrong number of values, what is no number, values that are not above 0 and finite, or so large,
    small or unlike that areas and volumes in float32, or lags along the finest axis, have no sense.
    """
    axes = "z, y, x" if ndim == 3 else "y, x"
    given = np.asarray(spacing, dtype=object)
    plain = given.ndim < 2 and all(isinstance(s, (int, float, np.integer, np.floating)) for s in given.ravel())
    if not plain or any(isinstance(s, bool) for s in given.ravel()):
        raise OptionError(
            expected(f"`spacing` as one number, or one per axis ({axes})", repr(spacing), "Pass numbers.")
        )
    values = tuple(float(s) for s in given.ravel()) * (ndim if given.ndim == 0 else 1)
    if len(values) != ndim:
        raise OptionError(expected(f"`spacing` of {ndim} values ({axes})", f"{len(values)} values", "One per axis."))
    if not all(np.isfinite(v) and v > 0 for v in values):
        raise OptionError(expected("`spacing` above 0 on every axis", values, "Check the metadata of the image."))
    if min(values) < FINEST or max(values) > COARSEST or max(values) > MOST_UNLIKE * min(values):
        what = f"`spacing` between {FINEST:g} and {COARSEST:g}, the coarsest up to {MOST_UNLIKE:g} times the finest"
        raise OptionError(expected(what, values, "Check the metadata of the image, or choose another unit."))
    return values


def check_axes(labels: Any) -> None:
    """Raise `LabelImageError` unless labels have two or three axes."""
    if labels.ndim not in (2, 3):
        found, remedy = f"shape {labels.shape}", "Select one frame or field."
        raise LabelImageError(expected("labels of 2 (y, x) or 3 (z, y, x) axes", found, remedy))


def check_origin(origin: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """Return an origin as floats, one per axis, empty for None. Raises `OptionError` for anything else than finite numbers."""
    given = np.asarray(() if origin is None else origin, dtype=object)
    numbers = [
        v for v in given.ravel() if isinstance(v, (int, float, np.integer, np.floating)) and -1e300 < float(v) < 1e300
    ]
    if given.ndim != 1 or len(numbers) != len(given) or len(given) not in (0, ndim):
        raise OptionError(expected(f"`origin` of {ndim} finite values", repr(origin), "One per axis."))
    return tuple(map(float, numbers))


def check_grid(image: tuple[int, ...], labels: tuple[int, ...], *, bare: bool) -> None:
    """Raise `ShapeError` unless an image of this shape has channels in front of the grid of labels, or with `bare` none."""
    if not (bare and image == labels) and (image[1:] != labels or image[0] == 0):
        wanted = f"an image of shape (channels, {', '.join(map(str, labels))})"
        raise ShapeError(expected(wanted, image, "Image and labels need one pixel grid; channels come first."))


def check_unit_alone(unit: str) -> None:
    """Raise `OptionError` for a unit of length where no spacing is known."""
    if canonical_unit(unit) != PIXEL:
        remedy = f"Pass the size of a pixel as well: `spacing=…, unit={unit!r}`."
        raise OptionError(expected(f"`spacing` beside `unit={unit!r}`", "none", remedy))


@dataclass(frozen=True, slots=True, eq=False)
class LabelImage:
    """A label image with its spacing and, when there is one, its intensity image.

    Parameters
    ----------
    labels : object
        (y, x) or (z, y, x) integers, 0 is background, ids up to 2**63 - 1; NumPy, memory map, Zarr, HDF5, dask or
        xarray.
    spacing : tuple of float
        Size of a pixel or voxel along each axis, in `unit`; one number where all axes are alike.
    unit : str, default PIXEL
        "micrometer", "nanometer", "pixel", …; "um", "µm" and "nm" are understood.
    image : object, default None
        (c, [z,] y, x) intensities of any real dtype, or None.
    channels : tuple of str, default ()
        One name per channel.
    origin : tuple of float, default ()
        Physical position z, y, x of the centre of the first pixel, 0 when empty.

    Raises
    ------
    LabelImageError
        If the labels are not 2D or 3D integers, or the image holds no real numbers. (Values are checked by the scan, which
        reads them.)
    NoCellsError
        If the image is empty.
    OptionError
        For a wrong spacing.
    ShapeError
        If image and labels, or channels and names, do not fit.
    NonFiniteError
        For masked pixels of the image. Those of the labels become background, with a UserWarning.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> cgc.LabelImage.build(np.array([[0, 1], [2, 2]]), spacing=0.5, unit="micrometer")
    <LabelImage 2 x 2 int64, 0.5 x 0.5 micrometer>
    """

    labels: Any
    spacing: tuple[float, ...]
    unit: str = PIXEL
    image: Any = None
    channels: tuple[str, ...] = ()
    origin: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check labels, spacing and intensities against one another."""
        labels = given_labels(self.labels)
        object.__setattr__(self, "labels", labels)
        if self.image is not None:
            object.__setattr__(self, "image", given_image(self.image))
        check_axes(labels)
        if 0 in labels.shape:
            raise NoCellsError(
                expected("at least one labelled cell", f"an empty image {labels.shape}", "Check the file.")
            )
        object.__setattr__(self, "spacing", check_spacing(self.spacing, labels.ndim))
        object.__setattr__(self, "unit", canonical_unit(self.unit))
        object.__setattr__(self, "origin", check_origin(self.origin, labels.ndim))
        if self.image is None:
            return
        check_grid(tuple(self.image.shape), tuple(labels.shape), bare=False)
        if len(self.channels) != self.image.shape[0]:
            raise ShapeError(
                expected(f"{self.image.shape[0]} channel names", len(self.channels), "Name every channel.")
            )

    @classmethod
    @checked
    def build(
        cls,
        labels: Any,
        image: Any = None,
        *,
        spacing: float | Sequence[float] | None = None,
        unit: str = PIXEL,
        channels: Sequence[str] | None = None,
        origin: Sequence[float] | None = None,
    ) -> LabelImage:
        """Return a checked `LabelImage`; a single-channel image may come without its channel axis.

        Arrays in chunks (Zarr, HDF5, dask) stay as they are and are read when something is measured. Channels of an xarray
        are named as its coordinate "c" says.

        Parameters
        ----------
        labels : object
            Integers ([z,] y, x), 0 is background.
        image : object, default None
            Intensities (c, [z,] y, x) or ([z,] y, x) on the same grid.
        spacing : float or sequence of float or None, default None
            Pixel size z, y, x, or one number for all axes.
        unit : str, default PIXEL
            Unit of the spacing.
        channels : sequence of str or None, default None
            Names of the channels of the image.
        origin : sequence of float or None, default None
            Position of the center of pixel 0, z, y, x, in the unit.

        Returns
        -------
        LabelImage
            The checked label image.

        Raises
        ------
        LabelImageError, NoCellsError, OptionError, ShapeError, NonFiniteError
            As `LabelImage`.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> cgc.LabelImage.build(np.array([[0, 1], [2, 2]]), spacing=0.5, unit="micrometer")
        <LabelImage 2 x 2 int64, 0.5 x 0.5 micrometer>
        """
        labels = given_labels(labels)
        check_axes(labels)
        if image is not None:
            channels = named_channels(image) if channels is None else channels
            image = given_image(image)
            if image.ndim == labels.ndim:
                image = OneChannel(image) if is_chunked(image) and not is_dask(image) else image[None]
            check_grid(tuple(image.shape), tuple(labels.shape), bare=True)
            if channels is None:
                channels = ["intensity"] if image.shape[0] == 1 else [f"channel_{i}" for i in range(image.shape[0])]
        if spacing is None:
            check_unit_alone(unit)
            spacing = (1.0,) * labels.ndim
        return cls(
            labels,
            check_spacing(spacing, labels.ndim),
            unit,
            image,
            () if channels is None else tuple(channels),
            check_origin(origin, labels.ndim),
        )

    def __repr__(self) -> str:
        """Return one sentence."""
        shape, spacing = (" x ".join(f"{v:g}" for v in values) for values in (self.labels.shape, self.spacing))
        channels = f", channels {', '.join(self.channels)}" if self.channels else ""
        return f"<LabelImage {shape} {self.labels.dtype}, {spacing} {self.unit}{channels}>"

    @property
    def has_scale(self) -> bool:
        """Whether a size of pixels is known: False where it is one "pixel" along every axis.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> labels = np.array([[0, 1], [2, 2]])
        >>> cgc.LabelImage.build(labels).has_scale, cgc.LabelImage.build(labels, spacing=0.5, unit="micrometer").has_scale
        (False, True)
        """
        return self.unit != PIXEL or any(s != 1 for s in self.spacing)

    @property
    def ndim(self) -> int:
        """2 or 3.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> cgc.LabelImage.build(np.ones((4, 8, 8), int), spacing=(2, 0.5, 0.5), unit="micrometer").ndim
        3
        """
        return self.labels.ndim
