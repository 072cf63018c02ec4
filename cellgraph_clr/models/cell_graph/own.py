"""What a cell is, beside what was learned of it: its own inputs, or their principal components, as a block of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import ModelFileError
from cellgraph_clr._core.scaling import column_moments
from cellgraph_clr.models.cell_graph.batches import FULL_GRAPH_CELLS
from cellgraph_clr.training.saved import DAMAGED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = [
    "ARRAYS",
    "OWN_WEIGHT",
    "block_numbers",
    "blocks_of",
    "check_blocks",
    "measured_rows",
    "own_turn",
    "side_by_side",
]

OWN_WEIGHT = 0.3  # length of the own block beside that of the learned one: cosines are ruled by what was learned
ARRAYS = {
    "learned_mean": ("n_dims",),
    "learned_scale": ("n_dims",),
    "own_mean": (None,),
    "own_turn": (None, None),
}  # axes
N_MEASURED = 16_384  # cells on which blocks are measured, where the graph is walked in tiles
RUNS = 8  # along the curve, in which they lie
FEW = 1000  # inputs, up to which all components are worked out


def own_turn(x: np.ndarray, n_own: int, *, seed: int) -> np.ndarray:
    """Return the map (f, k) float32 from inputs (n, f) to the own block: themselves where f <= `n_own`, else components.

    The sign of a component is that of its largest loading. O(n f² + f³), beyond 1,000 inputs O(n f k) (randomised).
    """
    from sklearn.decomposition import PCA

    n, f = x.shape
    if f <= n_own:
        return np.eye(f, dtype=np.float32)
    k = min(n_own, n)
    solver = "covariance_eigh" if f <= FEW else "randomized"
    turn = PCA(k, svd_solver=solver, random_state=seed).fit(x.astype(np.float64)).components_.T
    return np.asarray(turn * np.where(turn[np.abs(turn).argmax(axis=0), np.arange(k)] < 0, -1, 1), np.float32)


def measured_rows(curve: np.ndarray) -> np.ndarray:
    """Return the rows to measure: all of a small graph, of a large one runs along the curve, evenly apart."""
    if len(curve) <= max(FULL_GRAPH_CELLS, N_MEASURED):
        return curve
    starts = np.linspace(0, len(curve) - N_MEASURED // RUNS, RUNS).astype(int)
    return curve[np.unique(starts[:, None] + np.arange(N_MEASURED // RUNS))]


def block_numbers(learned: np.ndarray, x: np.ndarray, turn: np.ndarray) -> dict[str, np.ndarray]:
    """Return what `side_by_side` needs, from the learned vectors (n, d) and inputs (n, f) of the cells fitted on.

    Columns of the learned block are standardised and divided by sqrt d, so that its mean squared length is 1; that of the own
    block is `OWN_WEIGHT` squared, its columns keep their proportions (derivation ours).
    """
    mean, scale = column_moments(learned)
    centre = x.mean(axis=0, dtype=np.float64).astype(np.float32)
    own = (x - centre) @ turn
    length = float(np.sqrt(np.square(own, dtype=np.float64).sum(axis=1).mean()))
    return {
        "learned_mean": mean,
        "learned_scale": scale * np.float32(np.sqrt(learned.shape[1])),
        "own_mean": centre,
        "own_turn": (turn * (OWN_WEIGHT / length if length > 0 else 1.0)).astype(np.float32),
    }


def side_by_side(learned: np.ndarray, x: np.ndarray, numbers: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return ``[learned | own]`` (n, d + k) float32 of learned vectors (n, d) and inputs (n, f).

    Raises `ModelFileError` where the numbers are of other widths.
    """
    turn = numbers["own_turn"]
    d, f = learned.shape[1], x.shape[1]
    fits = [numbers[k].shape == (d,) for k in ("learned_mean", "learned_scale")]
    if not all(fits) or turn.shape[0] != f or numbers["own_mean"].shape != (f,):
        found = f"{numbers['learned_mean'].shape[0]} and {turn.shape[0]}"
        raise ModelFileError(expected(f"blocks of {d} learned columns and {f} inputs", found, DAMAGED))
    out = np.empty((len(x), d + turn.shape[1]), np.float32)
    np.subtract(learned, numbers["learned_mean"], out=out[:, :d])
    out[:, :d] /= numbers["learned_scale"]
    out[:, d:] = (x - numbers["own_mean"]) @ turn
    return out


def check_blocks(n_own: int, names: Collection[str]) -> None:
    """Raise `ModelFileError` unless a model has the numbers of its blocks: all, or none where `n_own` is 0."""
    odd = [name for name in ARRAYS if (name in names) != bool(n_own)]
    if odd:
        raise ModelFileError(expected("the numbers of its blocks in a model", f"others: {listing(odd)}", DAMAGED))


def blocks_of(n_dims: int, numbers: Mapping[str, np.ndarray]) -> dict[str, tuple[int, int]]:
    """Return the first column and the end of every block by its name."""
    blocks = {"learned": (0, n_dims)}
    if "own_turn" in numbers:
        blocks["own"] = (n_dims, n_dims + numbers["own_turn"].shape[1])
    return blocks
