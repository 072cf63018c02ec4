"""What is worked on: the AnnData itself or a copy, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import CellGraphError

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["check_anndata", "check_in_memory", "check_writable", "own_or_copy"]


def check_anndata(adata: object) -> None:
    """Raise `CellGraphError` for anything but an AnnData."""
    if not hasattr(adata, "is_view"):
        remedy = "Read it from its file: `cgc.read`."
        raise CellGraphError(expected("an AnnData", type(adata).__name__, remedy))


def check_in_memory(adata: AnnData) -> None:
    """Raise `CellGraphError` for an AnnData whose `X` stays on disk, and for anything else."""
    check_anndata(adata)
    if adata.isbacked:
        found = f"one backed by {str(adata.filename)!r}"
        raise CellGraphError(expected("an AnnData in memory", found, "Read it into memory: `to_memory`."))


def check_writable(adata: AnnData) -> None:
    """Raise `CellGraphError` for anything but an AnnData, and for a selection of one on disk: results cannot be written to it."""
    check_anndata(adata)
    if adata.is_view:
        check_in_memory(adata)


def own_or_copy(adata: AnnData, *, copy: bool) -> AnnData:
    """Return a copy where one is asked for, else `adata`; raises `CellGraphError` for what cannot be copied or written to."""
    if not copy:
        check_writable(adata)
        return adata
    check_in_memory(adata)
    return adata.copy()
