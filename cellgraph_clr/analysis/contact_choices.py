"""Contacts as choices: how many candidates of every type a cell has near, and how many of them it touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_same_length
from cellgraph_clr.analysis.splits import blocks as halved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr.graphs.candidates import Candidates

__all__ = ["Choices", "choices_of", "pair_numbers", "random_mixing", "tissue_blocks"]

BLOCK_CELLS = {2: 2.9, 3: 6.4}  # in times of the candidates of a cell: a square or cube three radii wide
FEWEST_BLOCKS, MOST_BLOCKS = 16, 400  # of an image; the fewest as long as a block holds four cells


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Candidates counted by anchor and kind: groups of anchor i are starts[i] to starts[i + 1].

    size, chosen, pair (m,) : candidates, contacts among them, and number of the pair of types (`pair_numbers`).
    extra (m, q) : covariates. anchor (a,) : rows. n_types. Anchors that choose none or all are kept: they tell nothing but count.
    """

    starts: np.ndarray
    size: np.ndarray
    chosen: np.ndarray
    pair: np.ndarray
    extra: np.ndarray
    anchor: np.ndarray
    n_types: int

    @property
    def informative(self) -> np.ndarray:
        """Return which anchors (a,) choose some but not all of their candidates."""
        n, p = (np.add.reduceat(v, self.starts[:-1]) if len(self.anchor) else v for v in (self.size, self.chosen))
        return (p > 0) & (p < n)

    def of(self, which: np.ndarray) -> Choices:
        """Return those of some anchors (a,) bool."""
        length = np.diff(self.starts)
        kept = np.repeat(which, length)
        return Choices(
            starts=np.concatenate([[0], np.cumsum(length[which])]),
            size=self.size[kept],
            chosen=self.chosen[kept],
            pair=self.pair[kept],
            extra=self.extra[kept],
            anchor=self.anchor[which],
            n_types=self.n_types,
        )


def pair_numbers(n_types: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the number (t, t) of every unordered pair of types, and the two types (pairs,) of every number."""
    first, second = np.triu_indices(n_types)
    number = np.empty((n_types, n_types), np.int64)
    number[first, second] = number[second, first] = np.arange(len(first))
    return number, first, second


def choices_of(
    types: np.ndarray, candidates: Candidates, *, n_types: int, covariates: np.ndarray | None = None
) -> Choices:
    """Return the candidates of every anchor counted by type, or one by one where they have covariates.

    Parameters
    ----------
    types : (n,) int64 below `n_types`; cells of an unknown type (-1) are neither anchors nor candidates.
    candidates : of all cells.
    covariates : (m, q) float64 of every candidate.

    Raises
    ------
    ShapeError
        For types of other cells, or covariates of other candidates.

    Notes
    -----
    O(m log m); without cells there are no choices.
    """
    check_same_length(len(candidates.indptr) - 1, len(types), what_a="cells", what_b="types", remedy="One per cell.")
    anchor, rows = candidates.anchors, candidates.rows
    known = (types[anchor] >= 0) & (types[rows] >= 0)
    anchor, rows, contact = anchor[known], rows[known], candidates.contact[known]
    number = pair_numbers(n_types)[0]
    if covariates is None:
        code, inverse = np.unique(anchor * n_types + types[rows], return_inverse=True)
        size, chosen = np.bincount(inverse, minlength=len(code)), np.bincount(inverse, contact, minlength=len(code))
        owner, other, extra = code // n_types, code % n_types, np.zeros((len(code), 0))
    else:
        check_same_length(
            len(candidates.rows), len(covariates), what_a="candidates", what_b="covariates", remedy="One row each."
        )
        size, chosen, owner, other, extra = (
            np.ones(len(rows), np.int64),
            contact,
            anchor,
            types[rows],
            covariates[known],
        )
    which, first = np.unique(owner, return_index=True)
    return Choices(
        starts=np.append(first, len(owner)).astype(np.int64),
        size=size.astype(np.int64),
        chosen=chosen.astype(np.int64),
        pair=number[types[owner], other],
        extra=np.ascontiguousarray(extra, np.float64),
        anchor=which,
        n_types=n_types,
    )


def tissue_blocks(position: np.ndarray, images: Sequence[np.ndarray], candidates: Candidates) -> np.ndarray:
    """Return the block (n,) int64 of every cell: about three radii of the candidates wide, of about equal numbers of cells.

    `images` are the rows of the cells of every image, which no block leaves; -1 for cells in none. 16 to 400 blocks an image,
    but four cells or more in each. O(n log blocks).
    """
    out = np.full(len(position), -1, np.int64)
    n_near = np.diff(candidates.indptr)
    start = 0
    for rows in images:
        wanted = len(rows) / (BLOCK_CELLS[position.shape[1]] * max(float(n_near[rows].mean()), 1.0))
        n_blocks = int(np.clip(wanted, FEWEST_BLOCKS, MOST_BLOCKS))
        out[rows] = start + halved(position[rows], max(min(n_blocks, len(rows) // 4), 1))
        start = int(out.max()) + 1
    return out


def random_mixing(choices: Choices) -> np.ndarray:
    """Return how many contacts every pair (pairs,) would have if each anchor chose among its candidates at random."""
    n_pairs = choices.n_types * (choices.n_types + 1) // 2
    if len(choices.anchor) == 0:
        return np.zeros(n_pairs)
    n, p = (np.add.reduceat(v, choices.starts[:-1]) for v in (choices.size, choices.chosen))
    share = np.repeat(p / n, np.diff(choices.starts))
    return np.bincount(choices.pair, share * choices.size, minlength=n_pairs) / 2
