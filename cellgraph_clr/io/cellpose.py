"""Masks from the `_seg.npy` files of Cellpose, which are pickles: only plain NumPy data is let out of them.

No class or function of NumPy is handed to the unpickler. The names that pickled arrays hold stand for the small classes below,
which keep what they are given and check it against the bytes that are there.
"""

from __future__ import annotations

import math
import pickle
import pickletools
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr.io.foreign import named_errors
from cellgraph_clr.io.npy import npy_header

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["read_cellpose"]

MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


def _refuse(what: str) -> NoReturn:
    raise pickle.UnpicklingError(what)


class _DType:
    """The type of plain values, of its own for every use."""

    def __init__(self, name: object, *_: object) -> None:
        self.dtype = np.dtype(name) if isinstance(name, str) else _refuse(f"the type {name!r}")
        if self.dtype.names is not None or self.dtype.subdtype is not None:
            _refuse(f"the type {name!r}")

    def __setstate__(self, state: Any) -> None:
        """Set the order of bytes; refuse fields and other sizes."""
        order, *parts = state[1:5]
        if any(p is not None for p in parts) or order not in ("<", ">", "=", "|"):
            _refuse("a type with fields")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """An array under way: empty until its state comes."""

    def __init__(self, *_: object) -> None:
        self.value = np.zeros(0)

    def __setstate__(self, state: Any) -> None:
        """Take shape, type and values, if there are as many values as the shape says."""
        _, shape, kind, by_columns, values = state
        self.value = _filled(values, kind, shape, "F" if by_columns else "C")


class _Constructor:
    """What a pickle may call; made for one file, and nothing in it can be changed."""

    __slots__ = ("_make",)
    _make: Callable[..., Any]

    def __init__(self, make: Callable[..., Any]) -> None:
        object.__setattr__(self, "_make", make)

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        _refuse(f"a change of {name!r}")

    def __setstate__(self, state: object) -> NoReturn:
        _refuse("a change of what makes arrays")


def _filled(values: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    """Return an array of bytes, or of a list of objects. Refuses another number of values than the shape has."""
    if not isinstance(kind, _DType) or order not in ("C", "F"):
        _refuse("an array without a type")
    shape = (shape,) if isinstance(shape, int) else shape
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        _refuse(f"the shape {shape!r}")
    n = math.prod(shape)
    if kind.dtype.hasobject:
        if not isinstance(values, list) or len(values) != n:
            _refuse(f"an array {shape} of other objects than that")
        out = np.empty(n, object)
        out[:] = values
        return out.reshape(shape, order=order)
    if not isinstance(values, (bytes, bytearray)) or len(values) != n * kind.dtype.itemsize:
        _refuse(f"an array {shape} of another number of bytes")
    flat = np.frombuffer(values, kind.dtype) if n else np.zeros(0, kind.dtype)
    return flat.reshape(shape, order=order)


def _encoded(text: Any, encoding: Any) -> bytes:
    """Return the bytes that old pickles hold as text."""
    return str(text).encode("latin1") if encoding == "latin1" else _refuse(f"the encoding {encoding!r}")


def _scalar(kind: Any, value: Any) -> Any:
    return _filled(value, kind, (), "C")[()]


def _from_buffer(values: Any, kind: Any, shape: Any, order: Any) -> _Array:
    out = _Array()
    out.value = _filled(values, kind, shape, order)
    return out


KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): lambda *_: _refuse("an array without values"),
    ("_codecs", "encode"): _encoded,
}
for _core in ("core", "_core"):
    KNOWN[f"numpy.{_core}.multiarray", "_reconstruct"] = _Array
    KNOWN[f"numpy.{_core}.multiarray", "scalar"] = _scalar
    KNOWN[f"numpy.{_core}.numeric", "_frombuffer"] = _from_buffer


class _PlainData(pickle.Unpickler):
    """An unpickler that knows arrays, numbers, text and containers, and refuses every other class or function."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a constructor of NumPy data."""
        make = KNOWN.get((module, name))
        return _Constructor(make) if make is not None else _refuse(f"{module}.{name}")


def _check_steps(file: BinaryIO) -> None:
    """Raise `UnpicklingError` for a place in the memory of the unpickler beyond the number of steps: it would be made."""
    for n, (step, argument, _) in enumerate(pickletools.genops(file)):
        if step.name in MEMO and argument is not None and int(argument) > n:
            _refuse(f"place {argument} in step {n}")


def read_cellpose(path: Path) -> np.ndarray:
    """Return the masks of a Cellpose `_seg.npy`, ([z,] y, x) integers.

    Raises
    ------
    FileFormatError
        If the file holds anything but plain data, or no masks.

    Notes
    -----
    Nothing in the file is executed, and nothing outside of it is changed. It is read twice.
    """
    what = "a Cellpose file of plain data"
    try:
        with path.open("rb") as file:
            npy_header(file)
            start = file.tell()
            _check_steps(file)
            file.seek(start)
            content = _value(_PlainData(file).load())
    except Exception as error:
        with named_errors(path, what):
            if not isinstance(error, pickle.UnpicklingError):
                raise
        hint = "Save the masks as TIFF (`_cp_masks.tif`) instead."
        raise FileFormatError(expected(f"{what} at {str(path)!r}", f"pickled objects ({error})", hint)) from error
    content = content.item() if isinstance(content, np.ndarray) and content.ndim == 0 else content
    masks = _value(content.get("masks")) if isinstance(content, dict) else None
    if not isinstance(masks, np.ndarray):
        names = [k for k in content if isinstance(k, str)] if isinstance(content, dict) else []
        found = f"the entries {sorted(names)}" if isinstance(content, dict) else type(content).__name__
        raise FileFormatError(expected(f"'masks' in the Cellpose file {str(path)!r}", found, "Save the masks as TIFF."))
    return masks.copy()


def _value(item: Any) -> Any:
    return item.value if isinstance(item, _Array) else item
