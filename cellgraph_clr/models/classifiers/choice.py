"""Which classifier, on which vectors: chosen by the likelihood of labelled cells that were left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.rng import as_rng
from cellgraph_clr.analysis.folds import clear_gain, comparison_folds, drawn_rows, out_of_fold_scores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["MOST_CELLS", "TREES", "Candidate", "Choice", "candidates", "choose"]

TREES = "trees"
MOST_CELLS = 1000  # that take part in the choice
# Standard errors by which another candidate must be better: the rule of Breiman et al. 1984, section 3.4.3.
CLEARLY = 1.0
UNKNOWN = "No class has two labelled cells that can be left out: the first method is taken as it is."


class Candidate(NamedTuple):
    """A kind of classifier, "trees", "mlp" or "linear", on some blocks of vectors side by side."""

    kind: str
    blocks: tuple[str, ...]

    def __str__(self) -> str:
        """Return such as "trees on X + X_cellgraph"."""
        return f"{self.kind} on {' + '.join(self.blocks)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and why."""

    chosen: Candidate
    """Of the candidates."""
    by: str
    """What folds kept together: "sample", "block", "cell"; "nothing" where none could be made."""
    n_folds: int
    """Folds."""
    n_cells: int
    """Labelled cells that were tested."""
    scores: dict[str, dict[str, float | None]]
    """By candidate: log_likelihood (nats a cell), accuracy, gain over the first candidate, and gain_error, its standard error or
    None where it is not known."""


def candidates(names: Sequence[str], kinds: Sequence[str]) -> list[Candidate]:
    """Return what is compared: trees on the first block, with each other one, and on all; networks on the first, and on all."""
    first, rest = names[0], list(names[1:])
    each = [(first, other) for other in rest]
    whole = [tuple(names)] if rest else []
    sets = {TREES: [(first,), *each, *(whole if len(rest) > 1 else [])]}
    return [Candidate(kind, blocks) for kind in kinds for blocks in sets.get(kind, [(first,), *whole])]


def choose(
    listed: Sequence[Candidate],
    blocks: Mapping[str, np.ndarray],
    codes: np.ndarray,
    *,
    sample: np.ndarray,
    position: np.ndarray | None,
    new: Callable[[str], Any],
    seed: int,
) -> Choice:
    """Return the candidate under which labelled cells that were left out are most likely.

    Parameters
    ----------
    listed : candidates; the first is the reference.
    blocks : name → vectors (n, d) of labelled cells.
    codes : (n,) classes.
    sample, position : of these cells, as `analysis.folds.comparison_folds` takes them.
    new : kind → an estimator with ``out_of_fold(X, y, parts)``.
    seed : of what is drawn.

    Notes
    -----
    The reference stays unless another one is more likely by more than one standard error of their difference; of those that
    are, the most likely is taken. Five fits a candidate at most, on 1,000 cells or so (classes by their shares). A single
    candidate is compared with nothing. Warns where no class has two cells: the reference is taken.
    """
    if len(listed) == 1:
        return Choice(listed[0], "nothing", 0, 0, {})
    rows = drawn_rows(codes, MOST_CELLS, as_rng(seed))
    y = np.unique(codes[rows], return_inverse=True)[1]
    folds = comparison_folds(y, sample[rows], None if position is None else position[rows], seed=seed)
    if folds is None:
        warn(UNKNOWN)
        return Choice(listed[0], "nothing", 0, 0, {})
    likely: dict[Candidate, np.ndarray] = {}
    scores: dict[Candidate, dict[str, float | None]] = {}
    clearly = [listed[0]]
    for candidate in listed:
        x = np.concatenate([blocks[name][rows] for name in candidate.blocks], axis=1)
        value, right = out_of_fold_scores(new(candidate.kind).out_of_fold(x, y, folds.parts), y, folds)
        likely[candidate] = value
        gain, error = clear_gain(value, likely[listed[0]], folds.group)
        scores[candidate] = {
            "log_likelihood": float(np.nanmean(value)),
            "accuracy": float(np.nanmean(right)),
            "gain": gain,
            "gain_error": error if np.isfinite(error) else None,
        }
        clearly += [candidate] if gain > CLEARLY * error else []
    best = max(clearly[1:], key=lambda c: float(np.nanmean(likely[c])), default=listed[0])
    n_cells = int(np.isfinite(likely[best]).sum())
    return Choice(best, folds.by, len(folds.parts), n_cells, {str(c): scores[c] for c in listed})
