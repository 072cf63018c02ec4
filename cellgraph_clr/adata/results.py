"""Where results lie: classes with their confidence, representations by cell, answers to questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key
from cellgraph_clr._core.errors import MissingKeyError
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.labels import column_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

__all__ = ["cell_keys", "forget_column", "write_by_cell", "write_classes"]


def cell_keys(adata: AnnData, image: str, *, maker: str) -> pd.MultiIndex:
    """Return the index (`image`, cell_id) of the cells: which frame or line they are of, and their label in it.

    Raises `MissingKeyError`, which names the call that makes such an AnnData.
    """
    import pandas as pd

    for name in (image, "cell_id"):
        remedy = f"Make the AnnData by `{maker}`."
        check_key(name, list(adata.obs.columns), where="adata.obs", remedy=remedy, error=MissingKeyError)
    return pd.MultiIndex.from_arrays([adata.obs[image], adata.obs["cell_id"]], names=[image, "cell_id"])


def write_by_cell(adata: AnnData, key: str, table: pd.DataFrame, keys: pd.MultiIndex) -> None:
    """Write to `obsm[key]` the rows of a table by `cell_keys`; NaN for cells that are not in it."""
    found = table.reindex(keys)
    found.index = adata.obs_names
    adata.obsm[key] = found


def write_classes(
    adata: AnnData, key: str, proba: np.ndarray, classes: Sequence[str], refused: np.ndarray
) -> list[str]:
    """Write the most probable class of every cell, "unassigned" where `refused`, its confidence and all probabilities.

    Returns the keys written: obs[key], obs[key + "_confidence"], obsm[key + "_proba"].
    """
    import pandas as pd

    predicted = np.asarray(classes, object)[proba.argmax(axis=1)]
    predicted[refused] = UNASSIGNED
    categories = [*classes, UNASSIGNED] if refused.any() else list(classes)
    adata.obs[key] = pd.Categorical(predicted, categories=categories)
    adata.obs[f"{key}_confidence"] = proba.max(axis=1).astype(np.float32)
    adata.obsm[f"{key}_proba"] = pd.DataFrame(proba, index=adata.obs_names, columns=[column_name(c) for c in classes])
    return [f"obs[{key!r}]", f"obs['{key}_confidence']", f"obsm['{key}_proba']"]


def forget_column(adata: AnnData, key: str) -> None:
    """Delete a column of `obs` that an older question left, where there is one."""
    if key in adata.obs:
        del adata.obs[key]
