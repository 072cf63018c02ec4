"""Which cell, of which sample and which frame, every row is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr._core.ids import as_whole
from cellgraph_clr.adata.copies import check_anndata
from cellgraph_clr.adata.keys import PACKAGE_KEY
from cellgraph_clr.adata.provenance import entries_of

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["cell_ids", "frame_of", "sample_column", "sample_of"]


def cell_ids(adata: AnnData) -> np.ndarray:
    """Return `obs["cell_id"]` (n,) int64.

    Raises `MissingKeyError` without the column, `CellGraphError` for ids that are no whole numbers of 0 and above.
    """
    check_anndata(adata)
    remedy = "It holds the ids in the labels. Query by `obs_names` instead."
    check_key("cell_id", list(adata.obs.columns), where="adata.obs", remedy=remedy)
    remedy = "Keep text ids in `obs_names` and drop the column."
    return as_whole(adata.obs["cell_id"].to_numpy(), "obs['cell_id']", remedy=remedy)


def frame_of(adata: AnnData) -> np.ndarray:
    """Return the frame of every cell (n,) int64, 0 without `obs["frame"]`.

    Raises `CellGraphError` for frames that are no whole numbers.
    """
    check_anndata(adata)
    if "frame" not in adata.obs:
        return np.zeros(adata.n_obs, np.int64)
    remedy = "Number the frames, or rename the column."
    return as_whole(adata.obs["frame"].to_numpy(), "obs['frame']", low=None, remedy=remedy)


def sample_column(adata: AnnData) -> str | None:
    """Return the `obs` column of the samples where none is named; None where all cells are of one.

    That which `concat` recorded, "library_id", or the one that the graph "spatial" was made with.
    """
    recorded = entries_of(adata, PACKAGE_KEY).get("library_key", "library_id")
    of_graph = entries_of(adata, "spatial_neighbors", "params").get("library_key")
    return next((key for key in (recorded, of_graph) if isinstance(key, str) and key in adata.obs), None)


def sample_of(adata: AnnData, library_key: str | None, *, option: str = "library_key") -> np.ndarray:
    """Return the sample of every cell as str.

    `library_key` None takes `sample_column`. `option` is what the column was named by. Raises `MissingKeyError` for an unknown
    key, `CellGraphError` for cells without a sample.
    """
    if library_key is None:
        library_key = sample_column(adata)
    if library_key is None:
        return np.full(adata.n_obs, "", dtype="U1")
    check_key(library_key, adata.obs.columns, where="adata.obs", remedy=f"Pass `{option}=` of the sample column.")
    column = adata.obs[library_key]
    if column.isna().any():
        found, remedy = f"{int(column.isna().sum())} cells without", "Name their sample, or drop these cells."
        raise CellGraphError(expected(f"a sample for every cell in obs[{library_key!r}]", found, remedy))
    return column.astype(str).to_numpy()
