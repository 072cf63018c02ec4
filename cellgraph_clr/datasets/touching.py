"""Tissue with regions of cell types whose contacts are drawn with known log odds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cellgraph_clr._core.rng import RandomState, as_rng

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["PlantedContacts", "planted_contacts"]

PITCH = 10.0  # mean distance of cells


class PlantedContacts(NamedTuple):
    """Positions (n, 2), types (n,), log odds (t, t) symmetric, contacts (n, n), and the radius within which they are drawn."""

    position: np.ndarray
    types: np.ndarray
    log_odds: np.ndarray
    contacts: csr_matrix
    radius: float


def planted_contacts(
    n_cells: int,
    n_types: int,
    *,
    random_state: RandomState,
    strength: float = 0.5,
    n_near: float = 16,
    n_contacts: float = 6,
    distance: float = 0.0,
    log_odds: np.ndarray | None = None,
) -> PlantedContacts:
    """Return cells at random, in regions where some types are frequent, and contacts between pairs that are near.

    Each pair within the radius is in contact by itself, with the log odds of its types: given how many contacts a cell has, which
    of the near cells they are follows the conditional likelihood of `analysis.interactions` exactly, and each is seen from
    both ends.

    Parameters
    ----------
    n_cells, n_types : numbers; the last type is .4 times as frequent as the first, apart from regions.
    random_state : seed, or a generator.
    strength : standard deviation of the log odds.
    n_near, n_contacts : cells within the radius, and contacts at log odds 0, of a cell away from the border.
    distance : added to the log odds for each radius that two cells lie apart.
    log_odds : (t, t) to plant; None draws them.

    Notes
    -----
    O(n). Regions are those of the nearest of n / 12 centres, each with a taste of its own.
    """
    from scipy.sparse import csr_matrix
    from scipy.spatial import cKDTree

    rng = as_rng(random_state)
    side, radius = PITCH * np.sqrt(n_cells), PITCH * np.sqrt(n_near / np.pi)
    position = rng.uniform(0, side, (n_cells, 2))
    centres = rng.uniform(0, side, (max(3, n_cells // 12), 2))
    taste = rng.normal(0, 1.2, (len(centres), n_types)) + np.log(np.linspace(1, 0.4, n_types))
    types = (taste[cKDTree(centres).query(position)[1]] + rng.gumbel(size=(n_cells, n_types))).argmax(axis=1)
    if log_odds is None:
        drawn = np.triu(rng.normal(0, 1, (n_types, n_types))) * strength
        log_odds = drawn + np.triu(drawn, 1).T
    pairs = cKDTree(position).query_pairs(radius, output_type="ndarray")
    apart = np.linalg.norm(position[pairs[:, 0]] - position[pairs[:, 1]], axis=1) / radius
    score = log_odds[types[pairs[:, 0]], types[pairs[:, 1]]] + np.log(n_contacts / (n_near - n_contacts))
    score += distance * (apart - 2 / 3)
    kept = pairs[rng.random(len(pairs)) < 1 / (1 + np.exp(-score))]
    half = csr_matrix((np.ones(len(kept), np.float32), (kept[:, 0], kept[:, 1])), shape=(n_cells, n_cells))
    return PlantedContacts(position, types, log_odds, csr_matrix(half + half.T), float(radius))
