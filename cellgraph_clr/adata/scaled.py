"""Features as measured, which scaling keeps in a layer of its own, and whether `X` is still what scaling wrote.

What was written is remembered as one number a feature, the sum of the bits of its values. It does not depend on the order of
cells, holds for any choice of features, and adds up over joined samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr._core.log import log
from cellgraph_clr.adata.keys import PACKAGE_KEY, RAW_LAYER
from cellgraph_clr.adata.provenance import entries_of, package_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

__all__ = ["join_scaled", "keep_raw", "measured"]

SLOT = "scaled"  # of `uns["cellgraph_clr"]`


def measured(adata: AnnData) -> Any:
    """Return the matrix to scale: the layer that an earlier scaling kept, with the features of `X` that were changed since.

    `X` itself where there is no such layer, or all features were changed. Raises `CellGraphError` for a layer of this name
    that scaling did not write.
    """
    if RAW_LAYER not in adata.layers:
        return adata.X
    entry = entries_of(adata, PACKAGE_KEY, SLOT)
    if not entry:
        remedy = (
            f"Rename it. If it is from there, set `adata.X` to it and delete it: `del adata.layers[{RAW_LAYER!r}]`."
        )
        what = f"the layer {RAW_LAYER!r} as `cgc.pp.scale_features` writes it, with its entry in `uns`"
        raise CellGraphError(expected(what, "a layer without the entry", remedy))
    changed = _changed(adata, entry)
    raw = adata.layers[RAW_LAYER]
    if not changed.any():
        return raw
    log.info("X was changed since it was scaled: %s start from it", listing(adata.var_names[changed]))
    if changed.all():
        return adata.X
    return np.where(changed, _dense(adata.X), _dense(raw))


def keep_raw(adata: AnnData, raw: Any, scaled: np.ndarray) -> None:
    """Write `scaled` (n, f) float32 to `X` and `raw` to the layer, and remember what was written."""
    adata.layers[RAW_LAYER] = raw.copy()
    adata.X = scaled
    sums = _bit_sums(scaled)
    package_info(adata)[SLOT] = {"features": np.array(adata.var_names, str), "sums": sums, "n_cells": adata.n_obs}


def join_scaled(out: AnnData, samples: Sequence[AnnData]) -> None:
    """Remember for joined samples what scaling wrote to each of them, where it did to all."""
    entries = [entries_of(a, PACKAGE_KEY, SLOT) for a in samples]
    package_info(out).pop(SLOT, None)
    if not all(entries) or any(list(e["features"]) != list(out.var_names) for e in entries):
        return
    sums = sum(np.asarray(e["sums"], np.uint64) for e in entries)
    n_cells = sum(int(e["n_cells"]) for e in entries)
    package_info(out)[SLOT] = {"features": np.array(out.var_names, str), "sums": sums, "n_cells": n_cells}


def _changed(adata: AnnData, entry: Any) -> np.ndarray:
    """Return which features (f,) bool of `X` are not what scaling wrote; none of fewer cells than it wrote, or of more."""
    if adata.n_obs != int(entry["n_cells"]):
        return np.zeros(adata.n_vars, bool)
    known = set(zip(map(str, entry["features"]), np.asarray(entry["sums"], np.uint64).tolist(), strict=True))
    now = zip(map(str, adata.var_names), _bit_sums(adata.X).tolist(), strict=True)
    return np.array([pair not in known for pair in now], bool)


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if issparse(matrix) else np.asarray(matrix)


def _bit_sums(matrix: Any) -> np.ndarray:
    """Return the sum (f,) uint64 of the bits of every column as float32; -0 counts as 0."""
    plain = np.asarray(_dense(matrix), np.float32) + np.float32(0)
    return plain.view(np.uint32).sum(axis=0, dtype=np.uint64)
