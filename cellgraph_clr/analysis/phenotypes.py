"""Phenotypes: of which fields and samples are, what makes one different, conditions beside them, how well samples come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_same_length, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis.retrieval import standardised_directions
from cellgraph_clr.analysis.scores import average_precision
from cellgraph_clr.cells.label_means import label_means

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["assignments", "confusion", "effect_sizes", "reproducibility", "sphering"]


@checked
def assignments(proba: pd.DataFrame, groups: np.ndarray, *, weights: np.ndarray | None = None) -> pd.DataFrame:
    """Return of which phenotype every group (field, well, sample) is, from the probabilities of its windows or cells.

    Parameters
    ----------
    proba : pandas.DataFrame
        (n, k), one column a phenotype, as `tl.cluster(method="gmm")` writes to `obsm`.
    groups : numpy.ndarray
        (n,) names.
    weights : numpy.ndarray or None, default None
        (n,) 0 or above, e.g. the share of foreground; None counts all alike.

    Returns
    -------
    pandas.DataFrame
        By group the mean probability of every phenotype, then phenotype (the most probable) and n (rows of the group).
        A group whose weights are all 0 has NaN and phenotype "".

    Notes
    -----
    O(n k). Raises `ShapeError` for groups or weights of another length, `OptionError` for negative weights.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> import pandas as pd
    >>> proba = pd.DataFrame({"round": [0.9, 0.8, 0.1], "flat": [0.1, 0.2, 0.9]})
    >>> table = cgc.metrics.assignments(proba, np.array(["well_1", "well_1", "well_2"]))
    >>> table.index.tolist()
    ['well_1', 'well_2']
    """
    import pandas as pd

    check_same_length(len(proba), len(groups), what_a="rows", what_b="groups", remedy="One per row.")
    weight = np.ones(len(proba)) if weights is None else np.asarray(weights, float)
    check_same_length(len(proba), len(weight), what_a="rows", what_b="weights", remedy="One per row.")
    if len(weight) and not weight.min() >= 0:
        raise OptionError(expected("weights of 0 or above", f"{weight.min()}", "Pass shares of foreground."))
    labels = np.asarray(groups).astype(str)
    columns = [str(c) for c in proba.columns]
    names, means = label_means(labels, np.vstack([weight, weight * proba.to_numpy(float).T]))
    total, weighted = means[:, :1], means[:, 1:]
    mean = np.divide(weighted, total, out=np.full_like(weighted, np.nan), where=total > 0)
    out = pd.DataFrame(mean, index=pd.Index(names, name="group"), columns=columns)
    out["phenotype"] = np.where(total[:, 0] > 0, np.array(columns)[np.nan_to_num(mean).argmax(axis=1)], "")
    out["n"] = np.unique(labels, return_counts=True)[1]
    return out


@checked
def confusion(clusters: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Return how many rows of every known condition are of every phenotype.

    Parameters
    ----------
    clusters, truth : numpy.ndarray
        (n,) names.

    Returns
    -------
    pandas.DataFrame
        Counts, one line a condition and one column a phenotype; columns are in the order in which as many rows as
        possible lie on the diagonal (Hungarian method). Empty for no rows.

    Notes
    -----
    Raises `ShapeError` for another length.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> cgc.metrics.confusion(np.array(["a", "a", "b"]), np.array(["a", "b", "b"]))
    phenotype  a  b
    known
    a          1  0
    b          1  1
    """
    import pandas as pd
    from scipy.optimize import linear_sum_assignment

    check_same_length(len(clusters), len(truth), what_a="phenotypes", what_b="conditions", remedy="One per row.")
    table = pd.crosstab(
        pd.Series(np.asarray(truth).astype(str), name="known"),
        pd.Series(np.asarray(clusters).astype(str), name="phenotype"),
    )
    row, column = linear_sum_assignment(-table.to_numpy())
    matched = table.columns[column[np.argsort(row)]]
    return table[[*matched, *table.columns.difference(matched)]]


@checked
def effect_sizes(values: np.ndarray, groups: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return how far each group lies from the others in each value, in standard deviations (Cohen's d, pooled).

    Parameters
    ----------
    values : numpy.ndarray
        (n, d), NaN are left out.
    groups : numpy.ndarray
        (n,) names.
    names : sequence of str
        The d names of the values.

    Returns
    -------
    pandas.DataFrame
        By group, one column a value; positive where the group is higher. NaN for groups of one, or of all, and for
        constant values.

    Notes
    -----
    O(n d). Raises `ShapeError` for groups of another length. Source: Cohen 1988.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> values = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> table = cgc.metrics.effect_sizes(values, np.array(["a", "a", "b", "b"]), ["area"])
    >>> table.shape
    (2, 1)
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


@checked
def reproducibility(vectors: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the mean average precision of finding the other fields (or windows) of a sample from one, and chance.

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d) finite; columns are standardised, similarity is the cosine.
    groups : numpy.ndarray
        (n,) names; rows whose sample has no other are queries of nothing and left out.

    Returns
    -------
    tuple of float, float
        The mean average precision of finding the other fields (or windows) of a sample from one, and chance.

    Notes
    -----
    O(n^2 d), one line of scores at a time. Without any pair both are 0.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> vectors = np.array([[0.0, 1.0], [0.1, 1.0], [1.0, 0.0], [1.0, 0.1]])
    >>> value, chance = cgc.metrics.reproducibility(vectors, np.array(["a", "a", "b", "b"]))
    >>> value
    1.0
    """
    check_same_length(len(vectors), len(groups), what_a="vectors", what_b="samples", remedy="One per row.")
    directions = standardised_directions(vectors) if len(vectors) else np.zeros((0, 1))
    found, chance = [], []
    for i, name in enumerate(groups):
        others = np.arange(len(groups)) != i
        same = np.asarray(groups)[others] == name
        if same.any():
            found.append(average_precision(same, directions[others] @ directions[i]))
            chance.append(same.mean())
    return (float(np.mean(found)), float(np.mean(chance))) if found else (0.0, 0.0)


def sphering(vectors: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (d,) and matrix (d, d) with which variation within samples becomes alike in all directions.

    ``(v - mean) @ matrix``: what varies between fields of one sample (exposure, focus, place) weighs the less, the more it does;
    distances are in units of the spread within samples.

    Parameters
    ----------
    vectors : (n, d) finite.
    samples : (n,) names; those with one row tell nothing of the spread.

    Notes
    -----
    O(n d^2 + d^3); the covariance is shrunk (Ledoit and Wolf 2004). Without any sample of two rows columns are divided by their
    standard deviations. Source: Ando et al. 2017, by fields of one sample instead of controls.
    """
    from sklearn.covariance import ledoit_wolf

    check_same_length(len(vectors), len(samples), what_a="vectors", what_b="samples", remedy="One per row.")
    mean = vectors.mean(axis=0)
    spread = vectors.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    _, code, count = np.unique(np.asarray(samples).astype(str), return_inverse=True, return_counts=True)
    several = count[code] > 1
    if not several.any():
        return mean, np.diag(1 / scale)
    within = ((vectors - label_means(code, vectors.T)[1][code]) / scale)[several]
    values, turn = np.linalg.eigh(ledoit_wolf(within, assume_centered=True)[0])
    floor = max(float(values.max()) * 1e-6, np.finfo(float).tiny)
    return mean, (turn / np.sqrt(np.maximum(values, floor))) / scale[:, None]
