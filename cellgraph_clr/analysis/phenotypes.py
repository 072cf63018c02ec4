"""What makes a group different: effect sizes of measured values; and how well samples come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_same_length
from cellgraph_clr.analysis.retrieval import standardised_directions
from cellgraph_clr.analysis.scores import average_precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["effect_sizes", "reproducibility"]


def effect_sizes(values: np.ndarray, groups: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return how far each group lies from the others in each value, in standard deviations (Cohen's d, pooled).

    Parameters
    ----------
    values : (n, d), NaN are left out.
    groups : (n,) names.
    names : d names of the values.

    Returns
    -------
    By group, one column a value; positive where the group is higher. NaN for groups of one, or of all, and for constant values.

    Notes
    -----
    O(n d). Raises `ShapeError` for groups of another length. Source: Cohen 1988.
    """
    import pandas as pd

    check_same_length(len(values), len(groups), what_a="rows", what_b="groups", remedy="One per row.")
    labels = np.asarray(groups).astype(str)
    out = {}
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)

    def moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = known[rows].sum(axis=0).astype(float)
        mean = filled[rows].sum(axis=0) / np.maximum(n, 1)
        square = (np.where(known[rows], filled[rows] - mean, 0.0) ** 2).sum(axis=0)
        return n, mean, square

    for name in np.unique(labels):
        (n, mean, square), (m, other, rest) = moments(labels == name), moments(labels != name)
        pooled = np.sqrt((square + rest) / np.maximum(n + m - 2, 1))
        usable = (n > 1) & (m > 1) & (pooled > 0)
        out[name] = np.where(usable, (mean - other) / np.where(usable, pooled, 1), np.nan)
    return pd.DataFrame(out, index=list(names)).T.rename_axis("group")


def reproducibility(vectors: np.ndarray, samples: np.ndarray) -> tuple[float, float]:
    """Return the mean average precision of finding the other fields (or windows) of a sample from one, and chance.

    Parameters
    ----------
    vectors : (n, d) finite; columns are standardised, similarity is the cosine.
    samples : (n,) names; rows whose sample has no other are queries of nothing and left out.

    Notes
    -----
    O(n^2 d), one line of scores at a time. Without any pair both are 0.
    """
    check_same_length(len(vectors), len(samples), what_a="vectors", what_b="samples", remedy="One per row.")
    directions = standardised_directions(vectors) if len(vectors) else np.zeros((0, 1))
    found, chance = [], []
    for i, name in enumerate(samples):
        others = np.arange(len(samples)) != i
        same = np.asarray(samples)[others] == name
        if same.any():
            found.append(average_precision(same, directions[others] @ directions[i]))
            chance.append(same.mean())
    return (float(np.mean(found)), float(np.mean(chance))) if found else (0.0, 0.0)
