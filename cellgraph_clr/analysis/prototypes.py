"""Soft types: how much a cell is like each of many centres, found without labels."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.checks import check_whole

__all__ = ["soft_types"]

N_FIT = 100_000  # cells that centres are found on, and the scale is measured on
WIDTH = 0.15  # of the median squared distance, beyond the nearest centre
BLOCK = 2**16


def soft_types(x: np.ndarray, n_types: int = 64, *, random_state: int = 0) -> np.ndarray:
    """Return the likeness (n, k) float32 of cells to k centres; rows sum to 1.

    ``e_ik ∝ exp(-(d_ik² - min_j d_ij²) / s)``, d the distance to centre k (k-means), s 0.15 times the median of the positive
    differences (derivation ours).

    Parameters
    ----------
    x : (n, f) finite vectors, columns on one scale.
    n_types : centres; as many as there are distinct cells where these are fewer.
    random_state : seed.

    Raises
    ------
    OptionError
        If `n_types` is below 1.

    Notes
    -----
    Centres are learned on 100,000 cells at most. O(n k f) in blocks, 4 n k bytes. No cells give (0, n_types).
    """
    from sklearn.cluster import MiniBatchKMeans

    check_whole("n_types", n_types)
    x = np.asarray(x, np.float32)
    if len(x) == 0:
        return np.zeros((0, n_types), np.float32)
    rng = np.random.default_rng(random_state)
    some = x if len(x) <= N_FIT else x[np.sort(rng.choice(len(x), N_FIT, replace=False))]
    k = min(n_types, len(np.unique(some[: 8 * n_types], axis=0))) if len(some) < 8 * n_types else n_types
    found = MiniBatchKMeans(k, random_state=random_state, n_init=3, batch_size=2048).fit(some)
    extra = _beyond_nearest(found, some)
    positive = extra[extra > 0]
    scale = WIDTH * float(np.median(positive)) if len(positive) else 1.0
    out = np.empty((len(x), k), np.float32)
    for start in range(0, len(x), BLOCK):
        part = slice(start, start + BLOCK)
        likeness = np.exp(-_beyond_nearest(found, x[part]) / scale)
        out[part] = likeness / likeness.sum(axis=1, keepdims=True)
    return out


def _beyond_nearest(found: object, x: np.ndarray) -> np.ndarray:
    """Return squared distances (n, k) to the centres, less that to the nearest."""
    distance = found.transform(x) ** 2  # type: ignore[attr-defined]
    return distance - distance.min(axis=1, keepdims=True)
