"""What the tools share: reading representations and labels, writing classes with their confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_key, expected, listing
from cellgraph_clr._core.errors import LabelKeyError, MissingKeyError, OptionError
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.adata.reading import read_features

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from anndata import AnnData

__all__ = ["cell_keys", "check_model_alone", "classes_of", "representation", "write_by_cell", "write_classes"]


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


def check_model_alone(given: Iterable[str]) -> None:
    """Raise `OptionError` for training options that were given beside a fitted model."""
    names = sorted(given)
    if names:
        raise OptionError(expected("no training options beside `model`", names, "Set them when fitting."))


def representation(adata: AnnData, use_rep: str | Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Return the vectors (n, d) of one or several representations side by side, and their names.

    None takes `X` and, when present, `obsm["X_cellgraph"]`. Raises `MissingKeyError` and `NonFiniteError`.
    """
    if use_rep is None:
        names = [k for k in ("X", "X_cellgraph") if (k == "X" and adata.n_vars) or k in adata.obsm]
    else:
        names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    blocks = []
    for name in names or ["X"]:
        values, info = read_features(adata, name)
        check_finite(
            values,
            what=f"values of {name!r}",
            names=[i.name for i in info],
            remedy="Fill or drop them; in `X`: `cgc.pp.scale_features(adata, impute='median')`.",
        )
        blocks.append(values)
    return np.concatenate(blocks, axis=1), names


def classes_of(adata: AnnData, label_key: str) -> tuple[np.ndarray, list[str]]:
    """Return `label_codes`; raises `LabelKeyError` as it does, and for names that files cannot hold as columns."""
    codes, classes = label_codes(adata, label_key)
    slashed = [c for c in classes if "/" in c]
    if slashed:
        remedy = "Rename these classes."
        raise LabelKeyError(
            expected("class names that files can hold as columns", f"a slash in {listing(slashed)}", remedy)
        )
    return codes, classes


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
    adata.obsm[f"{key}_proba"] = pd.DataFrame(proba, index=adata.obs_names, columns=list(classes))
    return [f"obs[{key!r}]", f"obs['{key}_confidence']", f"obsm['{key}_proba']"]
