"""OME-Zarr images, plates, and folders of frames: metadata of every form that is not the right one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

import cellgraph_clr as cgc
from tests.robustness.case import Case, Wrong, anything, either, refused, right
from tests.robustness.files import check_labels
from tests.robustness.scenes import plain

AREA = "OME-Zarr, plates and folders"
DROP = object()  # a key that is taken out

AXES = [{"name": "y", "type": "space", "unit": "micrometer"}, {"name": "x", "type": "space", "unit": "micrometer"}]
SCALE = [{"type": "scale", "scale": [0.5, 0.25]}]
MULTISCALES = [{"version": "0.4", "axes": AXES, "datasets": [{"path": "0", "coordinateTransformations": SCALE}]}]
JUNK = {"null": None, "a number": 3, "text": "x", "a list": [], "a list of null": [None], "a dict": {}, "missing": DROP}


def put(value: Any, where: tuple, new: Any) -> Any:
    """Return JSON with another value at a place."""
    out = deepcopy(value)
    inner = out
    for key in where[:-1]:
        inner = inner[key]
    if new is DROP:
        del inner[where[-1]]
    else:
        inner[where[-1]] = new
    return out


FIRST = ("multiscales", 0, "datasets", 0)
PLACES = {  # every place of the metadata takes all of JUNK
    "multiscales": ("multiscales",),
    "the image": ("multiscales", 0),
    "axes": ("multiscales", 0, "axes"),
    "an axis": ("multiscales", 0, "axes", 0),
    "the name of an axis": ("multiscales", 0, "axes", 0, "name"),
    "a unit": ("multiscales", 0, "axes", 0, "unit"),
    "datasets": ("multiscales", 0, "datasets"),
    "a dataset": FIRST,
    "the path of a dataset": (*FIRST, "path"),
    "transformations": (*FIRST, "coordinateTransformations"),
    "a transformation": (*FIRST, "coordinateTransformations", 0),
    "the kind of a transformation": (*FIRST, "coordinateTransformations", 0, "type"),
    "the scale": (*FIRST, "coordinateTransformations", 0, "scale"),
    "a step of the scale": (*FIRST, "coordinateTransformations", 0, "scale", 0),
    "channels": ("omero",),
    "the list of channels": ("omero", "channels"),
    "a channel": ("omero", "channels", 0),
}
VALUES = {  # further values of some
    "axes shorter": (PLACES["axes"], AXES[:1]),
    "axes longer": (PLACES["axes"], [*AXES, {"name": "z"}]),
    "axes double": (PLACES["axes"], [AXES[0], AXES[0]]),
    "axes of other names": (PLACES["axes"], [{"name": "u"}, {"name": "v"}]),
    "axes the other way": (PLACES["axes"], AXES[::-1]),
    "axes as text": (PLACES["axes"], ["y", "x"]),
    "a path upwards": (PLACES["the path of a dataset"], "../../secret.zarr"),
    "an absolute path": (PLACES["the path of a dataset"], "/etc"),
    "a path of a group": (PLACES["the path of a dataset"], ""),
    "a path that is not there": (PLACES["the path of a dataset"], "9"),
    "a step of 0": (PLACES["a step of the scale"], 0),
    "a step below 0": (PLACES["a step of the scale"], -1),
    "a step of NaN": (PLACES["a step of the scale"], float("nan")),
    "a step of inf": (PLACES["a step of the scale"], float("inf")),
    "a step of text": (PLACES["a step of the scale"], "0.5"),
    "a scale of one step": (PLACES["the scale"], [1]),
    "a translation of text": (PLACES["transformations"], [*SCALE, {"type": "translation", "translation": "x"}]),
    "a translation of NaN": (
        PLACES["transformations"],
        [*SCALE, {"type": "translation", "translation": [float("nan")] * 2}],
    ),
    "an unknown unit": (PLACES["a unit"], "parsec"),
    "a time as unit": (PLACES["a unit"], "second"),
}


def write_image(path: Path, labels: np.ndarray, attributes: Any = None, version: int = 2) -> None:
    """Write an OME-Zarr of labels, with the metadata given or good ones."""
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    group.create_array("0", shape=labels.shape, dtype="i4", chunks=(8, 8))[...] = labels
    good = {"multiscales": MULTISCALES, "omero": {"channels": [{"label": "DNA"}]}}
    _set(path, good if attributes is None else attributes, version)


def _set(path: Path, attributes: Any, version: int = 2) -> None:
    """Write attributes beside Zarr, which would refuse some."""
    if version == 2:
        (path / ".zattrs").write_text(json.dumps(attributes))
        return
    header = json.loads((path / "zarr.json").read_text())
    (path / "zarr.json").write_text(json.dumps({**header, "attributes": {"ome": attributes}}))


DAMAGE: dict[str, Callable[[Path], object]] = {  # to what lies on disk
    "no chunk": lambda p: [
        c.unlink() for c in (p / "0").rglob("*") if c.is_file() and not c.name.startswith((".z", "zarr"))
    ][:1],
    "a chunk of noise": lambda p: (p / "0" / "0.0").write_bytes(bytes(range(200))),
    "an empty chunk": lambda p: (p / "0" / "0.0").write_bytes(b""),
    "a chunk that is a folder": lambda p: ((p / "0" / "0.0").unlink(), (p / "0" / "0.0").mkdir()),
    "attributes that are no JSON": lambda p: (p / ".zattrs").write_text("{"),
    "attributes of a list": lambda p: (p / ".zattrs").write_text("[]"),
    "attributes that nest": lambda p: (p / ".zattrs").write_text('{"multiscales":' + "[" * 5000 + "]" * 5000 + "}"),
    "an array header that is no JSON": lambda p: (p / "0" / ".zarray").write_text("{"),
    "an array header of a list": lambda p: (p / "0" / ".zarray").write_text("[]"),
    "an array without shape": lambda p: _edited(p, shape=DROP),
    "an array of a petabyte": lambda p: _edited(p, shape=[2**25, 2**25]),
    "chunks of 40 GB": lambda p: _edited(p, shape=[2**18, 2**15], chunks=[2**18, 2**15]),
    "chunks of 0": lambda p: _edited(p, chunks=[0, 0]),
    "chunks below 0": lambda p: _edited(p, chunks=[-1, 8]),
    "a dtype of objects": lambda p: _edited(p, dtype="|O"),
    "a dtype of text": lambda p: _edited(p, dtype="<U3"),
    "a dtype of floats": lambda p: _edited(p, dtype="<f4"),
    "an unknown codec": lambda p: _edited(p, compressor={"id": "nothing"}),
    "a filter of pickles": lambda p: _edited(p, filters=[{"id": "pickle"}]),
    "another version": lambda p: _edited(p, zarr_format=7),
    "zarr.json of a list": lambda p: (p / "zarr.json").write_text("[]"),
    "a folder without array": lambda p: __import__("shutil").rmtree(p / "0"),
}


def _edited(path: Path, **changes: Any) -> None:
    header = json.loads((path / "0" / ".zarray").read_text())
    for key, value in changes.items():
        header = put(header, (key,), value)
    (path / "0" / ".zarray").write_text(json.dumps(header))


# --- Plates ---

PLATE = {"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}], "version": "0.4"}}
WELL = {"well": {"images": [{"path": "0"}, {"path": "1"}]}}
PLATE_PLACES = {
    "plate": ("plate", ("plate",)),
    "wells": ("plate", ("plate", "wells")),
    "a well": ("plate", ("plate", "wells", 0)),
    "the path of a well": ("plate", ("plate", "wells", 0, "path")),
    "the well": ("well", ("well",)),
    "images": ("well", ("well", "images")),
    "an image": ("well", ("well", "images", 0)),
    "the path of an image": ("well", ("well", "images", 0, "path")),
}
OUTSIDE = (
    "../../../secret.zarr",
    "../../secret.zarr",
    "{}/secret.zarr",
    "0/../../../../secret.zarr",
    "..",
    "/",
    "0\0",
    "x" * 300,
)


def write_plate(path: Path, plate: Any = PLATE, well: Any = WELL) -> None:
    """Write an OME-Zarr plate of two wells with two fields each."""
    root = zarr.open_group(str(path), mode="w", zarr_format=2)
    for name in ("A/1", "B/2"):
        root.create_group(name)
        for field in ("0", "1"):
            write_image(path / name / field, plain(2))
        _set(path / name, well if name == "A/1" else WELL)
    _set(path, plate)


# --- Folders of frames: {name: writer} ---

FRAMES: dict[str, tuple[Callable, dict[str, Any]]] = {  # what must come; names of frames, and what they hold
    "good": (right, {"t0.tif": plain(2), "t1.tif": plain(2)}),
    "numbered by time stamps": (refused, {"t0.tif": plain(2), "t99999999999.tif": plain(2)}),
    "numbers beyond 64 bits": (refused, {"t0.tif": plain(2), f"t{10**30}.tif": plain(2)}),
    "digits of another script": (either, {"t٠.tif": plain(2), "t١.tif": plain(2)}),
    "superscripts": (either, {"t0.tif": plain(2), "t².tif": plain(2)}),
    "a gap": (refused, {"t0.tif": plain(2), "t2.tif": plain(2)}),
    "double": (refused, {"t0.tif": plain(2), "u0.tif": plain(2)}),
    "without a number": (refused, {"t.tif": plain(2)}),
    "other shapes": (refused, {"t0.tif": plain(2), "t1.tif": plain(2)[1:]}),
    "other axes": (refused, {"t0.tif": plain(2), "t1.tif": plain(3)}),
    "a truncated TIFF": (refused, {"t0.tif": plain(2), "t1.tif": b"II*\0"}),
    "a truncated npy": (refused, {"t0.npy": plain(2), "t1.npy": b"\x93NUMPY\x01\x00"}),
    "an empty npy": (refused, {"t0.npy": plain(2), "t1.npy": b""}),
    "text as TIFF": (refused, {"t0.tif": plain(2), "t1.tif": b"x" * 99}),
    "a pickle": (refused, {"t0.npy": plain(2), "t1.npy": np.array({"masks": 1}, object)}),
    "nothing": (refused, {}),
    "other files": (refused, {"notes.txt": b"x"}),
    "a folder as frame": (refused, {"t0.tif": None}),
}


def cases() -> Iterator[Case]:
    """Yield all metadata, damage, plates and folders."""
    changes = {f"{p} is {j}": (at, value) for p, at in PLACES.items() for j, value in JUNK.items()} | VALUES
    for name, (at, value) in changes.items():
        for version in (2, 3):
            yield Case(AREA, f"{name}, zarr {version}", partial(_image, at, value, version))
    for name, damage in DAMAGE.items():
        must = refused if name in ("a dtype of floats", "a dtype of text") else either
        yield Case(AREA, f"OME-Zarr with {name}", partial(_damaged, damage, must))
    for p, (part, at) in PLATE_PLACES.items():
        for j, value in JUNK.items():
            yield Case(AREA, f"plate where {p} is {j}", partial(_plate, part, at, value))
    for place in OUTSIDE:
        for part in ("well", "image"):
            yield Case(AREA, f"plate whose {part} lies at {place[:30]}", partial(_outside, part, place))
    for name, (must, frames) in FRAMES.items():
        yield Case(AREA, f"folder of frames: {name}", partial(_frames, must, frames))


def _image(at, value, version, folder, seed):
    good = {"multiscales": MULTISCALES, "omero": {"channels": [{"label": "DNA"}]}}
    write_image(folder / "a.zarr", plain(2), put(good, at, value), version)
    write_image(folder / "secret.zarr", plain(2) * 0 + 42, None, version)

    def check(found):
        got = np.asarray(found.labels)
        if got.max() == 42:
            raise Wrong("what lies outside was read")
        if got.shape == plain(2).shape:
            check_labels(found, plain(2))
        if not all(np.isfinite(v) and v > 0 for v in found.spacing):
            raise Wrong(f"spacing {found.spacing}")
        cgc.from_labels(found)

    either(lambda: cgc.read_labels(folder / "a.zarr"), check)
    either(lambda: cgc.read_labels(folder / "a.zarr", folder / "a.zarr"), anything)


def _damaged(damage, must, folder, seed):
    write_image(folder / "a.zarr", plain(2))
    damage(folder / "a.zarr")

    def read():
        found = cgc.read_labels(folder / "a.zarr")
        return found if np.prod(found.labels.shape, dtype=float) > 1e12 else cgc.from_labels(found)

    must(read, anything)


def _plate(part, at, value, folder, seed):
    parts = {"plate": PLATE, "well": WELL}
    write_plate(folder / "p.zarr", **{**parts, part: put(parts[part], at, value)})
    either(lambda: cgc.read_plate(folder / "p.zarr").image(0), anything)


def _outside(part, place, folder, seed):
    at, parts = place.format(folder), {"plate": PLATE, "well": WELL}
    where = {"well": ("plate", ("plate", "wells", 0, "path")), "image": ("well", ("well", "images", 0, "path"))}[part]
    write_plate(folder / "p.zarr", **{**parts, where[0]: put(parts[where[0]], where[1], at)})
    write_image(folder / "secret.zarr", plain(2) * 0 + 42)
    refused(lambda: cgc.read_plate(folder / "p.zarr").image(0))


def _frames(must, frames, folder, seed):
    inside = folder / "frames"
    inside.mkdir()
    for name, content in frames.items():
        if content is None:
            (inside / name).mkdir()
        elif isinstance(content, bytes):
            (inside / name).write_bytes(content)
        elif name.endswith(".npy"):
            np.save(inside / name, content, allow_pickle=True)
        else:
            tifffile.imwrite(inside / name, content.astype("u2"))

    def read():
        movie = cgc.read_movie(inside)
        return [movie.frame(t) for t in range(len(movie))]

    must(read, anything)
