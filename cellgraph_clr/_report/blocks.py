"""Arrays in a page: compressed bytes in base64, which the page turns back into typed arrays."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Blocks", "rounded", "shuffled"]

KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32")  # that the page has typed arrays for


class Blocks:
    """Named arrays and texts of a page, packed as they are added."""

    def __init__(self) -> None:
        self.about: dict[str, dict[str, Any]] = {}
        self.text: dict[str, str] = {}

    def add(self, name: str, values: np.ndarray) -> str:
        """Pack an array (any shape, C order) and return its name. Its dtype is one of `KINDS`."""
        array = np.ascontiguousarray(values)
        kind = array.dtype.name
        assert kind in KINDS, kind
        return self._put(name, shuffled(array), kind=kind, length=int(array.size))

    def add_lines(self, name: str, lines: Iterable[str]) -> str:
        """Pack texts, one a line (line ends inside become spaces), and return the name."""
        text = "\n".join(" ".join(line.splitlines()) for line in lines)
        return self._put(name, text.encode(), kind="text", length=len(text))

    def _put(self, name: str, data: bytes, *, kind: str, length: int) -> str:
        packed = base64.b64encode(gzip.compress(data, compresslevel=7, mtime=0)).decode("ascii")
        self.text[name] = packed
        self.about[name] = {"kind": kind, "length": length}
        return name


def shuffled(array: np.ndarray) -> bytes:
    """Return the bytes of an array, little endian, the first byte of all values first, then the second, and so on.

    Values of one size differ in few of their bytes, so that these planes compress well (the shuffle filter of HDF5).
    """
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return little.reshape(-1).view(np.uint8).reshape(-1, array.dtype.itemsize).T.tobytes()


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Return float32 values rounded to `bits` bits after the leading one: a relative error of at most ``2 ** -(bits + 1)``.

    The bytes that this empties compress away. NaN and infinities stay; what float32 does not hold becomes infinite.
    """
    with np.errstate(over="ignore"):
        out = np.asarray(values).astype(np.float32)
    raw = out.view(np.uint32)
    drop = 23 - bits
    finite = np.isfinite(out)
    half = np.uint32(1 << (drop - 1))
    mask = np.uint32(0xFFFFFFFF ^ ((1 << drop) - 1))
    kept = ((raw + half) & mask).view(np.float32)
    return np.where(finite & np.isfinite(kept), kept, out)
