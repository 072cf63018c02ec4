"""What makes a rename safe: data on the disk before it, and folders exchanged in one step."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from cellgraph_clr._core.outputs import check_output

__all__ = ["put_folder", "to_disk"]

EXCHANGE = 2  # RENAME_EXCHANGE of Linux
HERE = -100  # AT_FDCWD: paths as they are
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
TRIES = 100  # other writers may come first


def to_disk(path: Path, *, all_in_it: bool = True) -> None:
    """Wait until a file, or a folder with all in it, is on the disk. Raises `OSError` where files cannot be written."""
    if not path.is_dir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        return
    if all_in_it:
        for inner in path.iterdir():
            to_disk(inner)
    with suppress(OSError):  # systems that have no such thing for folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def put_folder(new: Path, target: Path, *, aside: Path) -> None:
    """Rename a folder to `target`; what is there, a store or an empty folder, is then at `new` or `aside`.

    Where the system can exchange folders (Linux), there is a whole one at `target` at every moment; elsewhere there is none
    between two renames. Raises `OSError`, and `OutputError` if something else has come to be at `target`.
    """
    for _ in range(TRIES):
        try:
            new.rename(target)  # nothing there, or an empty folder
        except OSError as error:
            if error.errno not in TAKEN:
                raise
        else:
            return
        check_output(target, "store")
        with suppress(FileNotFoundError):  # another writer is moving it
            if _exchanged(new, target) or _moved(new, target, aside):
                return
    raise FileExistsError(errno.EEXIST, "others write it all the time", str(target))


def _exchanged(a: Path, b: Path) -> bool:
    """Exchange two folders in one step; False where the system cannot."""
    if sys.platform != "linux":
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(HERE, os.fsencode(a), HERE, os.fsencode(b), EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL):  # the kernel, or the file system
        return False
    raise OSError(number, os.strerror(number), str(b))


def _moved(new: Path, target: Path, aside: Path) -> bool:
    """Move what is at `target` aside and `new` there; False, all being as before, where another writer came between."""
    shutil.rmtree(aside, ignore_errors=True)  # of the last try
    aside.parent.mkdir(exist_ok=True)
    target.rename(aside)
    try:
        new.rename(target)
    except OSError as error:
        with suppress(OSError):
            aside.rename(target)
        if error.errno not in TAKEN:
            raise
        return False
    return True
