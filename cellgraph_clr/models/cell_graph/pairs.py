"""`Pairs`: the positives of anchors, themselves in another view and cells drawn from a relation (neighbours, classes, tracks)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import PairsError, ShapeError
from cellgraph_clr.graphs.neighbors import row_entries, row_slots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_matrix

__all__ = ["ClassRelation", "MixedRelation", "Pairs", "Positives", "Relation", "SparseRelation", "draw_pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The contract between views and losses.

    Parameters
    ----------
    anchors : (a,) int64 rows of the cell table.
    candidates : (c,) int64 rows, unique.
    positives : (a, c) bool.
    exclude : (a, c) bool, neither positive nor noise.

    Raises
    ------
    ShapeError
        If the masks do not fit.
    PairsError
        If a candidate is positive and excluded for one anchor.
    """

    anchors: np.ndarray
    candidates: np.ndarray
    positives: np.ndarray
    exclude: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes and contradictions."""
        shape = (len(self.anchors), len(self.candidates))
        for name in ("positives", "exclude"):
            if getattr(self, name).shape != shape:
                raise ShapeError(expected(f"`{name}` of shape {shape}", getattr(self, name).shape, "One per pair."))
        n_both = int(np.count_nonzero(self.positives & self.exclude))
        if n_both:
            raise PairsError(expected("no pair both positive and excluded", n_both, "Use `exclude & ~positives`."))


def _places(index: np.ndarray) -> np.ndarray:
    """Return how many equal entries come before each of a sorted array."""
    return np.arange(len(index)) - np.searchsorted(index, index)


class Relation(Protocol):
    """Which cells are known to be alike."""

    def draw(self, anchors: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return (anchor index, row) of up to `n` distinct related cells of every anchor, itself never; by anchor."""

    def known(self, anchors: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Return (a, c) bool: related pairs. `candidates` are sorted, unique rows."""

    def arrays(self) -> list[np.ndarray]:
        """Return the arrays that the relation is made of."""


@dataclass(frozen=True, slots=True, eq=False)
class SparseRelation:
    """A relation stored as CSR (n, n): k-hop neighbours, tracks, any `obsp` pattern. The diagonal is ignored.

    With `weighted` related cells are drawn in proportion to the stored values (contact areas, inverse distances), one after
    another without replacement; a value of 0 or below is known but never drawn.
    """

    matrix: csr_matrix
    weighted: bool = False

    def draw(self, anchors: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return up to `n` related cells of every anchor, without replacement; O(entries of the anchors).

        Weighted draws sort by exponential times over weights (Efraimidis and Spirakis 2006).
        """
        index, at = row_slots(self.matrix, anchors)
        rows = self.matrix.indices[at]
        keep = rows != anchors[index]
        time = rng.random(len(rows))
        if self.weighted:
            weight = self.matrix.data[at].astype(np.float64)
            keep &= weight > 0
            time = -np.log1p(-time) / np.where(keep, weight, 1)
        index, rows = index[keep], rows[keep]
        order = np.lexsort((time[keep], index))
        index, rows = index[order], rows[order]
        chosen = _places(index) < n
        return index[chosen], rows[chosen].astype(np.int64)

    def known(self, anchors: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Return related pairs; O(entries of the anchors · log c + a c). `candidates` are sorted."""
        index, rows = row_entries(self.matrix, anchors)
        at = np.searchsorted(candidates, rows).clip(max=max(len(candidates) - 1, 0))
        out = np.zeros((len(anchors), len(candidates)), bool)
        found = candidates[at] == rows
        out[index[found], at[found]] = True
        return out

    def arrays(self) -> list[np.ndarray]:
        """Return what tells this relation from others."""
        return [self.matrix.indptr, self.matrix.indices, self.matrix.data, np.array(self.weighted)]


@dataclass(frozen=True, slots=True, eq=False)
class ClassRelation:
    """Cells of one class are alike; code -1 is unknown and related to nothing."""

    codes: np.ndarray

    def draw(self, anchors: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return up to `n` distinct cells of the class of every anchor; O(n) per anchor."""
        order = np.argsort(self.codes, kind="stable")
        sorted_codes = self.codes[order]
        code = self.codes[anchors]
        first = np.searchsorted(sorted_codes, code, side="left")
        size = np.where(code >= 0, np.searchsorted(sorted_codes, code, side="right") - first, 0)
        index, rows = [], []
        for i, (f, s) in enumerate(zip(first, size, strict=True)):
            if s > 1:
                picks = order[f + rng.choice(s, min(n + 1, s), replace=False)]
                picks = picks[picks != anchors[i]][:n]
                rows.append(picks)
                index.append(np.full(len(picks), i))
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(index), np.concatenate(rows).astype(np.int64)

    def known(self, anchors: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Return pairs of one class; O(a c)."""
        a, c = self.codes[anchors], self.codes[candidates]
        return (a[:, None] == c[None, :]) & (a[:, None] >= 0)

    def arrays(self) -> list[np.ndarray]:
        """Return the codes."""
        return [self.codes]


@dataclass(frozen=True, slots=True, eq=False)
class MixedRelation:
    """Several relations at once: the positives of an anchor are drawn from all of them in turn, about evenly."""

    relations: Sequence[Relation]

    def draw(self, anchors: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return up to `n` distinct related cells; where one relation has too few, the others give more."""
        drawn = [relation.draw(anchors, n, rng) for relation in self.relations]
        index = np.concatenate([d[0] for d in drawn])
        rows = np.concatenate([d[1] for d in drawn])
        turn = np.concatenate([_places(d[0]) for d in drawn])
        order = np.lexsort((rng.random(len(index)), turn, index))
        index, rows = index[order], rows[order]
        _, first = np.unique(index * (int(rows.max(initial=0)) + 1) + rows, return_index=True)
        kept = np.sort(first)  # a cell that two relations give counts once
        index, rows = index[kept], rows[kept]
        chosen = _places(index) < n
        return index[chosen], rows[chosen]

    def known(self, anchors: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Return pairs that any of the relations knows."""
        out = np.zeros((len(anchors), len(candidates)), bool)
        for relation in self.relations:
            out |= relation.known(anchors, candidates)
        return out

    def arrays(self) -> list[np.ndarray]:
        """Return those of all relations."""
        return [array for relation in self.relations for array in relation.arrays()]


@dataclass(frozen=True, slots=True)
class Positives:
    """Where positives come from.

    Parameters
    ----------
    relation : positives other than the anchor itself; None for two views only.
    n_related : positives drawn from the relation per anchor (fewer where there are fewer).
    with_self : the anchor's own second view is a positive; otherwise it is excluded (never noise).
    """

    relation: Relation | None
    n_related: int
    with_self: bool


def draw_pairs(anchors: np.ndarray, source: Positives, rng: np.random.Generator) -> Pairs:
    """Return the pairs of anchors (a,) int64, unique: candidates are the anchors and all drawn positives.

    Known positives that were not drawn are excluded: as noise they would contradict "exactly p positives".
    """
    relation = source.relation
    if relation is None or source.n_related == 0:
        index, rows = np.zeros(0, np.int64), np.zeros(0, np.int64)
    else:
        index, rows = relation.draw(anchors, source.n_related, rng)
    candidates = np.unique(np.concatenate([anchors, rows]))
    positives = np.zeros((len(anchors), len(candidates)), bool)
    positives[index, np.searchsorted(candidates, rows)] = True
    own = np.searchsorted(candidates, anchors)
    every = np.arange(len(anchors))
    exclude = relation.known(anchors, candidates) if relation is not None else np.zeros_like(positives)
    (positives if source.with_self else exclude)[every, own] = True
    return Pairs(anchors, candidates, positives, exclude & ~positives)
