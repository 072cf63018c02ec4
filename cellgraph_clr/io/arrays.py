"""Arrays with their metadata from TIFF, NumPy and (OME-)Zarr files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import FileFormatError, LabelImageError, OptionError
from cellgraph_clr._core.units import in_one_unit
from cellgraph_clr.cells.blocks import BLOCK_BYTES, is_chunked
from cellgraph_clr.cells.lazy_arrays import Squeezed
from cellgraph_clr.io.cellpose import read_cellpose
from cellgraph_clr.io.foreign import Stored, file_to_read, named_errors
from cellgraph_clr.io.npy import npy_shape
from cellgraph_clr.io.tiff import RawImage, open_tiff, read_tiff, seconds
from cellgraph_clr.io.whole_tiff import check_series

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Pixels", "array_shape", "image_of", "ome_attributes", "read_array", "read_pixels"]

ZARR_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs")


def _read_numpy(path: Path) -> RawImage:
    with named_errors(path, "a whole array"):
        shape = npy_shape(path)
        if shape is None:
            data = read_cellpose(path)
        else:
            data = np.load(path, allow_pickle=False, mmap_mode="r" if path.stat().st_size > BLOCK_BYTES else None)
    if not isinstance(data, np.ndarray) or data.ndim == 0:
        raise FileFormatError(
            expected("a single array of 2 or 3 axes (.npy)", "an archive or a number", "Save the labels alone.")
        )
    return RawImage(data, "ZYX"[-data.ndim :] if data.ndim <= 3 else "CZYX", {}, None)


def ome_attributes(group: Any) -> dict[str, Any]:
    """Return the attributes of a Zarr group, those of OME where they have a place of their own (from version 0.5)."""
    attributes = dict(group.attrs)
    return dict(attributes.get("ome", attributes))


def _multiscale(group: Any, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    attributes = ome_attributes(group)
    if "multiscales" not in attributes:
        inner = [f"labels/{n}" for n in group["labels"].group_keys()] if "labels" in group else []
        hint = f"Point at one of its label groups: {listing(inner)}." if inner else "Pass the folder of the image."
        raise FileFormatError(expected(f"OME-Zarr multiscales at {str(path)!r}", "no multiscales metadata", hint))
    return attributes["multiscales"][0], attributes.get("omero", {})


def _read_zarr(path: Path, level: int = 0) -> RawImage:
    import zarr

    for name in ZARR_METADATA:
        if (path / name).exists():
            file_to_read(path / name)
    with named_errors(path, "a Zarr array or OME-Zarr"):
        node: Any = zarr.open(str(path), mode="r")
        if isinstance(node, zarr.Array):
            axes = "CZYX"[-node.ndim :] if node.ndim == 4 else "ZYX"[-node.ndim :]
            return RawImage(Stored(node, path), axes, {}, None)
        return _of_group(node, path, level)


def _of_group(node: Any, path: Path, level: int) -> RawImage:
    """Return the array of a resolution level of an OME-Zarr with its metadata."""
    scales, omero = _multiscale(node, path)
    datasets = scales["datasets"]
    if level >= len(datasets) or datasets[level]["path"] not in node:
        raise FileFormatError(expected(f"resolution level {level}", f"{len(datasets)} in the metadata", "Restore it."))
    array = node[datasets[level]["path"]]
    axes = [a["name"] if isinstance(a, dict) else str(a) for a in scales.get("axes", list("tczyx")[-array.ndim :])]
    units = {a["name"]: a.get("unit", "") for a in scales.get("axes", []) if isinstance(a, dict)}
    scale, shift = np.ones(array.ndim), np.zeros(array.ndim)
    for transform in [
        *datasets[level].get("coordinateTransformations", []),
        *scales.get("coordinateTransformations", []),
    ]:
        if transform.get("type") == "scale":
            factor = np.asarray(transform["scale"], float)
            scale, shift = scale * factor, shift * factor
        elif transform.get("type") == "translation":
            shift = shift + np.asarray(transform["translation"], float)
    spacing = {a: float(s) for a, s in zip(axes, scale, strict=True) if a in "zyx"}
    origin = {a: float(s) for a, s in zip(axes, shift, strict=True) if a in "zyx"}
    named = {a: units[a] for a in spacing if units.get(a)}
    unit = None
    if named:
        try:
            spacing, unit = in_one_unit(spacing, named)
            origin, _ = in_one_unit(origin, named)
        except OptionError as error:
            raise FileFormatError(f"{path.name!r}: {error}") from error
    known = unit is not None or any(s != 1 for s in spacing.values())
    channels = [c.get("label", "") for c in omero.get("channels", [])] if omero else []
    names = channels if channels and all(channels) else None
    step = dict(zip(axes, scale, strict=True)).get("t")
    interval = seconds(step, units["t"]) if step is not None and units.get("t") else None
    return RawImage(Stored(array, path), "".join(axes).upper(), spacing if known else {}, unit, names, origin, interval)


def read_array(path: str | os.PathLike[str], level: int = 0) -> RawImage:
    """Return the pixels of a TIFF, NumPy or (OME-)Zarr file (of one of its resolution levels) with their metadata.

    Raises `MissingFileError` and `FileFormatError`.
    """
    target = file_to_read(path)
    suffixes = [s.lower() for s in target.suffixes]
    if target.is_dir() or ".zarr" in suffixes:
        return _read_zarr(target, level)
    if suffixes and suffixes[-1] in (".tif", ".tiff"):
        return read_tiff(target)
    if suffixes and suffixes[-1] == ".npy":
        return _read_numpy(target)
    raise FileFormatError(
        expected("a .tif, .tiff, .npy or .zarr path", f"{target.name!r}", "Convert it to one of these first.")
    )


def array_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of the array of a TIFF or NumPy file from its headers alone, where it has some."""
    if path.suffix.lower() == ".npy":
        with named_errors(path, "a whole array"):
            shape = npy_shape(path)
        return read_cellpose(path).shape if shape is None else shape
    with open_tiff(path) as file:
        return tuple(check_series(file, 0).shape)


def _squeezed(raw: RawImage, *, keep: str, path: object) -> tuple[Any, str]:
    """Drop axes of length 1 that are not in `keep`, and a z of length 1; refuse longer ones. Chunked arrays stay so."""
    data, axes, fixed = raw.data, raw.axes, []
    if len(axes) != data.ndim:
        found = f"{len(axes)} ({axes}) for shape {data.shape}"
        raise FileFormatError(
            expected(f"a name for each axis at {str(path)!r}", found, "Save it again, with its axes.")
        )
    for i in reversed(range(len(axes))):
        if axes[i] not in keep:
            meant = next((a for a in "ZC" if a in keep and a not in axes), None) if axes[i] in "IQ" else None
            if data.shape[i] != 1 and meant is None:
                raise LabelImageError(
                    expected(
                        f"axes {', '.join(keep.lower())} at {str(path)!r}",
                        f"axis {axes[i]!r} of length {data.shape[i]} (axes {axes})",
                        "Save one channel, frame or field as a file of its own.",
                    )
                )
            if data.shape[i] == 1:
                fixed.append(i)
            else:  # an axis without a name: pages of a stack are planes, stacks are channels
                axes = f"{axes[:i]}{meant}{axes[i + 1 :]}"
        elif axes[i] == "Z" and data.shape[i] == 1:
            fixed.append(i)
    axes = "".join(a for i, a in enumerate(axes) if i not in fixed)
    if not fixed:
        return data, axes
    return (Squeezed(data, fixed) if is_chunked(data) else data.squeeze(tuple(fixed))), axes


def _in_order(data: Any, axes: str) -> Any:
    """Return the array with its axes in the order c, z, y, x; a chunked array is only read when they lie otherwise."""
    order = [axes.index(a) for a in "CZYX" if a in axes]
    return data if order == sorted(order) else np.transpose(np.asarray(data), order)


class Pixels(NamedTuple):
    """What a file says of an image: pixels ([c,] [z,] y, x), names of channels, and its scale by axis where it has one."""

    data: Any
    channels: list[str] | None = None
    spacing: Mapping[str, float] = MappingProxyType({})
    unit: str | None = None
    origin: Mapping[str, float] = MappingProxyType({})

    def scale(self, ndim: int) -> tuple[float, ...] | None:
        """Return the spacing along the last `ndim` of z, y, x; None unless all are known."""
        axes = "zyx"[-ndim:]
        return tuple(self.spacing[a] for a in axes) if all(a in self.spacing for a in axes) else None

    def start(self, ndim: int) -> tuple[float, ...] | None:
        """Return the place of the first pixel along the last `ndim` of z, y, x; None where it is 0."""
        at = tuple(self.origin.get(a, 0.0) for a in "zyx"[-ndim:])
        return at if any(at) else None


def image_of(given: Any) -> Any:
    """Return an image to draw: pixels for the path of a file, in mappings too; anything else that has pixels as it is.

    Raises as `read_pixels`, and `OptionError` for what is neither, or has pixels that are no numbers.
    """
    if isinstance(given, (list, tuple)) or hasattr(given, "columns"):
        return image_of(np.asarray(given))
    if 0 in getattr(given, "shape", ()):
        raise OptionError(expected("`image` with pixels", f"shape {given.shape}", "Pass the image of these cells."))
    if (dtype := getattr(given, "dtype", None)) is not None and np.dtype(dtype).kind not in "biuf":
        raise OptionError(expected("`image` with pixels of numbers", f"{dtype}", "Convert it by astype(float)."))
    if isinstance(given, (str, os.PathLike)):
        return read_pixels(given, channels_axis=True).data
    if isinstance(given, Mapping):
        return {name: image_of(one) for name, one in given.items()}
    if given is None or any(hasattr(given, name) for name in ("__array__", "__len__", "image")):
        return given
    remedy = "Pass its pixels, or the path of a .tif, .tiff, .npy or .zarr."
    raise OptionError(expected("`image` as an array or a path", type(given).__name__, remedy))


def read_pixels(path: str | os.PathLike[str], *, channels_axis: bool, level: int = 0) -> Pixels:
    """Return an image with what the file says of it; `channels_axis` False refuses more than one channel.

    Raises `MissingFileError`, `FileFormatError`, and `LabelImageError` for axes that are not wanted.
    """
    raw = read_array(path, level)
    data, axes = _squeezed(raw, keep="CZYX" if channels_axis else "ZYX", path=path)
    return Pixels(_in_order(data, axes), raw.channels, raw.spacing, raw.unit, raw.origin)
