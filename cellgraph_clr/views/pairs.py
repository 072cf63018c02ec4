"""`Pairs`: which candidates are positives of which anchor, and which are in no denominator; the third noun."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import PairsError, ShapeError

__all__ = ["Pairs"]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The contract between views and objectives.

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
