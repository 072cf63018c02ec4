"""Class frequencies that differ between training and use: estimated from unlabelled cells, and corrected for."""

from __future__ import annotations

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError

__all__ = ["estimated_prior", "shifted_proba"]


def shifted_proba(proba: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return probabilities (n, k) as they are when classes occur in the shares `new` instead of `old`, both (k,).

    Bayes: ``p'(c | x) = p(c | x) new_c / old_c``, normalised. Raises `ShapeError` unless both have k shares, `old` above 0.
    """
    old, new = np.asarray(old, float), np.asarray(new, float)
    if old.shape != proba.shape[1:] or new.shape != proba.shape[1:] or not (old > 0).all() or not (new >= 0).all():
        found = f"{old.tolist()} and {new.tolist()}"
        raise ShapeError(expected(f"{proba.shape[1]} shares of classes, the old ones above 0", found, "One per class."))
    out = proba * (new / old)
    total = out.sum(axis=1, keepdims=True)
    return np.where(total > 0, out / np.where(total > 0, total, 1), proba)


def estimated_prior(proba: np.ndarray, old: np.ndarray, *, n_steps: int = 1000, tolerance: float = 1e-8) -> np.ndarray:
    """Return the shares (k,) of classes among cells that most likely gave their probabilities under the shares `old`.

    Expectation maximisation: correct the probabilities by the shares, average them, repeat. It needs calibrated
    probabilities and cells of the same classes. `old` itself for no cells. O(n k) a step.

    Source: Saerens, Latinne and Decaestecker 2002, eq. 2.
    """
    share = np.asarray(old, float) / np.sum(old)
    if len(proba) == 0:
        return share
    for _ in range(n_steps):
        new = shifted_proba(proba, old, share).mean(axis=0)
        if np.abs(new - share).max() < tolerance:
            return new
        share = new
    return share
