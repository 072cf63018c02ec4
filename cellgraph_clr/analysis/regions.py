"""Connected neighbourhoods that resemble a query region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_in_range
from cellgraph_clr.graphs.aggregation import row_normalized

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Region", "find_regions", "region_scores", "similarity_threshold"]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A connected set of cells: rows and their mean score."""

    rows: np.ndarray
    score: float


def region_scores(similarity: np.ndarray, adjacency: csr_matrix, *, n_smooth: int = 1) -> np.ndarray:
    """Return the similarity (n,) averaged over each cell and its neighbours, `n_smooth` times.

    A region is more than the sum of lookalike cells: one dissimilar cell inside does not break it, one similar cell
    outside does not make one. Isolated cells keep their own value.
    """
    step = row_normalized(adjacency)
    has = np.diff(adjacency.indptr) > 0
    out = np.asarray(similarity, np.float64)
    for _ in range(n_smooth):
        out = np.where(has, 0.5 * out + 0.5 * (step @ out), out)
    return out


def similarity_threshold(scores: np.ndarray, query_rows: np.ndarray, *, share: float = 0.75) -> float:
    """Return the score from which a cell counts as like the query.

    "As similar as the query is to itself" (what `share` of its own cells reach), or less where the other cells fall into
    similar, intermediate and dissimilar ones and the similar ones begin below that (Otsu's thresholds for three classes),
    but never below 0, the similarity of a cell that is like the average.
    """
    from skimage.filters import threshold_multiotsu

    own = float(np.quantile(scores[query_rows], 1 - share))
    others = np.delete(scores, query_rows)
    if len(np.unique(others)) < 3:
        return own
    return max(min(own, float(threshold_multiotsu(others, classes=3)[-1])), 0.0)


def find_regions(
    scores: np.ndarray,
    adjacency: csr_matrix,
    *,
    threshold: float,
    min_cells: int,
    max_cells: int | None = None,
    blocked: np.ndarray | None = None,
    beside: np.ndarray | None = None,
) -> list[Region]:
    """Return connected regions of cells that score at least `threshold`, best mean score first.

    Parameters
    ----------
    scores : (n,) similarity.
    adjacency : (n, n) graph of the cells.
    threshold : lowest score of a member.
    min_cells : smaller regions are left out.
    max_cells : regions grow from the best cells down until they would be larger than this; None takes whole connected
        components.
    blocked : (n,) bool, cells that may be in no region (the query itself).
    beside : (n,) bool, cells beside the query: a region more than half of whose cells are such is its rim, not another place, and
        is left out.

    Raises
    ------
    OptionError
        If `min_cells` is below 1, or `max_cells` below `min_cells`.

    Notes
    -----
    O(n log n + edges). No cell above the threshold gives an empty list.
    """
    from cellgraph_clr.analysis.region_growth import grow

    check_in_range("min_cells", min_cells, low=1)
    if max_cells is not None:
        check_in_range("max_cells", max_cells, low=min_cells)
    inside = scores >= threshold
    if blocked is not None:
        inside &= ~blocked
    rows = np.flatnonzero(inside)
    if len(rows) == 0:
        return []
    order = rows[np.argsort(-scores[rows], kind="stable")]
    region = grow(order, adjacency.indptr, adjacency.indices, len(scores) if max_cells is None else max_cells)
    rows = np.flatnonzero(region >= 0)
    by_region = rows[np.argsort(region[rows], kind="stable")]
    pieces = np.split(by_region, np.flatnonzero(np.diff(region[by_region])) + 1)
    found = [Region(p, float(scores[p].mean())) for p in pieces if len(p) >= min_cells]
    if beside is not None:
        found = [r for r in found if beside[r.rows].mean() <= 0.5]
    return sorted(found, key=lambda r: (-r.score, r.rows[0]))
