"""Label images in memory: every form they may have, through every function that takes labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import zarr

import cellgraph_clr as cgc
from tests.robustness.case import Case, Wrong, anything, either, refused, right
from tests.robustness.oracles import check_contacts, check_measured
from tests.robustness.scenes import SPACING, cells, plain

AREA = "labels in memory"
BIG = 2**63 - 1


class Form(NamedTuple):
    """`make(labels, folder)` gives what is passed; `truth(labels)` what it stands for (the labels themselves, or None: refused)."""

    make: Callable[[np.ndarray, Path], Any]
    must: Callable[..., None] = right
    truth: Callable[[np.ndarray], np.ndarray] = np.asarray


def same(change: Callable[[np.ndarray], Any], must=right) -> Form:
    """A form of the same labels."""
    return Form(lambda a, _: change(a), must)


def other(change: Callable[[np.ndarray], Any], must=right) -> Form:
    """Other labels, which are their own truth."""
    return Form(lambda a, _: change(a), must, change)


def bad(change: Callable[[np.ndarray], Any]) -> Form:
    """What is not a label image."""
    return Form(lambda a, _: change(a), refused)


def masked(a: np.ndarray) -> np.ma.MaskedArray:
    """Labels whose first row is masked."""
    out = np.ma.masked_array(a.copy(), mask=False)
    out[0] = np.ma.masked
    return out


def pixel(a: np.ndarray, value: Any, dtype: Any = None) -> np.ndarray:
    """Labels with another value in one pixel."""
    out = np.array(a, dtype)
    out.flat[0] = value
    return out


def stored_in(kind: str, chunks: Any, a: np.ndarray, folder: Path) -> Any:
    """Labels in an HDF5 file or a Zarr array."""
    if kind == "h5":
        return h5py.File(folder / "a.h5", "w").create_dataset("a", data=a, chunks=chunks)
    out = zarr.create_array(
        folder / "a.zarr", shape=a.shape, dtype=a.dtype, chunks=chunks or a.shape, zarr_format=int(kind[-1])
    )
    out[...] = a
    return out


def dask_of(a: np.ndarray, chunks: Any) -> Any:
    """Labels as a dask array."""
    import dask.array as da

    return da.from_array(np.array(a), chunks=chunks)


def unknown_chunks(a: np.ndarray) -> Any:
    """Labels whose chunks dask does not know the size of."""
    out = dask_of(a, 4)
    return out[dask_of(np.ones(len(a), bool), 4)]


def xarray_of(a: np.ndarray) -> Any:
    """Labels with names of their axes."""
    import xarray

    return xarray.DataArray(np.array(a), dims=["z", "y", "x"][3 - a.ndim :])


def memmap_of(a: np.ndarray, folder: Path) -> Any:
    """Labels on disk."""
    np.save(folder / "m.npy", a)
    return np.load(folder / "m.npy", mmap_mode="r")


FORMS = {
    "plain": same(np.array),
    **{f"dtype {t}": same(lambda a, t=t: a.astype(t)) for t in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")},
    **{f"byte order {t}": same(lambda a, t=t: a.astype(t)) for t in (">i2", ">i4", ">u4", ">i8", ">u8", "<i4")},
    "Fortran order": same(np.asfortranarray),
    "a view backwards": same(lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1]),
    "a view of every second": same(lambda a: np.repeat(a, 2, axis=0)[::2]),
    "a transposed view": same(lambda a: np.ascontiguousarray(a.T).T),
    "a view without alignment": same(
        lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape)
    ),
    "read only": same(lambda a: a),
    "a field of a record": same(lambda a: np.rec.fromarrays([a, a], names="l,m")["l"]),
    "nested lists": same(lambda a: a.tolist()),
    "nested tuples": same(lambda a: tuple(map(tuple, a.tolist())) if a.ndim == 2 else a.tolist()),
    "memory map": Form(memmap_of),
    "xarray": same(xarray_of),
    "dask": same(lambda a: dask_of(a, 5)),
    "dask with ragged chunks": same(lambda a: dask_of(a, tuple((3, n - 3) for n in a.shape))),
    "dask in one chunk": same(lambda a: dask_of(a, -1)),
    "dask of unknown chunks": same(unknown_chunks, either),
    "h5 without chunks": Form(partial(stored_in, "h5", None)),
    "h5 with chunks": Form(lambda a, f: stored_in("h5", (3,) * a.ndim, a, f)),
    "zarr 2": Form(lambda a, f: stored_in("zarr2", (4,) * a.ndim, a, f)),
    "zarr 3": Form(lambda a, f: stored_in("zarr3", (4,) * a.ndim, a, f)),
    "zarr 3 in one chunk": Form(partial(stored_in, "zarr3", None)),
    "big endian zarr": Form(lambda a, f: stored_in("zarr3", (4,) * a.ndim, a.astype(">i4"), f)),
    "big endian h5": Form(lambda a, f: stored_in("h5", None, a.astype(">u4"), f)),
    "ids near 2**63": other(lambda a: np.where(a > 0, BIG - a, 0)),
    "ids near 2**63, unsigned": other(lambda a: np.where(a > 0, BIG - a, 0).astype(np.uint64)),
    "ids near 2**32": other(lambda a: np.where(a > 0, 2**32 - 6 + a, 0)),
    "ids near 2**31, 32 bits": other(lambda a: np.where(a > 0, 2**31 - 1 - a, 0).astype(np.int32)),
    "ids far apart": other(lambda a: np.where(a > 0, a * 10**17 + a, 0)),
    "no background": other(lambda a: a + 1),
    "one cell": other(np.ones_like),
    "one pixel of a cell": other(lambda a: pixel(np.zeros_like(a), 5)),
    "every pixel a cell": other(lambda a: np.arange(1, a.size + 1).reshape(a.shape)),
    "cells in pieces": other(lambda a: np.where(a > 0, a % 3 + 1, 0), either),
    "a plane thin as a pixel": other(lambda a: a[:1]),
    "a line along x": other(lambda a: np.atleast_2d(a[(a.shape[0] // 2,) * (a.ndim - 1)])),
    "one pixel": other(lambda a: np.full((1,) * a.ndim, 3)),
    "masked, nothing hidden": same(lambda a: np.ma.masked_array(a.copy(), mask=False)),
    "masked, some hidden": Form(lambda a, _: masked(a), either, lambda a: masked(a).filled(0)),
    "matrix": Form(lambda a, _: np.asmatrix(a) if a.ndim == 2 else a, either),
    "all background": bad(np.zeros_like),
    "empty": bad(lambda a: a[:0]),
    "empty along x": bad(lambda a: a[..., :0]),
    "a number": bad(lambda a: np.int64(3)),
    "0-d": bad(lambda a: np.array(3)),
    "1-d": bad(lambda a: a.ravel()),
    "4-d": bad(lambda a: np.zeros((2, 2, 2, 2), int) + 1),
    "negative": bad(lambda a: pixel(a, -1)),
    "least of 64 bits": bad(lambda a: pixel(a, -(2**63))),
    "beyond 64 bits": bad(lambda a: pixel(a, 2**63 + 5, np.uint64)),
    "float": bad(lambda a: a.astype(float)),
    "float with NaN": bad(lambda a: pixel(a, np.nan, float)),
    "half": bad(lambda a: a.astype(np.float16)),
    "complex": bad(lambda a: a.astype(complex)),
    "text": bad(lambda a: a.astype(str)),
    "bytes": bad(lambda a: a.astype("S3")),
    "dates": bad(lambda a: a.astype("datetime64[s]")),
    "spans of time": bad(lambda a: a.astype("timedelta64[s]")),
    "objects": bad(lambda a: a.astype(object)),
    "objects of several kinds": bad(lambda a: pixel(a, "x", object)),
    "a record": bad(lambda a: np.rec.fromarrays([a, a], names="l,m")),
    "bool": Form(lambda a, _: a > 0, either, lambda a: (a > 0).astype(int)),
    "ragged lists": bad(lambda a: [[1, 2], [3]]),
    "an empty list": bad(lambda a: []),
    "None": bad(lambda a: None),
    "a dict": bad(lambda a: {"a": a}),
    "a set": bad(lambda a: {1, 2}),
    "a generator": bad(lambda a: (row for row in a)),
    "a function": bad(lambda a: np.zeros),
    "a data frame of text": bad(lambda a: cells().obs),
    "sparse": bad(lambda a: __import__("scipy.sparse").sparse.csr_matrix(a.reshape(a.shape[0], -1))),
    "a memory view": Form(lambda a, _: memoryview(np.array(a)), either),
    "bytes of a file": bad(lambda a: a.tobytes()),
    "an empty path": bad(lambda a: ""),
    "a path with a NUL": bad(lambda a: "a\0b.tif"),
    "a long path": bad(lambda a: "x" * 300 + ".tif"),
    "a path that is not there": bad(lambda a: Path("nothing.tif")),
    "a path of the parent": bad(lambda a: ".."),
}


def of_cells(found: Any, truth: np.ndarray) -> None:
    """Raise `Wrong` unless ids are those of the labels."""
    if set(map(int, found)) != set(map(int, np.unique(truth))) - {0}:
        raise Wrong(f"cells {sorted(map(int, found))[:9]}, not {np.unique(truth)[:9]}")


def measured(given: Any, truth: np.ndarray) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """`from_labels` without an image."""
    step = SPACING.get(truth.ndim, 1.0)
    return lambda: cgc.from_labels(given, spacing=step), lambda found: check_measured(found, truth, truth[:0], step)


def measured_lit(given: Any, truth: np.ndarray):
    """`from_labels` with intensities."""
    step = SPACING.get(truth.ndim, 1.0)
    image = np.random.default_rng(3).gamma(2.0, 50.0, (2, *truth.shape))
    return lambda: cgc.from_labels(given, image, spacing=step), lambda found: check_measured(found, truth, image, step)


def touching(given: Any, truth: np.ndarray):
    """`gr.contact_graph` of what `from_labels` gives."""
    step = SPACING.get(truth.ndim, 1.0)

    def call():
        adata = cgc.from_labels(given, spacing=step)
        return adata, cgc.gr.contact_graph(adata, copy=True)

    return call, lambda found: check_contacts(*found, truth, step)


def controlled(given: Any, truth: np.ndarray):
    """`im.label_qc`."""
    return lambda: cgc.im.label_qc(given), lambda table: of_cells(table.index, truth)


def cut(given: Any, truth: np.ndarray):
    """`im.extract_patches`."""
    call = partial(cgc.im.extract_patches, given, truth.astype(float), crop_px=4)
    return call, lambda found: of_cells(found.cell_id, truth)


def walked(given: Any, truth: np.ndarray):
    """`im.sample_surfaces`."""
    return lambda: cgc.im.sample_surfaces(given, n_points=8), anything


def compared(given: Any, truth: np.ndarray):
    """`validate` of an AnnData of other cells against the labels: it is told that they differ."""

    def check(problems):
        if given is not None and not problems:
            raise Wrong("nothing to say of labels of other cells")

    return lambda: cgc.validate(cells(), given), check


USES = {f.__name__: f for f in (measured, measured_lit, touching, controlled, cut, walked, compared)}
LOOSE = {
    "walked": right,
    "compared": refused,
}  # too few points on a surface are refused; bad labels may be told of instead


def cases() -> Iterator[Case]:
    """Yield every form in 2D and 3D through every use."""
    for form, (make, must, truth) in FORMS.items():
        for use, build in USES.items():
            for d in (2, 3):
                yield Case(AREA, f"{form}, {d}D: {use}", partial(_tried, build, make, must, truth, d, LOOSE.get(use)))


def _tried(build, make, must, truth, d, loose, folder, seed):
    meant = np.asarray(plain(d) if must is refused else truth(plain(d)))
    call, check = build(make(plain(d), folder), meant)
    (either if must is loose else must)(call, check)
