"""What is to be written, looked at before work starts: it can be written there, and nothing else is lost by it."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import CellGraphError, OptionError, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_apart", "check_output", "not_written"]

Kind = Literal["file", "model", "store", "folder"]
ZARR = ("zarr.json", ".zgroup", ".zarray", ".zattrs")  # one of them lies in the root of a Zarr store
OURS = (".h5ad", ".zarr", ".safetensors", ".ckpt", ".npz", ".csv", ".html", ".png", ".pdf", ".svg")
HDF5 = b"\x89HDF\r\n\x1a\n"
USER_BLOCKS = (0, 512, 1024, 2048)  # where an HDF5 file may begin
PICTURES = (".png", ".pdf", ".svg")
MAKERS = (b"Matplotlib", b"matplotlib")  # Matplotlib names itself in each of them
PAGE = b'<meta name="generator" content="cellgraph_clr'  # in the head of a page of `report`
TEXT = 8192  # bytes in which what is no text has a NUL
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def not_written(path: str | os.PathLike[str], reason: object) -> OutputError:
    """Return the error for a path that cannot be written, with the reason of an `OSError` or in words."""
    number = reason.errno if isinstance(reason, OSError) else None
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    remedy = "Free some space, or choose another disk." if number in NO_ROOM else "Choose another path."
    return OutputError(expected(f"{os.fspath(path)!r} to be writable", " ".join(text.split()), remedy))


def check_output(path: str | os.PathLike[str], kind: Kind = "file") -> Path:
    """Return the path that is written: links are followed.

    Parameters
    ----------
    path : where to write, in a folder that is there: one that is missing is often one that is misspelled.
    kind : a "file"; a "model" is one in safetensors, whatever its suffix; a "store" is a Zarr folder that is replaced as a whole;
        a "folder" has files written into it, and will be made.

    Raises
    ------
    OutputError
        If the folder is missing or cannot be written to, or what lies at `path` is not replaced: a file replaces a regular file
        (an .h5ad an HDF5 file, a model a safetensors file, a .csv a text, a .png, .pdf or .svg one that Matplotlib drew, an
        .html one of `report`, or one that is empty), a store an AnnData store or an empty folder.

    Notes
    -----
    A nameless file is made and removed in the folder: rights alone tell little (root, read-only disks, quotas).
    """
    try:
        target = Path(os.path.realpath(path))
        found = _found(target)
        in_its_way = _in_the_way(target, found, kind)
        if in_its_way:
            raise not_written(path, in_its_way)
        if not target.parent.exists():
            remedy = "Make it first, or choose another path."
            raise OutputError(
                expected(f"the folder of {os.fspath(path)!r} to be there", f"no folder {str(target.parent)!r}", remedy)
            )
        folder = target if kind == "folder" and found is not None else target.parent
        with tempfile.TemporaryFile(dir=folder):
            pass
    except CellGraphError:
        raise
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        raise not_written(path, error) from error
    return target


def _found(target: Path) -> int | None:
    """Return the mode of what lies at a path, None for nothing. Raises `OSError` for names that cannot be."""
    try:
        return target.lstat().st_mode
    except FileNotFoundError:
        return None


def _in_the_way(target: Path, found: int | None, kind: Kind) -> str:
    """Return in words what lies at a path, "" for nothing or what an output of this kind replaces."""
    if found is None:
        return ""
    if not (stat.S_ISREG(found) or stat.S_ISDIR(found)):
        return "something there that is no file"
    is_file = kind in ("file", "model")
    if stat.S_ISREG(found) != is_file:
        return "a file there" if stat.S_ISREG(found) else "a folder there"
    if not os.access(target, os.W_OK):
        return "a write-protected file there" if is_file else "a write-protected folder there"
    if is_file and target.stat().st_size > 0:
        return _of_another_kind(target, kind)
    if kind == "store" and any(target.iterdir()) and not _is_anndata(target):
        return "a folder there that holds something else than an AnnData"
    return ""


def _of_another_kind(target: Path, kind: Kind) -> str:
    """Return in words that a file bears the name of a kind that it is not of, "" if it does not."""
    suffix = target.suffix.lower()
    if kind == "model" or suffix == ".safetensors":
        with target.open("rb") as file:
            length, first = int.from_bytes(file.read(8), "little"), file.read(1)
        whole = first == b"{" and 8 + length <= target.stat().st_size
        return "" if whole else "a file there that is no saved model (safetensors)"
    if suffix == ".h5ad":
        with target.open("rb") as file:
            found = [file.seek(place) == place and file.read(len(HDF5)) for place in USER_BLOCKS]
        return "" if HDF5 in found else "a file there that is no HDF5, and was not written as .h5ad"
    if suffix in PICTURES:
        with target.open("rb") as file:
            first = file.read(TEXT)
            file.seek(-min(TEXT, target.stat().st_size), os.SEEK_END)
            drawn = any(name in part for name in MAKERS for part in (first, file.read()))
        return "" if drawn else "a file there that Matplotlib did not draw: an image that may be data"
    if suffix in (".html", ".htm"):
        with target.open("rb") as file:
            return "" if PAGE in file.read(TEXT) else "a page there that `report` did not write"
    if suffix == ".csv":
        with target.open("rb") as file:
            return "a file there that is no text, and was not written as .csv" if b"\0" in file.read(TEXT) else ""
    return ""


def _is_anndata(folder: Path) -> bool:
    """Return whether a folder is an AnnData in Zarr, of format 2 or 3."""
    for name, inside in ((".zattrs", ()), ("zarr.json", ("attributes",))):
        try:
            about = json.loads((folder / name).read_text())
            for key in inside:
                about = about[key]
            if about["encoding-type"] == "anndata":
                return True
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return False


def check_apart(
    outputs: Sequence[str | os.PathLike[str] | None], inputs: Sequence[str | os.PathLike[str] | None]
) -> None:
    """Raise `OptionError` for an output that is an input or another output, lies in one, or holds one; None is left out.

    Links, hard links and slashes at the end are seen through. Files may be written beside the images of an input folder, but
    not in a Zarr store, nor over a file that is no output of ours.
    """
    written = [Path(p) for p in outputs if p is not None]
    read = [Path(p) for p in inputs if p is not None]
    for i, path in enumerate(written):
        for other in written[:i]:
            if _same(path, other) or _below(path, other) or _below(other, path):
                remedy = "Choose another name for one of them."
                raise OptionError(expected("outputs in places of their own", f"{path.name} and {other.name}", remedy))
        for source in read:
            if _same(path, source) or _below(source, path):
                remedy = "Choose another name."
                raise OptionError(expected("another file to write than those read", path.name, remedy))
            foreign = path.exists() and path.suffix.lower() not in OURS
            if _below(path, source) and (foreign or any((source / name).exists() for name in ZARR)):
                found, remedy = f"{path.name} in {source.name}", "Write beside it."
                raise OptionError(expected("an output outside of what is read", found, remedy))


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b) or (a.exists() and b.exists() and a.samefile(b))


def _below(inner: Path, outer: Path) -> bool:
    """Return whether a path lies in a folder."""
    return Path(os.path.realpath(outer)) in Path(os.path.realpath(inner)).parents
