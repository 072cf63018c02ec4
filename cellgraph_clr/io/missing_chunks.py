"""Chunks that a Zarr array on disk does not hold, which are read as background: left out by its writer, or lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.log import log
from cellgraph_clr._core.notices import warn
from cellgraph_clr.cells.lazy_arrays import Squeezed
from cellgraph_clr.io.foreign import Stored, named_errors

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["warn_of_missing_chunks"]

MOST = 100_000  # chunks of a store whose files are listed


def warn_of_missing_chunks(labels: Any) -> None:
    """Warn where chunks of labels are missing though their writer stored background too; else log how many are not there.

    Many writers leave out chunks of background, so that missing chunks alone say nothing. Where the smallest chunk that is
    stored holds background only, this writer does not. Only of folders, without shards and up to 100,000 chunks; costs a list
    of their files and one chunk.
    """
    stored = labels.array if isinstance(labels, Squeezed) else labels
    array = getattr(stored, "array", None)
    folder: Path | None = getattr(getattr(array, "store", None), "root", None)
    if not isinstance(stored, Stored) or folder is None or array is None or array.shards:
        return
    with named_errors(stored.path, "a Zarr array"):
        if array.nchunks > MOST:
            return
        sizes = _chunks_of(folder / array.path, array.ndim)
    n_missing = array.nchunks - len(sizes)
    if n_missing <= 0 or not sizes:
        return
    said = f"{n_missing} of {array.nchunks} chunks of {str(stored.path)!r} are not stored and are read as {array.fill_value}"
    smallest = min(sizes, key=lambda at: sizes[at])
    part = stored[tuple(slice(k * c, (k + 1) * c) for k, c in zip(smallest, array.chunks, strict=True))]
    if np.any(part):
        log.info("%s", said)
    else:
        warn(f"{said}, though it holds chunks of background: cells may be lost.")


def _chunks_of(folder: Path, ndim: int) -> dict[tuple[int, ...], int]:
    """Return the bytes of every chunk below a folder, by its place."""
    found = {}
    for file in folder.rglob("*"):
        place = tuple(map(int, re.findall(r"\d+", file.relative_to(folder).as_posix())))
        if len(place) == ndim and not file.name.startswith(".") and file.suffix != ".json" and file.is_file():
            found[place] = file.stat().st_size
    return found
