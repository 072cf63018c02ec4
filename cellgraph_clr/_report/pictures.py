"""Pictures under the cells of a page: images of samples, small and compressed, and outlines of cells."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr.cells.scan.columns import HIGH, LOW

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["cell_outlines", "picture_url"]

LARGEST = 2048  # pixels along the longer side of a picture
QUALITY = 80  # of WebP
MOST_POINTS = 32  # of an outline


def picture_url(picture: np.ndarray) -> str:
    """Return pixels in 0 … 1 or of 8 bits, (h, w) or (h, w, 3), as the data URL of a WebP, at most `LARGEST` along a side."""
    from PIL import Image

    pixels = picture if picture.dtype == np.uint8 else (np.nan_to_num(np.clip(picture, 0, 1)) * 255).astype(np.uint8)
    shown = Image.fromarray(pixels[..., :3] if pixels.ndim == 3 else pixels)
    if max(shown.size) > LARGEST:
        shown.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    shown.save(held, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(held.getvalue()).decode("ascii")


def cell_outlines(image: LabelImage) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return ids (n,), centres (n, 2) and outlines of the cells of a 2D label image, each (k, 2) around its centre.

    x and y in units of the spacing; the longest outline of a cell in several pieces, at most `MOST_POINTS` of its points.
    O(pixels of the boxes).
    """
    from skimage.measure import find_contours

    from cellgraph_clr.cells.scan import scan_labels

    found = scan_labels(_without_image(image), surface=False)
    step, origin = np.asarray(image.spacing), np.asarray(image.origin or (0.0, 0.0))
    centres, outlines = [], []
    for cell, box in zip(found.cell_id, found.box[:, 1:], strict=True):
        low = box[:, LOW]
        cut = tuple(slice(int(a), int(b) + 1) for a, b in zip(box[:, LOW], box[:, HIGH], strict=True))
        mask = np.pad(np.asarray(image.labels[cut]) == cell, 1)
        traced = max(find_contours(mask.astype(np.float32), 0.5), key=len)[:-1]
        place = (traced[_some(len(traced))] - 1 + low) * step + origin
        middle = place.mean(axis=0)
        centres.append(middle[::-1])
        outlines.append((place - middle)[:, ::-1])
    return np.asarray(found.cell_id), np.asarray(centres), outlines


def _some(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n, min(n, MOST_POINTS), endpoint=False).astype(int))


def _without_image(picture: LabelImage) -> Any:
    from dataclasses import replace

    return replace(picture, image=None, channels=())
