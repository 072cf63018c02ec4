"""Masks from the `_seg.npy` files of Cellpose, which are pickles: only plain NumPy data is let out of them."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_cellpose"]

ALLOWED = {
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _PlainData(pickle.Unpickler):
    """An unpickler that knows arrays, numbers, text and containers, and refuses every other class or function."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed constructor of NumPy data."""
        if (module, name) in ALLOWED or (module == "numpy.dtypes" and name.endswith("DType")):
            return super().find_class(module, name)
        message = f"{module}.{name}"
        raise pickle.UnpicklingError(message)


def _skip_header(file: BinaryIO) -> None:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    read(file)


def read_cellpose(path: Path) -> np.ndarray:
    """Return the masks of a Cellpose `_seg.npy`, ([z,] y, x) integers.

    Raises `FileFormatError` if the file holds anything but plain data, or no masks. Nothing in it is executed.
    """
    try:
        with path.open("rb") as file:
            _skip_header(file)
            content = _PlainData(file).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        hint = "Save the masks as TIFF (`_cp_masks.tif`) instead."
        raise FileFormatError(
            expected(f"a Cellpose file of plain data at {str(path)!r}", f"pickled objects ({error})", hint)
        ) from error
    content = content.item() if isinstance(content, np.ndarray) and content.ndim == 0 else content
    if not isinstance(content, dict) or not isinstance(content.get("masks"), np.ndarray):
        found = f"the entries {sorted(map(str, content))}" if isinstance(content, dict) else type(content).__name__
        raise FileFormatError(expected(f"'masks' in the Cellpose file {str(path)!r}", found, "Save the masks as TIFF."))
    return content["masks"]
