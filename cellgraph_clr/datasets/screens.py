"""Readers of screening sets that lie on disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr.io.plates import read_plate

if TYPE_CHECKING:
    import os

    from cellgraph_clr.cells.plate import Plate

__all__ = ["bbbc018"]

FIELDS = 4  # of a sample, with consecutive numbers


def bbbc018(path: str | os.PathLike[str]) -> Plate:
    """Return the HT29 cells of BBBC018: 56 fields of 14 samples, three channels (DNA, actin, pH3), 512 x 512 pixels.

    Parameters
    ----------
    path : str or path-like
        Folder with the files as published, "00733-actin.DIB" and so on: broadinstitute.org, data set BBBC018 version 1
        (CC BY-NC-SA 3.0; Ljosa et al. 2012).

    Returns
    -------
    Plate
        `Plate` whose samples are named by their first field, e.g. "00733".

    Raises
    ------
    MissingFileError, FileFormatError
        If a file or a channel is missing; if numbers do not come in fours.

    Examples
    --------
    >>> import numpy as np
    >>> import tifffile
    >>> import cellgraph_clr as cgc
    >>> for number in range(733, 737):  # four fields that stand for the files
    ...     for channel in ("DNA", "actin", "pH3"):
    ...         tifffile.imwrite(f"{number:05d}-{channel}.tif", np.zeros((16, 16), np.uint8))
    >>> cgc.datasets.bbbc018(".")
    <Plate of 1 samples, 4 wells, 4 fields, channels DNA, actin, pH3>
    """
    plate = read_plate(path, r"(?P<well>\d{5})-(?P<channel>\w+)\.(?i:dib|bmp|tif)$", channels=("DNA", "actin", "pH3"))
    numbers = plate.table["well"].astype(int).tolist()
    samples, first = [], -FIELDS
    for number in numbers:
        if number >= first + FIELDS:
            first = number
        samples.append(f"{first:05d}")
    table = plate.table.assign(sample=samples)
    table["field"] = [str(n - int(s)) for n, s in zip(numbers, samples, strict=True)]
    short = table["sample"].value_counts()
    if (short != FIELDS).any():
        found = f"{short[short != FIELDS].iloc[0]} of {short[short != FIELDS].index[0]}"
        raise FileFormatError(
            expected(f"{FIELDS} fields with consecutive numbers a sample", found, "Is the set whole?")
        )
    return replace(plate, table=table)
