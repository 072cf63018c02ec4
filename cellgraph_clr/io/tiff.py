"""Pixels, axes, spacing and unit of a TIFF: OME, ImageJ, and the JSON header of tifffile."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from cellgraph_clr._core.errors import FileFormatError, OptionError
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.units import canonical_unit, in_one_unit
from cellgraph_clr.io.foreign import named_errors
from cellgraph_clr.io.whole_tiff import check_chain, check_names, check_series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from tifffile import TiffFile

__all__ = ["RawImage", "ome_metadata", "open_tiff", "read_tiff", "seconds", "series_pixels"]

SECONDS = {"microsecond": 1e-6, "millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
SHORT = {
    "µs": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "sec": "second",
    "min": "minute",
    "h": "hour",
    "d": "day",
}
JSON_SPACING_KEYS = ("spacing", "voxel_size", "voxel_um_zyx")


class RawImage:
    """Pixels with the names of their axes and, where the file tells, spacing and origin per spatial axis and the unit.

    `frame_interval` is in seconds, None where the file does not tell.
    """

    def __init__(
        self,
        data: Any,
        axes: str,
        spacing: dict[str, float],
        unit: str | None,
        channels: list[str] | None = None,
        origin: dict[str, float] | None = None,
        frame_interval: float | None = None,
    ) -> None:
        self.origin = origin or {}
        self.data = data
        self.axes = axes
        self.spacing = spacing
        self.unit = unit
        self.channels = channels
        self.frame_interval = frame_interval


def seconds(value: float | str | None, unit: str | None) -> float | None:
    """Return a time in seconds; None for no time, one that is not above 0, or an unknown unit."""
    name = (unit or "second").strip().lower()
    factor = SECONDS.get(SHORT.get(name, name))
    if value is None or factor is None or not float(value) > 0:
        return None
    return float(value) * factor


def _ome_interval(text: str) -> float | None:
    pixels = next((e for e in ET.fromstring(text).iter() if e.tag.endswith("Pixels")), None)
    return None if pixels is None else seconds(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))


def ome_metadata(text: str) -> tuple[dict[str, float], str | None, list[str] | None]:
    """Return spacing by axis in one unit, the unit, and names of channels of the first image in an OME-XML.

    Raises `OptionError` for axes in units that do not convert into one another.
    """
    root = ET.fromstring(text)
    pixels = next((e for e in root.iter() if e.tag.endswith("Pixels")), None)
    if pixels is None:
        return {}, None, None
    given = {a.lower(): pixels.get(f"PhysicalSize{a}") for a in "ZYX"}
    sizes = {a: float(s) for a, s in given.items() if s is not None}
    units = {a: pixels.get(f"PhysicalSize{a.upper()}Unit", "µm") for a in sizes}
    spacing, unit = in_one_unit(sizes, units) if sizes else ({}, None)
    names = [e.get("Name") for e in pixels if e.tag.endswith("Channel")]
    channels = [n for n in names if n] if names and all(names) else None
    return spacing, unit, channels


def _imagej_metadata(page_tags: object, metadata: dict) -> tuple[dict[str, float], str | None]:
    spacing: dict[str, float] = {}
    for axis, name in (("x", "XResolution"), ("y", "YResolution")):
        tag = page_tags.get(name)  # type: ignore[attr-defined]
        if tag is not None and tag.value[0] > 0:
            spacing[axis] = tag.value[1] / tag.value[0]
    if metadata.get("spacing"):
        spacing["z"] = float(metadata["spacing"])
    unit = canonical_unit(str(metadata.get("unit", "")))
    return (spacing, unit) if unit != "pixel" else ({}, None)


def _json_metadata(description: str, axes: str) -> tuple[dict[str, float], str | None]:
    try:
        header = json.loads(description)
    except ValueError:
        return {}, None
    if not isinstance(header, dict):
        return {}, None
    for key in JSON_SPACING_KEYS:
        values = header.get(key)
        if isinstance(values, (list, tuple)):
            spatial = [a.lower() for a in axes if a in "ZYX"][-len(values) :]
            unit = "micrometer" if "_um_" in key else canonical_unit(str(header.get("unit", "")))
            return dict(zip(spatial, map(float, values), strict=False)), unit
    return {}, None


@contextmanager
def open_tiff(path: Path) -> Iterator[TiffFile]:
    """Open a TIFF whose chain of pages is whole; what goes wrong while it is read becomes a `FileFormatError`."""
    import tifffile

    with named_errors(path, "a readable TIFF"), tifffile.TiffFile(path) as file:
        check_chain(file)
        check_names(file)
        yield file


def series_pixels(file: TiffFile, i: int = 0) -> np.ndarray:
    """Return the pixels of image `i` of a TIFF. Raises `FileFormatError` that names the plane that cannot be read."""
    series = check_series(file, i)
    try:
        out: np.ndarray = series.asarray()
    except Exception:
        for k, page in enumerate(p for p in series if p is not None):
            with named_errors(file.filehandle.path, "a readable TIFF", place=f"plane {k + 1} of {len(series)}"):
                page.asarray()
        raise
    return out


def _warn_of_more(file: TiffFile, path: Path) -> None:
    """Warn of further images like the first. Raises `FileFormatError` unless these are whole: a stack may be meant."""
    alike = [i for i, s in enumerate(file.series) if s.shape == file.series[0].shape]
    n = len(alike)
    for i in alike[1:]:
        check_series(file, i)
    if n > 1:
        warn(
            f"{path.name!r} holds {n} images of shape {file.series[0].shape}: the first is read. Planes of one stack, or "
            "frames of one movie, are to be written as one image."
        )


def read_tiff(path: Path) -> RawImage:
    """Return the first image of a TIFF; a UserWarning tells of more of its shape.

    Raises `FileFormatError` when it cannot be read (truncated, not a TIFF).
    """
    with open_tiff(path) as file:
        _warn_of_more(file, path)
        data = series_pixels(file)
        axes = "".join("C" if a == "S" else a for a in file.series[0].axes)
        channels = interval = None
        if file.is_ome and file.ome_metadata:
            try:
                spacing, unit, channels = ome_metadata(file.ome_metadata)
            except OptionError as error:
                raise FileFormatError(f"{path.name!r}: {error}") from error
            interval = _ome_interval(file.ome_metadata)
        elif file.is_imagej:
            metadata = file.imagej_metadata or {}
            spacing, unit = _imagej_metadata(file.pages.first.tags, metadata)
            interval = seconds(metadata.get("finterval"), metadata.get("tunit"))
        else:
            spacing, unit = _json_metadata(file.pages.first.description or "", axes)
    return RawImage(data, axes, spacing, unit, channels, frame_interval=interval)
