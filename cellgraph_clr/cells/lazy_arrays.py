"""Arrays that stand for others: sliced as NumPy arrays, and read only where they are sliced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["InPlanes", "OneChannel", "OneChannelFrames", "RowsAsPlanes", "Squeezed"]


class InPlanes:
    """A stored array without chunks, read in pieces of whole planes along its first axis."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.dtype, self.ndim = tuple(array.shape), array.dtype, array.ndim
        self.chunks = (1, *self.shape[1:])

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the values of slices."""
        return np.asarray(self._array[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001
        """Return the whole array."""
        return np.asarray(self._array[...], dtype)


class RowsAsPlanes:
    """A 2D array (y, x) that is sliced as (y, 1, x), so that one code serves both."""

    def __init__(self, array: Any) -> None:
        self.array, self.dtype = array, array.dtype
        self.shape = (array.shape[0], 1, array.shape[1])

    def __getitem__(self, key: tuple[slice, slice, slice]) -> np.ndarray:
        """Return the values of the rows and columns asked for."""
        return np.asarray(self.array[key[0], key[2]])[:, None, :]


class Squeezed:
    """A chunked array with some axes fixed at index 0; the others keep their order and are sliced as usual."""

    def __init__(self, array: Any, fixed: Sequence[int]) -> None:
        self.array, self._fixed = array, set(fixed)
        kept = [a for a in range(array.ndim) if a not in self._fixed]
        self.shape = tuple(array.shape[a] for a in kept)
        self.chunks = tuple(array.chunks[a] for a in kept)
        self.dtype, self.ndim = array.dtype, len(kept)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the values of slices over the axes that are kept."""
        rest = iter(key if isinstance(key, tuple) else (key,))
        full = tuple(0 if a in self._fixed else next(rest, slice(None)) for a in range(self.array.ndim))
        return np.asarray(self.array[full])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001
        """Return the whole array."""
        return np.asarray(self[tuple(slice(None) for _ in self.shape)], dtype)


class OneChannel:
    """A chunked image without a channel axis ([z,] y, x) that is sliced with one."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape, self.chunks = (1, *array.shape), (1, *array.chunks)
        self.dtype, self.ndim = array.dtype, array.ndim + 1

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return the values with the channel axis in front."""
        key = key if isinstance(key, tuple) else (key,)
        return np.asarray(self._array[key[1:]])[None][key[0]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001
        """Return the whole array."""
        return np.asarray(self._array, dtype)[None]


class OneChannelFrames:
    """Frames without a channel axis, seen as (t, 1, [z,] y, x)."""

    def __init__(self, frames: Any) -> None:
        self._frames = frames
        self.shape = (frames.shape[0], 1, *frames.shape[1:])
        self.dtype, self.ndim, self.chunks = frames.dtype, frames.ndim + 1, (1, 1, *frames.shape[1:])

    def __getitem__(self, t: int) -> np.ndarray:
        """Return the values of a frame with the channel axis in front."""
        return np.asarray(self._frames[t])[None]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001
        """Return the whole array."""
        return np.array(np.asarray(self._frames)[:, None], dtype=dtype, copy=copy)
