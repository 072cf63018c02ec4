"""Readers of other people's files: whatever they raise becomes one named error, with the file and the place in it."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import CellGraphError, FileFormatError, MissingFileError
from cellgraph_clr._core.files import existing_path
from cellgraph_clr.cells.blocks import is_chunked

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Stored", "file_to_read", "guarded", "named_errors"]

SHOWN = 300  # characters of a reader's own message
REMEDIES = {
    MemoryError: "It needs more memory than there is, or its header is damaged.",
    PermissionError: "Ask for the right to read it.",
    IsADirectoryError: "Pass the path of a file.",
}


@contextmanager
def named_errors(path: object, what: str, *, place: str = "") -> Iterator[None]:
    """Turn every error of the readers called inside into a `FileFormatError`; named errors of the package stay as they are.

    Parameters
    ----------
    path : the file or folder that is read.
    what : what it should be: "a readable TIFF".
    place : where in it: "plane 3".

    Raises
    ------
    FileFormatError
        For any error of a reader, `MemoryError` and `RecursionError` included; the error is chained.
    """
    try:
        yield
    except (CellGraphError, Warning):
        raise
    except Exception as error:
        remedy = next((r for kind, r in REMEDIES.items() if isinstance(error, kind)), "It may be truncated or damaged.")
        found = f"{type(error).__name__}: {str(error)[:SHOWN]}"
        where = f"{what} at {str(path)!r}{f', {place}' if place else ''}"
        raise FileFormatError(expected(where, found, remedy)) from error


def file_to_read(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file or folder that can be read without waiting.

    Raises
    ------
    MissingFileError
        If nothing is there, or the name cannot be one (too long).
    FileFormatError
        For pipes, sockets and devices.
    """
    try:
        target = existing_path(path)
        mode = target.stat().st_mode
    except CellGraphError:
        raise
    except (OSError, ValueError) as error:
        found = f"{str(path)[:SHOWN]!r} ({str(getattr(error, 'strerror', None) or error)[:SHOWN]})"
        raise MissingFileError(expected("the path of a file or folder", found, "Check it.")) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        remedy = "Save what it gives as a file first."
        raise FileFormatError(expected(f"a file or folder at {str(target)!r}", "a pipe, socket or device", remedy))
    return target


class Stored:
    """An array in a file, sliced as before; what goes wrong while it is read becomes a `FileFormatError`."""

    def __init__(self, array: Any, path: object) -> None:
        self.array, self.path = array, path
        self.shape, self.dtype, self.ndim = tuple(array.shape), array.dtype, array.ndim
        self.chunks = tuple(array.chunks)

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the values of slices."""
        with named_errors(self.path, "whole chunks", place=f"[{_text(key)}]"):
            return np.asarray(self.array[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001
        """Return the whole array."""
        return np.asarray(self[...], dtype)


def guarded(array: Any, source: Any) -> Any:
    """Return an array that was read as `Stored` where it comes from Zarr or HDF5 (`source`), any other as it is."""
    library = type(source).__module__.split(".")[0]
    if not is_chunked(array) or library not in ("zarr", "h5py"):
        return array
    return Stored(array, source.store_path if library == "zarr" else f"{source.file.filename}{source.name}")


def _text(key: Any) -> str:
    """Return an index as it is written."""
    parts = key if isinstance(key, tuple) else (key,)
    return ", ".join(
        f"{'' if k.start is None else k.start}:{'' if k.stop is None else k.stop}" if isinstance(k, slice) else str(k)
        for k in parts
    )
