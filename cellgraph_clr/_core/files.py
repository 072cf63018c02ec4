"""The one way files are written: beside their target, brought to the disk, then renamed. A reader never sees half a file."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import CellGraphError, MissingFileError
from cellgraph_clr._core.outputs import check_output, not_written
from cellgraph_clr._core.renames import put_folder, to_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["existing_path", "replacing"]

PLACE = re.compile(r"\.cellgraph_clr-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part")  # of machine, process, writing
OPEN: set[str] = set()  # places of this process


def existing_path(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a `Path`.

    Raises
    ------
    MissingFileError
        If nothing is there; the message lists what the folder holds.
    """
    target = Path(path)
    if target.exists():
        return target
    parent = target.parent
    if parent.is_dir():
        found = f"nothing there (folder {str(parent)!r} holds {listing(sorted(p.name for p in parent.iterdir()))})"
    else:
        found = f"nothing there (the folder {str(parent)!r} does not exist either)"
    raise MissingFileError(expected(f"a file or folder at {str(target)!r}", found, "Check the path."))


@contextmanager
def replacing(path: str | os.PathLike[str], *, folder: bool = False, model: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes the place of `path`, on error it is removed.

    Parameters
    ----------
    path : what is written; a link stays one, and the file it points to is replaced. A replaced file keeps its mode.
    folder : whether it is a folder (a Zarr store).
    model : whether it is a file in safetensors, which replaces none of another kind.

    Raises
    ------
    OutputError
        As `check_output`, and for every `OSError` of the system (disk full, no rights); what was at `path` stays as it was.

    Notes
    -----
    What is written reaches the disk before it is renamed, so that a loss of power leaves the old or the new. Temporary folders
    bear the name of their process; those that a killed process left in the same folder are removed.
    """
    try:
        target = check_output(path, "store" if folder else "model" if model else "file")
        with suppress(OSError):  # a folder that may not be listed
            _clear(target.parent)
        with _place(target.parent) as (place, usual):
            beside = place / "new" / target.name
            beside.parent.mkdir()
            yield beside
            to_disk(beside)
            if target.exists():
                beside.chmod(target.stat().st_mode & 0o7777)
            elif not folder:
                beside.chmod(usual)
            if folder:
                put_folder(beside, target, aside=place / "old" / target.name)
            else:
                beside.replace(target)
            to_disk(target.parent, all_in_it=False)
    except CellGraphError:
        raise
    except OSError as error:
        raise not_written(path, error) from error


@contextmanager
def _place(parent: Path) -> Iterator[tuple[Path, int]]:
    """Give a new folder for this process alone, and the mode that new files have here; the folder is removed afterwards."""
    place = parent / f".cellgraph_clr-{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.part"
    OPEN.add(place.name)
    try:
        place.mkdir()
        mode = place.stat().st_mode
        place.chmod(mode & 0o7000 | 0o700)
        yield place, mode & 0o666
    finally:
        shutil.rmtree(place, ignore_errors=True)
        OPEN.discard(place.name)


def _clear(folder: Path) -> None:
    """Remove what processes that are no more left in a folder; a store that was moved aside is put back."""
    for left in folder.iterdir():
        named = PLACE.fullmatch(left.name)
        if named is None or named[1] != _machine() or left.name in OPEN or _runs(int(named[2])):
            continue
        for old in left.glob("old/*"):
            with suppress(OSError):  # there is a newer one
                old.rename(folder / old.name)
        shutil.rmtree(left, ignore_errors=True)


def _machine() -> str:
    """Return a name for all processes that see one another: machines and containers may share a disk."""
    with suppress(OSError):
        return hashlib.sha256(f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}".encode()).hexdigest()[:8]
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _runs(pid: int) -> bool:
    """Return whether another process of this number may be there; on Windows it always may."""
    if pid == os.getpid():  # the number of one before us: our own places are known
        return False
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
