"""Checks of an AnnData against the layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy.sparse import issparse

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import listing
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr._core.positions import check_positions
from cellgraph_clr.adata.columns import unwritable_columns
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.samples import frame_of, sample_of
from cellgraph_clr.graphs.samples import n_crossing
from cellgraph_clr.io.labels import as_label_image

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.io.labels import Labels

__all__ = ["validate"]

T = TypeVar("T")


@checked
def validate(adata: AnnData, labels: Labels | None = None) -> list[str]:
    """Return what is wrong with an AnnData, one sentence each; an empty list when it follows the layout.

    Parameters
    ----------
    adata : AnnData
        To be checked; never edited.
    labels : LabelImage or array-like or path-like or None, default None
        When given, ids are compared: cells only in the image and only in the table are named.

    Returns
    -------
    list of str
        What is wrong with an AnnData, one sentence each.

    Notes
    -----
    Checks ids (int, above 0, unique per sample and frame), positions, graph matrices (CSR, symmetric, no diagonal, no
    explicit zeros, no edge between samples), label columns without NaN, and columns and `uns` that h5ad can
    hold. O(cells + edges).

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.validate(adata)
    []
    """
    doubles = unwritable_columns(adata) if adata.obs.columns.has_duplicates or adata.var.columns.has_duplicates else []
    if doubles:
        return doubles
    problems: list[str] = []
    problems += _check_ids(adata)
    problems += _check_positions(adata)
    sample, found = _read(lambda: np.unique(sample_of(adata, None), return_inverse=True)[1])
    problems += found + _read(lambda: frame_of(adata))[1]
    for key in adata.obsp:
        if key.endswith("_connectivities") and f"{key.removesuffix('_connectivities')}_neighbors" in adata.uns:
            problems += _check_graph(key, adata.obsp[key], sample)
    problems += [
        f"obs[{c!r}] holds NaN labels: name them 'unassigned'."
        for c in adata.obs.columns
        if adata.obs[c].dtype.name in ("category", "object", "string") and adata.obs[c].isna().any()
    ]
    problems += unwritable_columns(adata)
    problems += _check_uns(adata.uns, "uns")
    if labels is not None and "cell_id" in adata.obs:
        array = np.asarray(as_label_image(labels, warn=False).labels)
        image_ids = np.setdiff1d(np.unique(array), [0])
        table_ids = adata.obs["cell_id"].to_numpy()
        for ids, where in (
            (np.setdiff1d(image_ids, table_ids), "labels"),
            (np.setdiff1d(table_ids, image_ids), "table"),
        ):
            if len(ids):
                problems.append(f"{len(ids)} cells are only in the {where}: ids {listing(ids)}.")
    return problems


def _check_ids(adata: AnnData) -> list[str]:
    import pandas as pd

    if "cell_id" not in adata.obs:
        return ["obs['cell_id'] is missing: identity is the cell id, never the row number."]
    ids = adata.obs["cell_id"]
    if ids.dtype.kind not in "iu":
        return [f"obs['cell_id'] is {ids.dtype}, not an integer."]
    out = ["obs['cell_id'] holds 0 or negative ids; 0 is the background."] if (ids <= 0).any() else []
    sample, found = _read(lambda: sample_of(adata, None))
    frame = adata.obs["frame"].to_numpy() if "frame" in adata.obs else np.zeros(adata.n_obs)
    if not found and pd.DataFrame({"sample": sample, "frame": frame, "id": ids.to_numpy()}).duplicated().any():
        out.append("obs['cell_id'] repeats within a sample.")
    return out


def _read(read: Callable[[], T]) -> tuple[T | None, list[str]]:
    """Return what `read` gives, or why it cannot."""
    try:
        return read(), []
    except CellGraphError as error:
        return None, [str(error)]


def _check_positions(adata: AnnData) -> list[str]:
    if "spatial" not in adata.obsm:
        return ["obsm['spatial'] is missing: set it to x, y(, z)."]
    position, problems = _read(lambda: position_of(adata, whole=False))
    if position is None:
        return problems
    if not np.isfinite(position).all():
        return ["obsm['spatial'] holds NaN or infinity."]
    return _read(lambda: check_positions(position))[1]


def _check_graph(key: str, matrix: Any, sample: np.ndarray | None) -> list[str]:
    if not issparse(matrix) or matrix.format != "csr":
        return [f"obsp[{key!r}] is not a CSR matrix."]
    out = []
    if (matrix.data == 0).any():
        out.append(f"obsp[{key!r}] holds explicit zeros: call eliminate_zeros().")
    if matrix.diagonal().any():
        out.append(f"obsp[{key!r}] links cells to themselves.")
    if (matrix != matrix.T).nnz:
        out.append(f"obsp[{key!r}] is not symmetric.")
    if sample is not None and (across := n_crossing(matrix, sample)):
        out.append(f"obsp[{key!r}] joins cells of two samples by {across} edges: build the graph again.")
    return out


def _check_uns(value: object, where: str) -> list[str]:
    if isinstance(value, Mapping):
        out = [f"{where} has the key {k!r}, which is not text." for k in value if not isinstance(k, str)]
        return out + [p for k, v in value.items() for p in _check_uns(v, f"{where}[{k!r}]")]
    return [f"{where} is a {type(value).__name__}, which files cannot hold."] if isinstance(value, tuple | set) else []
