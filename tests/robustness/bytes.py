"""Bytes of every kind of file changed at random: 1 to 3 of them, a piece cut out, or a piece more."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import cellgraph_clr as cgc
from tests.robustness.case import Case
from tests.robustness.files import WRITERS, written
from tests.robustness.scenes import cells, light, plain

AREA = "bytes changed at random"
TRIES = 40  # of every kind and seed


def changed(whole: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with one to three of them changed, or a piece cut off, cut out or put in."""
    if len(whole) == 0:
        return bytes(rng.integers(256, size=3).tolist())
    out = bytearray(whole)
    at = int(rng.integers(len(out) if rng.random() < 0.5 else min(len(out), 400)))  # headers as often as the rest
    kind = rng.integers(10)
    if kind == 0:
        return bytes(out[:at])
    if kind == 1:
        del out[at : at + int(rng.integers(1, 50))]
    elif kind == 2:
        out[at:at] = bytes(rng.integers(256, size=int(rng.integers(1, 50))).tolist())
    else:
        for _ in range(int(rng.integers(1, 4))):
            out[min(len(out) - 1, at + int(rng.integers(20)))] = int(rng.integers(256))
    return bytes(out)


def h5ad(path: Path) -> None:
    """Write an AnnData."""
    cgc.write(cells(), path)


def zarr_of(path: Path) -> None:
    """Write labels as Zarr."""
    import zarr

    zarr.create_array(path, shape=plain(2).shape, dtype="i4", chunks=(8, 8))[...] = plain(2)


def ome_zarr(path: Path) -> None:
    """Write an OME-Zarr."""
    from tests.robustness.zarrs import write_image

    write_image(path, plain(2))


def csv(path: Path) -> None:
    """Write a table of cells."""
    table = cells().obs[["cell_id"]].assign(anchor_x=1.0, anchor_y=range(cells().n_obs))
    table.to_csv(path, sep="\t", index=False)


def png(path: Path) -> None:
    """Write a picture."""
    from PIL import Image

    Image.fromarray(light(2)[0].clip(0, 255).astype(np.uint8)).save(path)


def field(path: Path) -> Any:
    """Return the image of a plate of one file."""
    return cgc.read_plate(path.parent, r"(?P<well>\w)\.png").image(0)


def measured(path: Path) -> Any:
    """Return the cells of a file of labels."""
    return cgc.from_labels(cgc.read_labels(path, spacing=1))


FILES: dict[str, tuple[str, Callable[[Path], object], Callable[[Path], object]]] = {  # name, writer, reader
    **{w: (WRITERS[w][1], lambda p, w=w: written(w, p.parent), measured) for w in WRITERS},
    "TIFF as frames": (
        "f0.tif",
        lambda p: written("TIFF of a plane", p.parent)[0].rename(p),
        lambda p: cgc.read_movie(p.parent).frame(0),
    ),
    "h5ad": ("a.h5ad", h5ad, cgc.read),
    "AnnData in Zarr": ("a.zarr", h5ad, cgc.read),
    "Zarr": ("a.zarr", zarr_of, measured),
    "OME-Zarr": ("a.zarr", ome_zarr, measured),
    "png on a plate": ("a.png", png, field),
    "table of MoBIE": ("a.tsv", csv, cgc.io.read_mobie_table),
    "tracks": ("man_track.txt", lambda p: p.write_text("1 0 3 0\n2 4 5 1\n3 4 5 1\n"), cgc.io.read_tracks),
}


@cache
def parts_of(kind: str) -> dict[str, bytes]:
    """Return the files, by name, that a writer makes."""
    with TemporaryDirectory() as folder:
        FILES[kind][1](Path(folder) / FILES[kind][0])
        return {
            p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()
        }


def cases() -> Iterator[Case]:
    """Yield changed files of every kind."""
    for kind in FILES:
        for number in range(TRIES):
            yield Case(AREA, f"{kind}: change {number}", partial(_changed, kind, number), seeded=True)


def _changed(kind, number, folder, seed):
    name, _, read = FILES[kind]
    rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
    parts = parts_of(kind)
    hit = list(parts)[int(rng.integers(len(parts)))]
    for part, content in parts.items():
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).write_bytes(changed(content, rng) if part == hit else content)
    read(folder / name)
