"""Arrays as people hold them: what cannot be labels or intensities is refused before work starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import LabelImageError, NonFiniteError
from cellgraph_clr._core.notices import warn
from cellgraph_clr.cells.blocks import array_like, is_dask

__all__ = ["given_image", "given_labels"]


def given_labels(labels: Any) -> Any:
    """Return labels as an array of integers; masked pixels are background, which a UserWarning says.

    Raises
    ------
    LabelImageError
        For other types than integers, matrices, and dask arrays of unknown or masked chunks; where a chunk is computed, for one
        of another shape or dtype than the array declares.
    """
    labels = _plain(labels, "labels")
    if labels.dtype.kind not in "iu":
        raise LabelImageError(
            expected(
                "integer labels",
                f"dtype {labels.dtype}",
                "Pass the segmentation (ids per pixel), not an intensity image; a mask is labelled by "
                "`skimage.measure.label(mask)`.",
            )
        )
    if not isinstance(labels, np.ma.MaskedArray):
        return labels
    n = int(np.ma.count_masked(labels))
    if n:
        warn(f"{n} masked pixels of the labels are taken as background (0).")
    return labels.filled(0)


def given_image(image: Any) -> Any:
    """Return intensities as an array of real numbers.

    Raises
    ------
    LabelImageError
        For text, dates, complex numbers and objects, matrices, and dask arrays of unknown, masked or wrongly declared chunks.
    NonFiniteError
        For masked pixels.
    """
    image = _plain(image, "an image")
    if image.dtype.kind not in "biuf":
        remedy = "Pass numbers; of complex ones the magnitude, `np.abs(image)`."
        raise LabelImageError(expected("an image of real numbers", f"dtype {image.dtype}", remedy))
    if not isinstance(image, np.ma.MaskedArray):
        return image
    n = int(np.ma.count_masked(image))
    if n:
        remedy = "Fill them (`image.filled(0)`), or mask the labels there instead."
        raise NonFiniteError(expected("an image without masked pixels", f"{n} of them", remedy))
    return image.data


def _plain(array: Any, what: str) -> Any:
    """Return an array as `array_like` does. Raises `LabelImageError` for forms of arrays that are not read as they look."""
    array = array_like(array)
    if isinstance(array, np.matrix):
        raise LabelImageError(expected(f"{what} in an array", "a matrix", "Pass `np.asarray(matrix)`."))
    if np.isnan(np.array(array.shape, float)).any():  # dask does not know
        remedy = "Call `array.compute_chunk_sizes()` first."
        raise LabelImageError(expected(f"{what} of a known shape", f"chunks of unknown size {array.shape}", remedy))
    if not isinstance(array, np.ndarray) and isinstance(getattr(array, "_meta", None), np.ma.MaskedArray):
        remedy = "Fill them: `dask.array.ma.filled(array, 0)`."
        raise LabelImageError(expected(f"{what} without masked chunks", "a masked dask array", remedy))
    return _watched(array, what) if is_dask(array) else array


def _watched(array: Any, what: str) -> Any:
    """Return a dask array whose chunks are looked at when they are computed. O(chunks)."""
    return array.map_blocks(_as_declared, what, array.dtype, dtype=array.dtype, meta=array._meta)  # noqa: SLF001 - as dask itself


def _as_declared(chunk: Any, what: str, dtype: np.dtype, block_info: Any = None) -> Any:
    """Return a chunk of a dask array. Raises `LabelImageError` where it is another one than the array says."""
    shape = tuple(b - a for a, b in block_info[0]["array-location"])
    if isinstance(chunk, np.ma.MaskedArray):
        found = "one with a mask"
    elif getattr(chunk, "shape", None) != shape or chunk.dtype != dtype:
        found = f"shape {getattr(chunk, 'shape', None)}, dtype {getattr(chunk, 'dtype', type(chunk).__name__)}"
    else:
        return chunk
    remedy = "What makes the chunks gives others than the dask array declares: pass it their dtype, chunks and meta."
    raise LabelImageError(expected(f"chunks of {what} of shape {shape} and dtype {dtype}, as declared", found, remedy))
