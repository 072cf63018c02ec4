"""What is near every cell: candidates within a radius, its contacts among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range, expected
from cellgraph_clr._core.errors import NoGraphError
from cellgraph_clr.graphs.proximity import radius_lists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_matrix

__all__ = ["Candidates", "candidates_within", "contact_lengths", "usual_radius"]

REACH = 2.0  # median contact lengths: a share of .3 to .5 of the candidates are contacts in dense tissue
MOST_CONTACTS = 0.95  # share of the contacts that the usual radius reaches


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Candidates of every cell as CSR: indptr (n + 1,), rows (m,), which are contacts (m,) bool, distances (m,) float64."""

    indptr: np.ndarray
    rows: np.ndarray
    contact: np.ndarray
    distance: np.ndarray

    @property
    def anchors(self) -> np.ndarray:
        """Return the row (m,) of the cell whose candidate each is."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))


def contact_lengths(position: np.ndarray, adjacency: csr_matrix) -> np.ndarray:
    """Return the distance between the centres of the cells of every edge (m,), each edge once."""
    from scipy.sparse import triu

    pairs = triu(adjacency, k=1, format="coo")
    return np.linalg.norm(position[pairs.row] - position[pairs.col], axis=1)


def usual_radius(lengths: np.ndarray) -> float:
    """Return the radius that candidates are taken from: twice the median contact, and at least 95 % of all contacts.

    Raises `NoGraphError` without a contact between cells that lie apart.
    """
    radius = max(REACH * np.median(lengths), np.quantile(lengths, MOST_CONTACTS)) if len(lengths) else 0.0
    if radius <= 0:
        raise NoGraphError(
            expected("edges between cells that lie apart", "none", "Check `neighbors_key`, or pass `radius=`.")
        )
    return float(radius)


def candidates_within(
    position: np.ndarray, adjacency: csr_matrix, images: Sequence[np.ndarray], radius: float, *, n_jobs: int = -1
) -> Candidates:
    """Return, for every cell, the others of its image within `radius` and its contacts wherever they are.

    Parameters
    ----------
    position : (n, d) float64, d 2 or 3.
    adjacency : (n, n) symmetric; a stored entry is a contact. None joins two images.
    images : rows of the cells of every image; cells in none have no candidates.
    radius : in the unit of positions, above 0.
    n_jobs : threads; -1 uses all. The result does not depend on it.

    Raises
    ------
    OptionError
        For a radius that is not above 0.

    Notes
    -----
    O(n + candidates) time and memory, about 40 bytes a candidate. No cells give no candidates.
    """
    from scipy.sparse import csr_matrix

    check_in_range("radius", radius, low=0, low_open=True)
    n = len(position)
    low, high = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for rows in images:
        indptr, found, _ = radius_lists(position[rows], radius, n_jobs=n_jobs)
        low.append(np.repeat(rows, np.diff(indptr)))
        high.append(rows[found])
    near = np.concatenate(low), np.concatenate(high)
    inside = np.zeros(n, bool)
    for rows in images:
        inside[rows] = True
    edges = adjacency.tocoo()
    kept = inside[edges.row] & inside[edges.col] & (edges.row != edges.col)
    code = csr_matrix((np.ones(len(near[0]), np.int8), near), shape=(n, n))
    code = code + csr_matrix((np.full(kept.sum(), 2, np.int8), (edges.row[kept], edges.col[kept])), shape=(n, n))
    code.sort_indices()
    anchor = np.repeat(np.arange(n), np.diff(code.indptr))
    distance = np.linalg.norm(position[anchor] - position[code.indices], axis=1)
    return Candidates(code.indptr.astype(np.int64), code.indices.astype(np.int64), code.data >= 2, distance)
