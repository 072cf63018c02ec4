"""Small pictures of cells, which the card of a page shows: squares of the image in sheets of many, up to a size of the file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._report.light import typical_distance
from cellgraph_clr._report.pictures import LARGEST, data_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr._report.light import Light, Lights
    from cellgraph_clr.graphs.samples import Group

__all__ = ["add_sheets"]

SIDES = (48, 32, 24)  # pixels of a small picture; with more cells the smaller ones
MOST_PIXELS = 2**24  # of all small pictures
MOST_BYTES = 3_000_000
COLUMNS, ROWS = 64, 32  # small pictures of a sheet
QUALITY = 65  # of WebP
REACH = 1.3  # from the middle of a small picture to its rim, in distances between cells


def add_sheets(
    about: dict[str, Any], lights: Lights, images: Sequence[Group], xyz: np.ndarray, number: np.ndarray
) -> None:
    """Add small pictures of the cells of a page whose image it does not hold as it is: of volumes, and of large images.

    Parameters
    ----------
    about : what the page says; gets `sheets`, or a line in `left_out` where they would be too large.
    lights, images : the image of every sample that the page shows.
    xyz, number : places (n, d) of the cells of the page, and the number of the sample of each.
    """
    reach = REACH * typical_distance(xyz, number)
    wanted = [s for s, group in enumerate(images) if _is_wanted(lights.of(group), reach)]
    rows = np.flatnonzero(np.isin(number, wanted))
    if len(rows) == 0:
        return
    for side in SIDES:
        if len(rows) * side * side > MOST_PIXELS:
            continue
        squares = np.zeros((len(rows), side, side, 3), np.uint8)
        for s in wanted:
            mine = number[rows] == s
            squares[mine] = lights.of(images[s]).squares(xyz[rows[mine]], reach, side)
        urls = _sheets(squares)
        if urls is not None:
            place = {"side": side, "columns": COLUMNS, "rows": ROWS, "reach": reach, "samples": wanted}
            about["sheets"] = place | {"urls": urls}
            return
    about["left_out"].append(
        f"Small pictures of {len(rows):,} cells are left out: the file would be more than {MOST_BYTES / 1e6:.0f} MB larger."
    )


def _is_wanted(light: Light, reach: float) -> bool:
    """Return whether cells are seen better in small pictures than in the picture of the sample that the page holds."""
    if light.in_planes:
        return True
    pixel = max(light.shape) / LARGEST * float(light.step[:2].max())  # of the picture in the page
    return max(light.shape) > LARGEST and 2 * reach / pixel < SIDES[-1]


def _sheets(squares: np.ndarray) -> list[str] | None:
    """Return data URLs of sheets of squares (n, side, side, 3), row by row; None where they are too large together."""
    from PIL import Image

    n, side = squares.shape[:2]
    urls, size = [], 0
    for first in range(0, n, COLUMNS * ROWS):
        some = squares[first : first + COLUMNS * ROWS]
        rows = -(-len(some) // COLUMNS)
        sheet = np.zeros((rows * COLUMNS, side, side, 3), np.uint8)
        sheet[: len(some)] = some
        pixels = sheet.reshape(rows, COLUMNS, side, side, 3).swapaxes(1, 2).reshape(rows * side, COLUMNS * side, 3)
        packed = io.BytesIO()
        Image.fromarray(pixels).save(packed, "WEBP", quality=QUALITY, method=4)
        urls.append(data_url(packed.getvalue(), "webp"))
        size += len(urls[-1])
        if size > MOST_BYTES:
            return None
    return urls
