"""AnnData on disk: written beside, then renamed."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError, OutputError
from cellgraph_clr._core.files import replacing
from cellgraph_clr._core.interrupts import interrupts_wait
from cellgraph_clr._core.outputs import check_output
from cellgraph_clr.adata.columns import unwritable_columns
from cellgraph_clr.io.foreign import file_to_read, named_errors
from cellgraph_clr.io.held_files import HeldFile

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager

    from anndata import AnnData

__all__ = ["check_write", "read", "write"]


OTHERS = {  # what is no AnnData, and how to read it
    (".tif", ".tiff", ".npy"): "Read labels by `cgc.read_labels`, or pass the path to `cgc.from_labels`.",
    (".csv", ".tsv", ".parquet"): "Read it by pandas, then `cgc.from_table`.",
}


@checked
def read(path: str | os.PathLike[str]) -> AnnData:
    """Return the AnnData of an .h5ad file or a .zarr folder. Raises `MissingFileError` and `FileFormatError`.

    Parameters
    ----------
    path : str or path-like
        A .h5ad file or a .zarr folder.

    Returns
    -------
    AnnData
        The AnnData of an .h5ad file or a .zarr folder. Raises `MissingFileError` and `FileFormatError`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.write(adata, "cells.h5ad")
    PosixPath('cells.h5ad')
    >>> cgc.read("cells.h5ad").shape == adata.shape
    True
    """
    import anndata as ad

    target = file_to_read(path)
    remedy = next((r for suffixes, r in OTHERS.items() if target.suffix.lower() in suffixes), None)
    if remedy is not None:
        raise FileFormatError(expected("an AnnData (.h5ad or .zarr)", repr(target.name), remedy))
    with named_errors(target, "an AnnData (.h5ad or .zarr)"):
        return ad.read_zarr(target) if target.is_dir() else ad.read_h5ad(target)


def _zarr_v3() -> AbstractContextManager[object]:
    """Return a context in which anndata writes Zarr format 3, where it lets one choose."""
    from anndata import settings

    wanted = {"zarr_write_format": 3, "auto_shard_zarr_v3": False}
    known = {k: v for k, v in wanted.items() if k in dir(settings)}
    return settings.override(**known) if known else nullcontext()


@checked
def check_write(path: str | os.PathLike[str]) -> Path:
    """Return the path of an AnnData to write. Raises `FileFormatError` for its suffix, `OutputError` as `check_output`."""
    target = Path(path)
    if target.suffix not in (".h5ad", ".zarr"):
        raise FileFormatError(expected("a path ending in .h5ad or .zarr", repr(target.name), "Choose one of them."))
    check_output(target, "store" if target.suffix == ".zarr" else "file")
    return target


@checked
def write(adata: AnnData, path: str | os.PathLike[str]) -> Path:
    """Write .h5ad (compressed) or .zarr by suffix and return the path; an old file stays until the new one is whole.

    Parameters
    ----------
    adata : AnnData
        What is written.
    path : str or path-like
        A file, or for .zarr a folder; a folder is replaced if it is empty or an AnnData. Links are followed.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    FileFormatError
        For another suffix, and for columns that these files cannot hold.
    OutputError
        If it cannot be written there (full disk, no rights, another folder), or holds what files cannot.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.write(adata, "cells.h5ad")
    PosixPath('cells.h5ad')
    >>> cgc.read("cells.h5ad").shape == adata.shape
    True
    """
    target = check_write(path)
    problems = unwritable_columns(adata)
    if problems:
        raise FileFormatError(
            expected("columns that files can hold", " ".join(problems).rstrip("."), "Then write again.")
        )
    with replacing(target, folder=target.suffix == ".zarr") as beside:
        try:
            (_write_zarr if target.suffix == ".zarr" else _write_h5ad)(adata, beside)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # of anndata, h5py and zarr: many kinds
            reason = f"{type(error).__name__}: {' '.join([str(error), *getattr(error, '__notes__', [])])}"
            remedy = "Change it, or leave it out."
            raise OutputError(expected("an AnnData that files can hold", " ".join(reason.split()), remedy)) from error
    return target


def _write_zarr(adata: AnnData, path: Path) -> None:
    """Write a Zarr store; where that fails no thread goes on writing afterwards."""
    from zarr.core.sync import sync

    async def others() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*tasks, return_exceptions=True)

    with _zarr_v3(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        try:
            adata.write_zarr(path)
        except Exception:
            sync(others())
            raise


def _write_h5ad(adata: AnnData, path: Path) -> None:
    """Write a compressed .h5ad, as `AnnData.write_h5ad`; Ctrl-C waits. Raises `OSError` where the disk has no room."""
    import h5py
    from anndata.io import write_elem

    adata.strings_to_categoricals()
    if adata.raw is not None:
        adata.strings_to_categoricals(adata.raw.var)
    with interrupts_wait(), HeldFile(path, "w+") as file:
        with h5py.File(file, "w") as store:
            write_elem(store, "/", adata, dataset_kwargs={"compression": "gzip"})
            if adata.raw is None and "raw" in store:  # an empty one, which anndata does not read in backed mode
                del store["raw"]
        if file.refused is not None:
            raise file.refused
