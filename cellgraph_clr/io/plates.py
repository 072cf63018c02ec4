"""Plates from folders of images, by a pattern of their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import FileFormatError, MissingFileError, OptionError
from cellgraph_clr._core.files import existing_path
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.io.labels import read_array

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["read_plate"]

PICTURES = (".png", ".bmp", ".dib", ".jpg", ".jpeg")
PARTS = ("sample", "well", "field", "channel")


def read_plate(folder: str | os.PathLike[str], pattern: str, *, channels: Sequence[str] | None = None) -> Plate:
    r"""Return the fields in a folder (and those below it) whose paths match a pattern.

    Parameters
    ----------
    folder : with images: .tif, .npy, .png, .bmp, .dib, .jpg.
    pattern : regular expression on the path below the folder, with named groups among sample, well, field and channel, e.g.
        ``r"(?P<well>[A-H]\d\d)_s(?P<field>\d)_(?P<channel>\w+)\.tif"``. Without "sample" every well is one; without
        "channel" a file holds all channels. Further groups become columns.
    channels : those to read, in this order; None takes all by name, or what the files hold.

    Returns
    -------
    `Plate`; images are read when asked for.

    Raises
    ------
    MissingFileError
        If nothing matches, or a field lacks a channel.
    OptionError
        For a pattern that is no regular expression, or has neither sample nor well.
    FileFormatError
        For two files of the same field and channel, or a file that cannot be read.
    """
    import pandas as pd

    root = existing_path(folder)
    try:
        form = re.compile(pattern)
    except re.error as error:
        raise OptionError(expected("a regular expression", f"{pattern!r} ({error})", "See `re`.")) from error
    groups = list(form.groupindex)
    if not {"sample", "well"} & set(groups):
        raise OptionError(expected("a group `sample` or `well`", groups or "none", 'Write "(?P<well>…)".'))
    found: dict[tuple[str, ...], dict[str, Path]] = {}
    keys = [g for g in groups if g != "channel"]
    for file in sorted(f for f in root.rglob("*") if f.is_file()):
        match = form.search(file.relative_to(root).as_posix())
        if match is None:
            continue
        named = match.groupdict(default="")
        place = found.setdefault(tuple(named[k] for k in keys), {})
        channel = named.get("channel", "")
        if channel in place:
            both = listing([place[channel].name, file.name])
            raise FileFormatError(expected("one file a field and channel", both, "Make the pattern tell them apart."))
        place[channel] = file
    if not found:
        raise MissingFileError(expected(f"files like {pattern!r} below {str(root)!r}", "none", "Check the pattern."))
    table = pd.DataFrame(list(found), columns=keys)
    if "sample" not in table:
        table["sample"] = table["well"]
    if "channel" not in groups:
        return Plate.build(table, _Files([[place[""]] for place in found.values()]), channels=channels)
    wanted = list(channels or sorted({c for place in found.values() for c in place}))
    for key, place in found.items():
        absent = [c for c in wanted if c not in place]
        if absent:
            remedy = "Restore the file, or pass `channels=`."
            raise MissingFileError(expected(f"channels {', '.join(wanted)}", f"no {listing(absent)} of {key}", remedy))
    return Plate.build(table, _Files([[place[c] for c in wanted] for place in found.values()]), channels=wanted)


class _Files:
    """Images of fields, each of one file or of one a channel, read when asked for."""

    def __init__(self, files: Sequence[Sequence[Path]]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, i: int) -> np.ndarray:
        return np.concatenate([_pixels(f) for f in self._files[i]])


def _pixels(file: Path) -> np.ndarray:
    """Return (c, y, x) of a file."""
    if file.suffix.lower() in PICTURES:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(file) as opened:
                pixels = np.asarray(opened)
        except (OSError, UnidentifiedImageError) as error:
            raise FileFormatError(expected(f"an image at {str(file)!r}", f"{error}", "Is it whole?")) from error
        return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    raw = read_array(file)
    pixels = np.asarray(raw.data)
    at = raw.axes.upper().find("C")
    pixels = np.moveaxis(pixels, at, 0) if at > 0 else pixels
    pixels = pixels.reshape(-1, *pixels.shape[-2:])
    return pixels
