"""Plates from folders of images, by a pattern of their names, or from one file that holds a plate."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key, check_not_owned, expected, listing
from cellgraph_clr._core.errors import FileFormatError, MissingFileError, OptionError, ShapeError
from cellgraph_clr.cells.plate import Plate
from cellgraph_clr.io.arrays import read_array
from cellgraph_clr.io.foreign import file_to_read, named_errors
from cellgraph_clr.io.hcs import Lazy, read_field, read_ome_plate
from cellgraph_clr.io.samples import concat_labelled

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData

__all__ = ["from_plate", "read_plate"]

PICTURES = (".png", ".bmp", ".dib", ".jpg", ".jpeg")
FORMATS = ("PNG", "BMP", "DIB", "JPEG")  # no others, whatever a file is called


@checked
def read_plate(
    path: str | os.PathLike[str],
    pattern: str | None = None,
    *,
    channels: Sequence[str] | None = None,
    layout: pd.DataFrame | str | os.PathLike[str] | None = None,
    labels: str | None = None,
) -> Plate:
    r"""Return the fields of a plate: files in a folder whose paths match a pattern, an OME-Zarr plate, or an OME-TIFF with one.

    Parameters
    ----------
    path : str or path-like
        Folder with images (.tif, .npy, .png, .bmp, .dib, .jpg, or .zarr), and `pattern`; or the root of an OME-Zarr
        plate or an OME-TIFF that holds a plate, without.
    pattern : str or None, default None
        Regular expression on the path below the folder, with named groups among sample, well, field and channel, e.g.
        ``r"(?P<well>[A-H]\d\d)_s(?P<field>\d)_(?P<channel>\w+)\.tif"``. Without "channel" a file holds all channels.
        Further groups become columns.
    channels : sequence of str or None, default None
        Those to read, in this order, where there is a file for each; else names, None takes those of the files.
    layout : pandas.DataFrame or str or path-like or None, default None
        Table, or path of a .csv, of what is known of wells, one line each: the column well, and sample, drug, dose, ….
        "A01" and "A1" are one well. Without samples every well is one.
    labels : str or None, default None
        Name of the label images of an OME-Zarr plate; None reads none.

    Returns
    -------
    Plate
        `Plate`; images are read when asked for.

    Raises
    ------
    MissingFileError
        If nothing matches, or a field lacks a channel.
    OptionError
        For a pattern that is no regular expression, or has neither sample nor well; for `labels` beside a pattern.
    MissingKeyError
        For a `layout` without the column well or without a well of the plate, or labels that are not there.
    FileFormatError
        For two files of the same field and channel, a file that cannot be read, or that holds no plate, several planes or frames.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> from pathlib import Path
    >>> Path("plate").mkdir()
    >>> for well in ("A01", "A02"):
    ...     np.save(f"plate/{well}_s1_dna.npy", np.zeros((16, 16), np.uint8))
    ...
    >>> cgc.read_plate("plate", r"(?P<well>[A-H]\d\d)_s(?P<field>\d)_(?P<channel>[a-z]+)\.npy")
    <Plate of 2 samples, 2 wells, 2 fields, channels dna>
    """
    root = file_to_read(path)
    if pattern is None:
        table, images, masks, found = read_ome_plate(root, labels)
    elif labels is not None:
        raise OptionError(expected("`labels` of an OME-Zarr plate", "a `pattern`", "Leave one of them out."))
    else:
        masks = None
        table, images, found = _matching(root, pattern, channels)
    if layout is not None:
        table = _with_layout(table, layout if isinstance(layout, pd.DataFrame) else _read_layout(file_to_read(layout)))
    if "sample" not in table:
        table["sample"] = table["well"]
    return Plate.build(table, images, channels=channels or found, labels=masks)


@checked
def from_plate(
    plate: Plate,
    *,
    features: Sequence[str] = ("shape", "intensity"),
    spacing: float | Sequence[float] | None = None,
    unit: str = "pixel",
    n_jobs: int | None = -1,
) -> AnnData:
    """Return the cells of all fields of a plate with labels as one AnnData.

    Parameters
    ----------
    plate : Plate
        With labels.
    features : sequence of str, default ("shape", "intensity")
        As in `from_labels`.
    spacing : float or sequence of float or None, default None
        As in `from_labels`.
    unit : str, default "pixel"
        As in `from_labels`.
    n_jobs : int or None, default -1
        As in `from_labels`.

    Returns
    -------
    AnnData
        As `from_labels` of every field, `concat`ed: `obs["line"]` is the field's line in the plate's table, whose
        columns (sample, well, field, …) are in `obs` too; `obs["library_id"]` names the field, so that graphs with
        `library_key="library_id"` stay within. Fields without cells are left out.

    Raises
    ------
    OptionError
        Without labels, or if a column of the layout has a name that says what cells are (`cell_id`, `region`, …).
    NoCellsError
        If no field has a cell.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> images = [rng.random((1, 64, 64)).astype(np.float32) + i // 2 for i in range(4)]
    >>> masks = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((32, 32), int))
    >>> table = pd.DataFrame({"sample": ["a", "a", "b", "b"], "field": [0, 1, 0, 1]})
    >>> plate = cgc.Plate.build(table, images, labels=[masks] * 4)
    >>> adata = cgc.from_plate(plate)
    >>> adata.n_obs
    16
    """
    plate.check_labels()
    check_not_owned(list(plate.table.columns), "columns of a plate")
    images = (
        (
            "_".join(dict.fromkeys((row["sample"], row["well"], row["field"]))),
            plate.label_image(line, spacing=spacing, unit=unit),
            {"line": line, **row},
        )
        for line, row in enumerate(plate.table.to_dict("records"))
    )
    return concat_labelled(images, where="field", features=features, n_jobs=n_jobs)


def _matching(root: Path, pattern: str, channels: Sequence[str] | None) -> tuple[pd.DataFrame, Lazy, list[str] | None]:
    """Return the table, the images and the channels of the files below a folder whose paths match."""
    try:
        form = re.compile(pattern)
    except re.error as error:
        raise OptionError(expected("a regular expression", f"{pattern!r} ({error})", "See `re`.")) from error
    groups = list(form.groupindex)
    if not {"sample", "well"} & set(groups):
        raise OptionError(expected("a group `sample` or `well`", groups or "none", 'Write "(?P<well>…)".'))
    found: dict[tuple[str, ...], dict[str, Path]] = {}
    keys = [g for g in groups if g != "channel"]
    for file in sorted(f for f in root.rglob("*") if f.is_file() or f.suffix == ".zarr"):
        below = file.relative_to(root)
        if any(parent.suffix == ".zarr" for parent in below.parents):  # a chunk of an image
            continue
        match = form.search(below.as_posix())
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
    if "channel" not in groups:
        files = [place[""] for place in found.values()]
        names = None if files[0].suffix.lower() in PICTURES else read_array(files[0]).channels
        return table, Lazy([partial(_image, [file]) for file in files]), names
    wanted = list(channels or sorted({c for place in found.values() for c in place}))
    for key, place in found.items():
        absent = [c for c in wanted if c not in place]
        if absent:
            remedy = "Restore the file, or pass `channels=`."
            raise MissingFileError(expected(f"channels {', '.join(wanted)}", f"no {listing(absent)} of {key}", remedy))
    images = [partial(_image, [place[c] for c in wanted]) for place in found.values()]
    return table, Lazy(images), wanted


def _read_layout(file: Path) -> pd.DataFrame:
    with named_errors(file, "a table (.csv)"):
        return pd.read_csv(file)


def _with_layout(table: pd.DataFrame, layout: pd.DataFrame) -> pd.DataFrame:
    """Return the table with what the layout tells of every well."""
    check_key("well", list(table.columns), where="the fields")
    check_key("well", list(layout.columns), where="`layout`")
    known = layout.set_index(layout["well"].map(_plain)).drop(columns="well")
    if known.index.has_duplicates:
        twice = listing(known.index[known.index.duplicated()].unique())
        raise ShapeError(expected("one line a well in `layout`", f"{twice} again", "Keep one of them."))
    wells = table["well"].map(_plain)
    for well in wells.unique():
        check_key(well, list(known.index), where="the wells of `layout`")
    return table.drop(columns=[c for c in known.columns if c in table]).join(known, on=wells)


def _plain(well: object) -> str:
    """Return the name of a well without leading zeros: A1 for A01."""
    return re.sub(r"(?<=[A-Za-z])0+(?=\d)", "", str(well).strip())


def _image(files: Sequence[Path]) -> np.ndarray:
    """Return the image (c, y, x) of one file, or of one file a channel."""
    return np.concatenate([_pixels(f) for f in files])


def _pixels(file: Path) -> np.ndarray:
    """Return (c, y, x) of a file."""
    if file.suffix.lower() in PICTURES:
        from PIL import Image

        with named_errors(file, "an image"), Image.open(file_to_read(file), formats=FORMATS) as opened:
            pixels = np.asarray(opened.convert("RGB") if opened.mode == "P" else opened)  # P: places in a palette
        return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return read_field(file)
