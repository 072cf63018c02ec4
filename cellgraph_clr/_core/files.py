"""Files are written beside their target and renamed: a reader never sees half a file."""

from __future__ import annotations

import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import MissingFileError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["existing_path", "replacing"]


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
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes the place of `path`, on error it is removed.

    Works for files and for folders (Zarr stores).
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        yield beside
        if beside.is_dir() and target.exists():
            old = target.with_name(f".{target.name}.old.{uuid.uuid4().hex[:8]}")
            target.rename(old)
            beside.rename(target)
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        else:
            beside.replace(target)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)
