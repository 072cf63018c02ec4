"""Whether a TIFF is whole: what it declares (pages, planes, bytes) against what is there, before pixels are read."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

__all__ = ["check_chain", "check_names", "check_series"]

CLASSIC = 2**32  # bytes that offsets of a TIFF reach, unless it is a BigTIFF
MOST_TAGS = 4096
EXPANDED = {1: 1, 5: 4096, 8: 1100, 32946: 1100, 32773: 64}  # by compression: values that a byte holds at most
REMEDY = "It was cut off, copied in part or damaged: restore it, or save it again."


def check_chain(file: TiffFile) -> None:
    """Raise `FileFormatError` unless every page of a TIFF names the next one or says that it is the last.

    Notes
    -----
    Two small reads a page. Classic TIFF of 4 GiB and more are not checked: their offsets wrap around. A file that was cut off
    behind the last directory of a page is found by `check_series`.
    """
    handle, form = file.filehandle, file.tiff
    if handle.size >= CLASSIC and not file.is_bigtiff:
        return
    handle.seek(8 if file.is_bigtiff else 4)
    offset = struct.unpack(form.offsetformat, handle.read(form.offsetsize))[0]
    seen: set[int] = set()
    while offset:
        if offset in seen or offset + form.tagnosize > handle.size:
            _refuse_chain(file, len(seen), offset)
        seen.add(offset)
        handle.seek(offset)
        n_tags = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))[0]
        next_at = offset + form.tagnosize + n_tags * form.tagsize
        if n_tags > MOST_TAGS or next_at + form.offsetsize > handle.size:
            _refuse_chain(file, len(seen) - 1, offset)
        handle.seek(next_at)
        offset = struct.unpack(form.offsetformat, handle.read(form.offsetsize))[0]
    if not seen:
        raise FileFormatError(expected(f"pages in {handle.path!r}", "none", REMEDY))


def _refuse_chain(file: TiffFile, n: int, offset: int) -> None:
    size = declared_values(file, file.pages.first, None) if n else None
    planes = 0 if size is None else _planes(size, file.pages.first)
    of = f" ({planes} planes declared)" if planes > n else ""
    found = f"{n} whole pages{of}, and no page {n + 1} at byte {offset} of {file.filehandle.size}"
    raise FileFormatError(
        expected(f"a readable TIFF at {file.filehandle.path!r}, with all of its pages", found, REMEDY)
    )


def check_names(file: TiffFile) -> None:
    """Raise `FileFormatError` if the OME-XML of a TIFF takes planes from files that are not below its folder."""
    if not (file.is_ome and file.ome_metadata and "FileName" in file.ome_metadata):
        return
    folder, root = Path(file.filehandle.path).parent, ET.fromstring(file.ome_metadata)
    for element in root.iter():
        other = element.tag.endswith("UUID") and element.text != root.get("UUID")
        name = element.get("FileName") if other else None
        if name and (Path(name).is_absolute() or ".." in Path(name).parts or not _inside(folder, name)):
            wanted = f"planes in files beside {file.filehandle.path!r}"
            raise FileFormatError(expected(wanted, f"{name!r}, which lies elsewhere", "Put it into the folder."))


def _inside(folder: Path, name: str) -> bool:
    own = folder / name
    return not own.is_symlink() or own.resolve().is_relative_to(folder.resolve())


def declared_values(file: TiffFile, page: TiffPage, i: int | None) -> int | None:
    """Return how many values a file says that an image has; None where it does not say.

    Parameters
    ----------
    file, page : and the first page of the image.
    i : number of the image in OME-XML; None takes the first.
    """
    if file.is_ome and file.ome_metadata:
        pixels = [e for e in ET.fromstring(file.ome_metadata).iter() if e.tag.endswith("Pixels")]
        if not pixels or (i is not None and len(pixels) != len(file.series)):
            return None
        return math.prod(int(pixels[i or 0].get(f"Size{a}", 1)) for a in "XYZCT")
    if file.is_imagej:
        images = (file.imagej_metadata or {}).get("images", 1)
        return int(images) * page.imagelength * page.imagewidth
    try:
        header = json.loads(page.description or "")
    except ValueError:
        return None
    shape = header.get("shape") if isinstance(header, dict) else None
    return math.prod(int(n) for n in shape) if isinstance(shape, list) else None


def check_series(file: TiffFile, i: int) -> TiffPageSeries:
    """Return image `i` of a TIFF if all of its planes are there, with the bytes that they need.

    Raises
    ------
    FileFormatError
        If planes or bytes are missing; it says how many were declared, and how many found.

    Notes
    -----
    One look at the tags of each page, none where the image lies in one piece. What cannot be found: a file without a declared
    number of planes that ends exactly with a page that says it is the last.
    """
    series = file.series[i]
    page, name = series.keyframe, file.filehandle.path
    pages = [page] if series.dataoffset is not None else [p for p in series if p is not None]
    n_found = series.size if series.dataoffset is not None else len(pages) * math.prod(page.shape)
    declared = max(declared_values(file, page, i) or 0, series.size)
    if n_found < declared:
        wanted = f"{_planes(declared, page)} planes, as {name!r} declares"
        raise FileFormatError(expected(wanted, f"{_planes(n_found, page)}", REMEDY))
    if series.dataoffset is not None:
        _check_end(name, series.dataoffset + series.nbytes, file.filehandle.size, "the last plane")
    else:
        for k, one in enumerate(pages):
            _check_page(one, name, f"plane {k + 1} of {len(pages)}")
    return series


def _planes(n_values: int, page: Any) -> int:
    return n_values // max(page.imagelength * page.imagewidth, 1)


def _check_end(name: str, end: int, size: int, place: str) -> None:
    if end > size:
        raise FileFormatError(expected(f"{place} of {name!r} to end at byte {end}", f"a file of {size} bytes", REMEDY))


def _check_page(page: Any, name: str, place: str) -> None:
    """Raise `FileFormatError` for a page whose strips or tiles lie beyond the file, are too few, or too small for its size."""
    key, counts = page.keyframe, page.databytecounts
    handle = page.parent.filehandle
    if page.is_contiguous and len(page.dataoffsets):
        _check_end(name, page.dataoffsets[0] + key.nbytes, handle.size, place)
        return
    n = math.prod(key.chunked)
    if min(len(page.dataoffsets), len(counts)) < n:
        found = f"{min(len(page.dataoffsets), len(counts))}"
        raise FileFormatError(expected(f"{n} strips or tiles in {place} of {name!r}", found, REMEDY))
    _check_end(name, max(map(sum, zip(page.dataoffsets, counts, strict=False)), default=0), handle.size, place)
    ratio = EXPANDED.get(int(key.compression))
    bits = key.bitspersample * math.prod(key.shape)
    if ratio is not None and all(counts) and sum(counts) * ratio * 8 < bits:
        wanted = f"{bits // 8} bytes of pixels in {place} of {name!r}"
        raise FileFormatError(expected(wanted, f"{sum(counts)} bytes that cannot hold them", REMEDY))
