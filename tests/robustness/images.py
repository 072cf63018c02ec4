"""Intensity images, spacing and nuclei beside good labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import cellgraph_clr as cgc
from tests.robustness.case import Case, either, refused, right
from tests.robustness.labels import dask_of, pixel, stored_in, xarray_of
from tests.robustness.oracles import check_measured
from tests.robustness.scenes import SPACING, light, plain

AREA = "images and scales in memory"


def as_dtype(dtype: str) -> tuple:
    """Intensities of another dtype: right."""
    return right, lambda a, f: (a * 1).astype(dtype), None


def hidden(a: np.ndarray) -> np.ma.MaskedArray:
    """Intensities with one pixel hidden that would be very bright."""
    out = np.ma.masked_array(pixel(a, 1e6), mask=False)
    out[(0,) * a.ndim] = np.ma.masked
    return out


IMAGES: dict[
    str, tuple[Callable, Callable, Any]
] = {  # what must come, what is passed, its truth where it is not what is passed
    **{f"dtype {t}": as_dtype(t) for t in ("u1", "i2", ">u2", "u4", "i8", "u8", "f2", "f4", ">f4", ">f8", "f8", "g")},
    "Fortran order": (right, lambda a, f: np.asfortranarray(a), None),
    "a view": (right, lambda a, f: np.repeat(a, 2, axis=-1)[..., ::2], None),
    "one channel without its axis": (right, lambda a, f: a[0], lambda a: a[:1]),
    "bool": (either, lambda a, f: a > 90, lambda a: (a > 90).astype(float)),
    "h5 without chunks": (right, lambda a, f: stored_in("h5", None, a, f), np.asarray),
    "h5 with chunks": (right, lambda a, f: stored_in("h5", (1, *(4,) * (a.ndim - 1)), a, f), np.asarray),
    "zarr": (right, lambda a, f: stored_in("zarr3", (1, *(4,) * (a.ndim - 1)), a, f), np.asarray),
    "dask": (right, lambda a, f: dask_of(a, 5), np.asarray),
    "xarray": (right, lambda a, f: xarray_of(a[0]), lambda a: a[:1]),
    "lists": (right, lambda a, f: a.tolist(), np.asarray),
    "1e30": (right, lambda a, f: a * 1e28, None),
    "1e-30": (right, lambda a, f: a * 1e-30, None),
    "all alike": (right, lambda a, f: np.full_like(a, 3.7), None),
    "all 0": (right, lambda a, f: np.zeros_like(a), None),
    "negative": (right, lambda a, f: -a, None),
    "offset 1e9": (right, lambda a, f: a + 1e9, None),
    "1e160": (either, lambda a, f: pixel(a, 1e160), None),
    "integers of 2**62": (either, lambda a, f: a.astype(np.int64) + 2**62, None),
    "NaN": (refused, lambda a, f: np.where(a > 150, np.nan, a), None),
    "all NaN": (refused, lambda a, f: a * np.nan, None),
    "inf": (refused, lambda a, f: np.where(a > 150, np.inf, a), None),
    "-inf": (refused, lambda a, f: np.where(a > 150, -np.inf, a), None),
    "masked": (either, lambda a, f: hidden(a), lambda a: a * np.nan),  # no number is right: refused
    "masked, nothing hidden": (right, lambda a, f: np.ma.masked_array(a.copy(), mask=False), np.asarray),
    "text": (refused, lambda a, f: a.astype(str), None),
    "bytes": (refused, lambda a, f: a.astype("S8"), None),
    "dates": (refused, lambda a, f: a.astype("i8").astype("datetime64[s]"), None),
    "spans of time": (refused, lambda a, f: a.astype("i8").astype("timedelta64[s]"), None),
    "complex": (refused, lambda a, f: a + 1j, None),
    "objects": (refused, lambda a, f: a.astype(object), None),
    "a record": (refused, lambda a, f: np.rec.fromarrays([a, a], names="l,m"), None),
    "one row less": (refused, lambda a, f: a[:, 1:], None),
    "transposed": (refused, lambda a, f: np.swapaxes(a, -1, -2), None),
    "channels last": (refused, lambda a, f: np.moveaxis(a, 0, -1), None),
    "an axis more": (refused, lambda a, f: a[None], None),
    "1-d": (refused, lambda a, f: a.ravel(), None),
    "0-d": (refused, lambda a, f: np.array(3.0), None),
    "no channel": (refused, lambda a, f: a[:0], None),
    "a number": (refused, lambda a, f: 7, None),
    "a dict": (refused, lambda a, f: {}, None),
    "a path that is not there": (refused, lambda a, f: "nothing.tif", None),
}

SCALES: dict[str, tuple[Callable, Any]] = {
    "a number": (right, 0.5),
    "an int": (right, 2),
    "NumPy's number": (right, np.float32(0.5)),
    "an array": (right, np.array([0.5, 0.5])),
    "1e-12": (right, (1e-12, 1e-12)),
    "1e-300": (either, (1e-300, 1.0)),
    "1e200": (either, (1e200, 1e200)),
    "1 to 1e9": (either, (1, 1e9)),
    "0": (refused, 0),
    "negative": (refused, (1, -1)),
    "NaN": (refused, (1, np.nan)),
    "inf": (refused, np.inf),
    "text": (refused, "ab"),
    "a number as text": (refused, "1"),
    "texts": (refused, ("a", "b")),
    "None inside": (refused, (None, 1)),
    "nested": (refused, [[1, 1]]),
    "empty": (refused, ()),
    "three": (refused, (1, 1, 1)),
    "complex": (refused, 1j),
    "bool": (either, True),
    "a dict": (refused, {"y": 1, "x": 1}),
    "objects": (refused, np.array([object(), object()])),
    "a set": (refused, {1, 2}),
}

USES = {
    "from_labels": lambda *a, **k: cgc.from_labels(*a, **k),
    "LabelImage.build": lambda *a, **k: cgc.from_labels(cgc.LabelImage.build(*a, **k)),
}


def cases() -> Iterator[Case]:
    """Yield every image in 2D and 3D, every scale, and nuclei of every form of labels."""
    for name, (must, make, truth) in IMAGES.items():
        for use in USES:
            for d in (2, 3):
                yield Case(AREA, f"image {name}, {d}D: {use}", partial(_image, USES[use], must, make, truth, d))
    for name, (must, spacing) in SCALES.items():
        for use in USES:
            yield Case(AREA, f"spacing {name}: {use}", partial(_spacing, USES[use], must, spacing))


def _image(use, must, make, truth, d, folder, seed):
    given = make(light(d), folder)
    meant = truth(light(d)) if truth else (np.asarray(given, float) if must is not refused else light(d))
    must(
        lambda: use(plain(d), given, spacing=SPACING[d]),
        lambda found: check_measured(found, plain(d), meant, SPACING[d]),
    )


def _spacing(use, must, spacing, folder, seed):
    step = np.ones(2) * np.asarray(spacing, float) if must is not refused else np.ones(2)
    must(
        lambda: use(plain(2), light(2), spacing=spacing),
        lambda found: check_measured(found, plain(2), light(2), step),
    )
