"""Pictures under the cells of a page: images of samples, small and compressed, and outlines of cells."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr.cells.scan.columns import HIGH, LOW

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["cell_outlines", "data_url", "picture_url"]

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
    return data_url(held.getvalue(), "webp")


def data_url(packed: bytes, kind: str) -> str:
    """Return the bytes of a picture as a URL that holds them."""
    return f"data:image/{kind};base64,{base64.b64encode(packed).decode('ascii')}"


def cell_outlines(image: LabelImage) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return ids (n,), centres (n, 2) and outlines of the cells of a label image, each (k, 2) around its centre.

    x and y in units of the spacing; the longest outline of a cell in several pieces, at most `MOST_POINTS` of its points. In 3D
    that of the section halfway between the lowest and the highest plane of a cell, or of its largest where it is not in that
    plane. O(pixels of the boxes), in 3D of one plane of each.
    """
    from skimage.measure import find_contours

    from cellgraph_clr.cells.scan import scan_labels

    found = scan_labels(_without_image(image), surface=False)
    step, origin = np.asarray(image.spacing)[-2:], np.asarray(image.origin or (0.0, 0.0))[-2:]
    centres, outlines = [], []
    for cell, box in zip(found.cell_id, found.box[:, 3 - image.ndim :], strict=True):
        low = box[-2:, LOW]
        mask = np.pad(_section(image.labels, box) == cell, 1)
        if not mask.any():
            cut = tuple(slice(int(a), int(b) + 1) for a, b in zip(box[:, LOW], box[:, HIGH], strict=True))
            sections = np.asarray(image.labels[cut]) == cell
            mask = np.pad(sections[sections.sum(axis=(1, 2)).argmax()], 1)
        traced = max(find_contours(mask.astype(np.float32), 0.5), key=len)[:-1]
        place = (traced[_some(len(traced))] - 1 + low) * step + origin
        middle = place.mean(axis=0)
        centres.append(middle[::-1])
        outlines.append((place - middle)[:, ::-1])
    return np.asarray(found.cell_id), np.asarray(centres), outlines


def _section(labels: Any, box: np.ndarray) -> np.ndarray:
    """Return the labels of a box, of a volume those halfway between its lowest and highest plane."""
    flat = tuple(slice(int(a), int(b) + 1) for a, b in zip(box[-2:, LOW], box[-2:, HIGH], strict=True))
    middle = () if len(box) == 2 else (int(box[0, LOW] + box[0, HIGH]) // 2,)
    return np.asarray(labels[(*middle, *flat)])


def _some(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n, min(n, MOST_POINTS), endpoint=False).astype(int))


def _without_image(picture: LabelImage) -> Any:
    from dataclasses import replace

    return replace(picture, image=None, channels=())
