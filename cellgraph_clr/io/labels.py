"""Label images (and their intensities) from files, with spacing and unit from the metadata."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import FileFormatError, LabelImageError
from cellgraph_clr._core.files import existing_path
from cellgraph_clr.cells.blocks import BLOCK_BYTES, Squeezed, is_chunked
from cellgraph_clr.cells.label_image import LabelImage, check_spacing
from cellgraph_clr.io.cellpose import read_cellpose
from cellgraph_clr.io.tiff import RawImage, canonical_unit, read_tiff, seconds

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["read_image", "read_labels", "warn_spacing"]


def warn_spacing() -> None:
    """Warn that no spacing is known and 1 pixel is assumed."""
    warnings.warn(
        "No spacing was given and none is in the metadata: 1 pixel is assumed along every axis, and features are in "
        "pixels. Pass `spacing=(z, y, x)` and `unit=` for physical units.",
        UserWarning,
        stacklevel=3,
    )


def _read_numpy(path: Path) -> RawImage:
    try:
        data = np.load(path, allow_pickle=False, mmap_mode="r" if path.stat().st_size > BLOCK_BYTES else None)
    except (EOFError, OSError) as error:
        raise FileFormatError(
            expected(f"a whole array at {str(path)!r}", f"{type(error).__name__}: {error}", "It may be truncated.")
        ) from error
    except ValueError as error:
        if "pickle" not in str(error) and "objects" not in str(error):
            raise FileFormatError(expected(f"a whole array at {str(path)!r}", error, "It may be truncated.")) from error
        data = read_cellpose(path)
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

    try:
        node: Any = zarr.open(str(path), mode="r")
    except (OSError, ValueError, KeyError, zarr.errors.BaseZarrError) as error:
        raise FileFormatError(expected(f"a Zarr array or group at {str(path)!r}", repr(error), "Check it.")) from error
    if isinstance(node, zarr.Array):
        return RawImage(node, "CZYX"[-node.ndim :] if node.ndim == 4 else "ZYX"[-node.ndim :], {}, None)
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
    unit = canonical_unit(units.get("x", "")) if units.get("x") else None
    known = unit is not None or any(s != 1 for s in spacing.values())
    channels = [c.get("label", "") for c in omero.get("channels", [])] if omero else []
    names = channels if channels and all(channels) else None
    step = dict(zip(axes, scale, strict=True)).get("t")
    interval = seconds(step, units["t"]) if step is not None and units.get("t") else None
    return RawImage(array, "".join(axes).upper(), spacing if known else {}, unit, names, origin, interval)


def read_array(path: str | os.PathLike[str], level: int = 0) -> RawImage:
    """Return the pixels of a TIFF, NumPy or (OME-)Zarr file (of one of its resolution levels) with their metadata.

    Raises `MissingFileError` and `FileFormatError`.
    """
    target = existing_path(path)
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


def _squeezed(raw: RawImage, *, keep: str, path: object) -> tuple[Any, str]:
    """Drop axes of length 1 that are not in `keep`, and a z of length 1; refuse longer ones. Chunked arrays stay so."""
    data, axes, fixed = raw.data, raw.axes, []
    for i in reversed(range(len(axes))):
        if axes[i] not in keep:
            if data.shape[i] != 1 and not (axes[i] in "IQ" and "Z" in keep and "Z" not in axes):
                raise LabelImageError(
                    expected(
                        f"axes {', '.join(keep.lower())} at {str(path)!r}",
                        f"axis {axes[i]!r} of length {data.shape[i]} (axes {axes})",
                        "Save one channel, frame or field as a file of its own.",
                    )
                )
            if data.shape[i] == 1:
                fixed.append(i)
            else:  # an axis without a name: pages of a stack are planes
                axes = axes[:i] + "Z" + axes[i + 1 :]
        elif axes[i] == "Z" and data.shape[i] == 1:
            fixed.append(i)
    axes = "".join(a for i, a in enumerate(axes) if i not in fixed)
    if not fixed:
        return data, axes
    return (Squeezed(data, fixed) if is_chunked(data) else data.squeeze(tuple(fixed))), axes


def _channels_first(data: Any, axes: str) -> Any:
    """Return the array with its channels in front; a chunked array is only read when they lie elsewhere."""
    at = axes.find("C")
    return data if at <= 0 else np.moveaxis(np.asarray(data), at, 0)


def read_image(path: str | os.PathLike[str]) -> Any:
    """Return the intensities of a file, channels first; raises as `read_labels`."""
    data, axes = _squeezed(read_array(path), keep="CZYX", path=path)
    return _channels_first(data, axes)


def read_labels(
    path: str | os.PathLike[str],
    image: str | os.PathLike[str] | None = None,
    *,
    spacing: Sequence[float] | None = None,
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
    spacing : pixel size z, y, x (or y, x); overrides the metadata.
    unit : unit of the spacing; overrides the metadata.
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
        If a file cannot be read.
    LabelImageError, NoCellsError, ShapeError, OptionError
        If it is not a label image, holds no cells, or image and labels do not fit.

    Notes
    -----
    Without spacing a UserWarning says that 1 pixel is assumed. TIFF is read into memory as a whole.
    """
    raw = read_array(path, level)
    labels, axes = _squeezed(raw, keep="ZYX", path=path)
    if spacing is None and raw.spacing and all(a.lower() in raw.spacing for a in axes):
        spacing = [raw.spacing[a.lower()] for a in axes]
        unit = unit or raw.unit
    if spacing is None:
        warn_spacing()
    else:
        spacing = check_spacing(spacing, labels.ndim)
    origin = [raw.origin.get(a.lower(), 0.0) for a in axes]
    light = None
    if image is not None:
        raw_image = read_array(image, level if existing_path(image).is_dir() else 0)
        light = _channels_first(*_squeezed(raw_image, keep="CZYX", path=image))
        channels = channels or raw_image.channels
    return LabelImage.build(
        labels, light, spacing=spacing, unit=unit or "pixel", channels=channels, origin=origin if any(origin) else None
    )
