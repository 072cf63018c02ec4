"""Plates in one file: OME-Zarr of a plate, and OME-TIFF whose metadata hold one."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr.io.arrays import ome_attributes, read_array
from cellgraph_clr.io.foreign import named_errors
from cellgraph_clr.io.tiff import ome_metadata, open_tiff, series_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

__all__ = ["Lazy", "read_field", "read_ome_plate"]

CHANNEL_AXES = "CSQI"  # channels, samples of a colour, and pages without a name
LETTERS = 26


class Lazy:
    """A sequence whose items are made when asked for, each by the call that stands for it."""

    def __init__(self, calls: Sequence[Callable[[], np.ndarray]]) -> None:
        self._calls = calls

    def __len__(self) -> int:
        return len(self._calls)

    def __getitem__(self, i: int) -> np.ndarray:
        return self._calls[i]()


def _plane(pixels: np.ndarray, axes: str, where: object) -> np.ndarray:
    """Return the image (c, y, x) of an array with named axes.

    Raises `FileFormatError` for several planes or frames.
    """
    names = axes.upper()
    at = next((names.index(a) for a in CHANNEL_AXES if a in names), None)
    long = [a for i, a in enumerate(names) if a not in "YX" and i != at and pixels.shape[i] > 1]
    if long:
        found = f"axes {names} of shape {pixels.shape} in {str(where)!r}"
        raise FileFormatError(expected("one plane and one frame a field", found, "Project or split it first."))
    first = pixels if at is None else np.moveaxis(pixels, at, 0)
    return first.reshape(1 if at is None else len(first), *(pixels.shape[names.index(a)] for a in "YX"))


def read_ome_plate(path: Path, labels: str | None) -> tuple[pd.DataFrame, Any, Any, list[str] | None]:
    """Return the table of fields, their images and masks, read when asked for, and the names of channels.

    Parameters
    ----------
    path : root of an OME-Zarr plate, or an OME-TIFF (the first file of a set of several).
    labels : name of the label images of every field (OME-Zarr); None reads none.

    Raises
    ------
    FileFormatError
        If there is no plate in it, it has no fields, or labels are asked for of a TIFF.
    MissingKeyError
        If the first field has no such labels.
    """
    import pandas as pd

    if path.is_dir():
        rows, files = _zarr_fields(path)
        masks = None
        if labels is not None:
            known = sorted(p.name for p in (files[0] / "labels").glob("*") if p.is_dir())
            check_key(labels, known, where="the labels of the first field")
            masks = Lazy([partial(_mask, path, f / "labels" / labels) for f in files])
        images = Lazy([partial(_field_below, path, f) for f in files])
        return pd.DataFrame(rows), images, masks, read_array(files[0]).channels
    if labels is not None:
        raise FileFormatError(expected("an OME-Zarr plate, for `labels`", f"{path.name!r}", "Leave `labels` out."))
    rows, places, names = _tiff_fields(path)
    return pd.DataFrame(rows), Lazy([partial(_series, path, i) for i in places]), None, names


def read_field(file: Path) -> np.ndarray:
    """Return the image (c, y, x) of a file. Raises `FileFormatError` for several planes or frames, and as `read_array`."""
    raw = read_array(file)
    return _plane(np.asarray(raw.data), raw.axes, file)


def _mask(root: Path, folder: Path) -> np.ndarray:
    out: np.ndarray = _field_below(root, folder)[0]
    return out


def _field_below(root: Path, folder: Path) -> np.ndarray:
    """Return the image of a field; refuses folders, and levels in them, that are links out of the plate."""
    for inner in (folder, *(p for p in folder.glob("*") if p.is_symlink())):
        _below(root, str(inner.relative_to(root)))
    return read_field(folder)


def _below(root: Path, *names: str) -> Path:
    """Return the path of a well or image of a plate. Raises `FileFormatError` for one that leads out of its folder."""
    target = root.joinpath(*names)
    with named_errors(root, "an OME-Zarr plate", place="/".join(names)):
        inside = not any(PurePath(n).is_absolute() or ".." in PurePath(n).parts for n in names)
        inside = inside and target.resolve().is_relative_to(root.resolve())
    if not inside:
        wanted = f"wells and images below the plate {str(root)!r}"
        raise FileFormatError(expected(wanted, f"{'/'.join(names)!r}, which leads out of it", "Put them inside."))
    return target


def _zarr_fields(path: Path) -> tuple[list[dict[str, str]], list[Path]]:
    import zarr

    rows, files = [], []
    with named_errors(path, "a whole OME-Zarr plate"):
        root = zarr.open_group(str(path), mode="r")
        for well in _attributes(root, "plate", path)["wells"]:
            name = str(well["path"])
            folder = _below(path, name)
            for image in _attributes(root[name], "well", folder)["images"]:
                row = {"well": name.replace("/", ""), "field": str(image["path"])}
                if "acquisition" in image:
                    row["acquisition"] = str(image["acquisition"])
                rows.append(row)
                files.append(_below(path, name, str(image["path"])))
    if not files:
        raise FileFormatError(expected(f"fields in the plate {str(path)!r}", "none", "Is it whole?"))
    return rows, files


def _attributes(group: Any, name: str, path: Path) -> dict[str, Any]:
    found = ome_attributes(group)
    if name not in found:
        remedy = "Pass the root of a plate, or a `pattern` for a folder of images."
        raise FileFormatError(expected(f"an OME-Zarr {name} at {str(path)!r}", f"no {name} in its attributes", remedy))
    out: dict[str, Any] = found[name]
    return out


def _tiff_fields(path: Path) -> tuple[list[dict[str, str]], list[int], list[str] | None]:
    """Return sample positions of the wells of the first plate in the OME-XML, and the series of each."""
    with open_tiff(path) as file:
        rows, places = _wells(file.ome_metadata)
        if not rows:
            remedy = "Pass a folder and a `pattern` for files of single fields."
            raise FileFormatError(expected(f"OME-TIFF with a plate at {str(path)!r}", "no wells in it", remedy))
        return rows, places, ome_metadata(str(file.ome_metadata))[2]


def _wells(text: str | None) -> tuple[list[dict[str, str]], list[int]]:
    elements = list(ET.fromstring(text).iter()) if text else []
    images = [e.get("ID") for e in elements if e.tag.endswith("}Image")]
    plate = next((e for e in elements if e.tag.endswith("}Plate")), None)
    rows, places = [], []
    for well in [] if plate is None else [e for e in plate if e.tag.endswith("}Well")]:
        for k, spot in enumerate(e for e in well if e.tag.endswith("}WellSample")):
            for image in (e.get("ID") for e in spot if e.tag.endswith("}ImageRef")):
                name = _row_name(int(well.get("Row", 0))) + str(int(well.get("Column", 0)) + 1)
                rows.append({"well": name, "field": str(k)})
                places.append(images.index(image))
    return rows, places


def _row_name(row: int) -> str:
    """Return A, B, …, Z, AA, …."""
    return ("" if row < LETTERS else chr(64 + row // LETTERS)) + chr(65 + row % LETTERS)


def _series(path: Path, i: int) -> np.ndarray:
    with open_tiff(path) as file:
        return _plane(series_pixels(file, i), file.series[i].axes, path)
