"""AnnData on disk: written beside, then renamed."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr._core.files import replacing
from cellgraph_clr.adata.columns import unwritable_columns
from cellgraph_clr.io.foreign import file_to_read, named_errors

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager

    from anndata import AnnData

__all__ = ["read", "write"]


def read(path: str | os.PathLike[str]) -> AnnData:
    """Return the AnnData of an .h5ad file or a .zarr folder. Raises `MissingFileError` and `FileFormatError`."""
    import anndata as ad

    target = file_to_read(path)
    with named_errors(target, "an AnnData (.h5ad or .zarr)"):
        return ad.read_zarr(target) if target.is_dir() else ad.read_h5ad(target)


def _zarr_v3() -> AbstractContextManager[object]:
    """Return a context in which anndata writes Zarr format 3, where it lets one choose."""
    from anndata import settings

    wanted = {"zarr_write_format": 3, "auto_shard_zarr_v3": False}
    known = {k: v for k, v in wanted.items() if k in dir(settings)}
    return settings.override(**known) if known else nullcontext()


def write(adata: AnnData, path: str | os.PathLike[str]) -> Path:
    """Write .h5ad (compressed) or .zarr by suffix and return the path; an old file stays until the new one is whole.

    Raises `FileFormatError` for another suffix, and for columns that these files cannot hold.
    """
    target = Path(path)
    if target.suffix not in (".h5ad", ".zarr"):
        raise FileFormatError(expected("a path ending in .h5ad or .zarr", repr(target.name), "Choose one of them."))
    problems = unwritable_columns(adata)
    if problems:
        raise FileFormatError(expected("columns that files can hold", " ".join(problems), "Then write again."))
    with replacing(target) as beside:
        if target.suffix == ".zarr":
            with _zarr_v3(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
                adata.write_zarr(beside)
        else:
            adata.write_h5ad(beside, compression="gzip")
    return target
