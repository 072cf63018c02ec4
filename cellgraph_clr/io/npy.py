"""Headers of NumPy files: the shape they declare, against the bytes that follow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["npy_header", "npy_shape"]


def npy_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype of an open .npy, which is then read up to its data."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def npy_shape(path: Path) -> tuple[int, ...] | None:
    """Return the shape of the array in a .npy; None where it holds pickled objects.

    Raises `FileFormatError` if the file is shorter than the array that it declares; what NumPy raises stays as it is.
    """
    with path.open("rb") as file:
        shape, dtype = npy_header(file)
        n_bytes = path.stat().st_size - file.tell()
    if dtype.hasobject:
        return None
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize > n_bytes:
        wanted = f"{math.prod(shape) * dtype.itemsize} bytes for an array {shape} of {dtype} at {str(path)!r}"
        raise FileFormatError(expected(wanted, f"{n_bytes} bytes", "It may be truncated."))
    return shape
