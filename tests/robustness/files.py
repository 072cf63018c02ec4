"""Files of images: by every writer, whole, cut off, and lengthened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

import cellgraph_clr as cgc
from tests.robustness.case import Case, Wrong, anything, either, refused, right, told
from tests.robustness.scenes import plain

AREA, CUT = "files of images", "cut and lengthened files"
STEPS = 50  # a file is cut after every fiftieth of it


def stack(d: int = 3, dtype: str = "u2") -> np.ndarray:
    """Return labels as small integers."""
    return plain(d).astype(dtype)


def page_by_page(path: Path, a: np.ndarray) -> None:
    """Write a TIFF as cameras do, one page after the other."""
    with tifffile.TiffWriter(path) as file:
        for page in a:
            file.write(page, contiguous=False)


def seg(path: Path, a: np.ndarray) -> None:
    """Write what Cellpose writes."""
    np.save(path, {"masks": a, "outlines": a * 0, "chan_choose": [0, 0], "filename": "cells.tif"}, allow_pickle=True)


def picture(path: Path, a: np.ndarray) -> None:
    """Write a picture of 8 bits."""
    from PIL import Image

    Image.fromarray(a.astype(np.uint8)).save(path)


UM = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
SEVERAL = "images of shape"  # of which one is read
WRITERS: dict[str, tuple[int, str, Callable[[Path, np.ndarray], object]]] = {  # axes, name of the file, writer
    "TIFF of ImageJ": (3, "a.tif", lambda p, a: tifffile.imwrite(p, a, imagej=True, metadata={"axes": "ZYX"})),
    "OME-TIFF": (3, "a.ome.tif", lambda p, a: tifffile.imwrite(p, a, metadata={"axes": "ZYX", **UM})),
    "OME-TIFF, zlib": (
        3,
        "a.ome.tif",
        lambda p, a: tifffile.imwrite(p, a, compression="zlib", metadata={"axes": "ZYX"}),
    ),
    "TIFF page by page": (3, "a.tif", page_by_page),
    "TIFF of tifffile": (3, "a.tif", tifffile.imwrite),
    "TIFF in tiles": (3, "a.tif", lambda p, a: tifffile.imwrite(p, a, tile=(16, 16), compression="zlib")),
    "BigTIFF": (3, "a.tif", lambda p, a: tifffile.imwrite(p, a, bigtiff=True)),
    "TIFF, big endian": (3, "a.tif", lambda p, a: tifffile.imwrite(p, a, byteorder=">")),
    "TIFF of a plane": (2, "a.tif", tifffile.imwrite),
    "npy": (3, "a.npy", np.save),
    "npy of a plane": (2, "a.npy", np.save),
    "npy, Fortran order": (3, "a.npy", lambda p, a: np.save(p, np.asfortranarray(a))),
    "npy, version 3": (3, "a.npy", lambda p, a: np.lib.format.write_array(p.open("wb"), a, (3, 0))),
    "seg.npy of Cellpose": (3, "a_seg.npy", seg),
    "seg.npy of a plane": (2, "a_seg.npy", seg),
}


def written(writer: str, folder: Path) -> tuple[Path, np.ndarray]:
    """Return a file that a writer wrote in a folder, and its labels."""
    d, name, write = WRITERS[writer]
    write(folder / name, stack(d))
    return folder / name, stack(d)


@cache
def bytes_of(writer: str) -> bytes:
    """Return the bytes of a file."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        return written(writer, Path(folder))[0].read_bytes()


def check_labels(found: cgc.LabelImage, labels: np.ndarray) -> None:
    """Raise `Wrong` unless a file was read as what it held."""
    got = np.asarray(found.labels)
    if got.shape != labels.shape or (got != labels).any():
        raise Wrong(f"labels of shape {got.shape}, {len(np.unique(got))} ids; the file had {labels.shape}")


WRONG_FILES: dict[str, tuple[str, Callable[[Path], object]]] = {  # refused, all of them: name of the file, writer
    "empty TIFF": ("a.tif", lambda p: p.write_bytes(b"")),
    "TIFF of 4 bytes": ("a.tif", lambda p: p.write_bytes(b"II*\0")),
    "text as TIFF": ("a.tif", lambda p: p.write_text("no image" * 40)),
    "zeros as TIFF": ("a.tif", lambda p: p.write_bytes(bytes(4000))),
    "npy as TIFF": ("a.tif", lambda p: np.save(p.open("wb"), stack())),
    "float TIFF": ("a.tif", lambda p: tifffile.imwrite(p, stack().astype("f4"))),
    "colours": ("a.tif", lambda p: tifffile.imwrite(p, np.ones((8, 8, 3), np.uint8), photometric="rgb")),
    "TIFF that points at itself": ("a.tif", lambda p: p.write_bytes(b"II*\0\x08\0\0\0\0\0\x08\0\0\0")),
    "empty npy": ("a.npy", lambda p: p.write_bytes(b"")),
    "npy of text": ("a.npy", lambda p: np.save(p, stack().astype(str))),
    "npy of floats": ("a.npy", lambda p: np.save(p, stack() * 0.5)),
    "npy of a number": ("a.npy", lambda p: np.save(p, 3)),
    "npy of a record": ("a.npy", lambda p: np.save(p, np.rec.fromarrays([[1], [2]], names="a,b"))),
    "npy of 5 axes": ("a.npy", lambda p: np.save(p, np.ones((1, 2, 3, 4, 5), int))),
    "npy of 3.6 TiB": ("a.npy", lambda p: p.write_bytes(npy_header("(1000000, 1000000)") + bytes(99))),
    "npy of a negative shape": ("a.npy", lambda p: p.write_bytes(npy_header("(-4, 4)") + bytes(99))),
    "npy of a broken header": ("a.npy", lambda p: p.write_bytes(npy_header("(3, ("))),
    "npy of code in its header": ("a.npy", lambda p: p.write_bytes(npy_header("(__import__('os').getpid(),)"))),
    "npy whose header nests": ("a.npy", lambda p: p.write_bytes(npy_header("(" * 5000))),
    "npz as npy": ("a.npy", lambda p: np.savez(p.open("wb"), a=stack())),
    "npz": ("a.npz", lambda p: np.savez(p, a=stack())),
    "png": ("a.png", lambda p: picture(p, stack(2))),
    "no suffix": ("a", lambda p: p.write_bytes(b"x")),
    "a folder named as a TIFF": ("a.tif", lambda p: p.mkdir()),
    "an empty folder": ("a", lambda p: p.mkdir()),
    "an empty Zarr": ("a.zarr", lambda p: p.mkdir()),
    "a Zarr of text": ("a.zarr", lambda p: p.write_text("x")),
    "a link to nothing": ("a.tif", lambda p: p.symlink_to("nothing")),
    "a link to itself": ("a.tif", lambda p: p.symlink_to("a.tif")),
    "a FIFO": ("a.tif", lambda p: __import__("os").mkfifo(p)),
    "a FIFO named npy": ("a.npy", lambda p: __import__("os").mkfifo(p)),
}
ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><OME><Image><Pixels>&i;</Pixels></Image></OME>"
)
DESCRIPTIONS: dict[str, Any] = {  # JSON headers of TIFFs: whatever they say, the labels are read, or the header refused
    "no spacing": {"shape": [14, 17]},
    "spacing of null": {"spacing": [None, 1]},
    "spacing of text": {"spacing": ["a", "b"]},
    "spacing of a number": {"spacing": 3},
    "spacing of NaN": {"spacing": [float("nan"), 1]},
    "spacing below 0": {"spacing": [-1, 1]},
    "spacing of 0": {"spacing": [0, 1]},
    "spacing of many": {"spacing": [1] * 9},
    "unit of a number": {"spacing": [1, 1], "unit": 3},
    "unit unknown": {"spacing": [1, 1], "unit": "parsec"},
    "another shape": {"shape": [9, 9]},
    "shape of text": {"shape": "x"},
    "a list": [1, 2],
    "a number": 3,
    "nested deep": "[" * 5000,
}
XML = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels {}/></Image></OME>'
PIXELS = 'ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="17" SizeY="14" SizeZ="1" SizeC="1" SizeT="1"'
OME: dict[str, str] = {
    "no sizes": "",
    "sizes of text": PIXELS.replace('"17"', '"a"'),
    "a size of 0": PIXELS.replace('"17"', '"0"'),
    "a size of 1e9": PIXELS.replace('SizeZ="1"', 'SizeZ="1000000000"'),
    "more planes than pages": PIXELS.replace('SizeZ="1"', 'SizeZ="5"'),
    "physical size of text": PIXELS + ' PhysicalSizeX="a"',
    "physical size of NaN": PIXELS + ' PhysicalSizeX="nan" PhysicalSizeY="1"',
    "physical size below 0": PIXELS + ' PhysicalSizeX="-1" PhysicalSizeY="1"',
    "physical size unknown": PIXELS + ' PhysicalSizeX="1" PhysicalSizeXUnit="hug" PhysicalSizeY="1"',
    "time of text": PIXELS + ' TimeIncrement="x"',
    "a file elsewhere": PIXELS + '><TiffData><UUID FileName="../b.tif">x</UUID></TiffData></Pixels><Pixels',
}


def npy_header(shape: str) -> bytes:
    """Return the header of a .npy of bytes that claims a shape."""
    text = f"{{'descr':'<i4','fortran_order':False,'shape':{shape},}}".encode()
    text += b" " * (64 - (11 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def cases() -> Iterator[Case]:
    """Yield whole, wrong, cut and lengthened files."""
    for writer in WRITERS:
        yield Case(AREA, f"{writer}: whole", partial(_whole, writer))
        for use in ("as an image", "as a movie", "in a folder of frames", "on a plate"):
            yield Case(AREA, f"{writer}: {use}", partial(_used, writer, use))
        for step in range(STEPS):
            yield Case(CUT, f"{writer}: cut at {2 * step} %", partial(_cut, writer, step))
        for more in (1, 7, 4096):
            yield Case(CUT, f"{writer}: {more} bytes more", partial(_longer, writer, more))
    for name, (file, write) in WRONG_FILES.items():
        for read, must in ((cgc.read_labels, refused), (cgc.read_movie, either), (cgc.read, refused)):
            yield Case(AREA, f"{name}: {read.__name__}", partial(_wrong, file, write, read, must), limit=4)
    for name, header in DESCRIPTIONS.items():
        text = header if isinstance(header, str) else json.dumps(header)
        yield Case(AREA, f"header, {name}", partial(_described, "a.tif", text))
    for name, pixels in OME.items():
        yield Case(AREA, f"OME-XML, {name}", partial(_described, "a.ome.tif", XML.format(pixels)))
    for name, text in {"malformed": "<OME><Image>", "entities": ENTITIES}.items():
        yield Case(AREA, f"OME-XML, {name}", partial(_described, "a.ome.tif", text))


def _whole(writer, folder, seed):
    path, truth = written(writer, folder)
    must = told(SEVERAL) if "page by page" in writer else right
    must(lambda: cgc.read_labels(path, spacing=1), lambda found: check_labels(found, truth))


def _used(writer, use, folder, seed):
    path, truth = written(writer, folder)
    d = truth.ndim
    if use == "as an image":
        either(lambda: cgc.from_labels(plain(d), path, spacing=1), lambda a: a.X)
    elif use == "as a movie":
        either(lambda: cgc.read_movie(path, path).frame(0), lambda a: a)
    elif use == "on a plate":
        either(lambda: cgc.read_plate(folder, r"(?P<well>\w).*").image(0), lambda a: a)
    else:
        for t in range(3):
            (folder / f"f{t}{path.suffix}").write_bytes(path.read_bytes())
        path.unlink()
        either(lambda: [cgc.read_movie(folder).frame(t) for t in range(3)], lambda a: a)


def _cut(writer, step, folder, seed):
    path, whole = folder / WRITERS[writer][1], bytes_of(writer)
    path.write_bytes(whole[: len(whole) * step // STEPS])
    told(SEVERAL)(
        lambda: cgc.read_labels(path, spacing=1), lambda found: check_labels(found, stack(WRITERS[writer][0]))
    )


def _longer(writer, more, folder, seed):
    path = folder / WRITERS[writer][1]
    path.write_bytes(bytes_of(writer) + bytes(more))
    told(SEVERAL)(
        lambda: cgc.read_labels(path, spacing=1), lambda found: check_labels(found, stack(WRITERS[writer][0]))
    )


def _wrong(file, write, read, must, folder, seed):
    write(folder / file)
    must(lambda: read(folder / file), anything)


def _described(file, text, folder, seed):
    tifffile.imwrite(folder / file, stack(2), description=text, metadata=None)
    either(lambda: cgc.read_labels(folder / file), lambda found: check_labels(found, stack(2)))
