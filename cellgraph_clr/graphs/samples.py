"""Many samples at once: every builder runs sample by sample, so that no edge joins two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import listing
from cellgraph_clr._core.notices import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scipy.sparse import csr_matrix

    from cellgraph_clr.cells.table import CellTable

__all__ = ["Group", "edges_per_sample", "group_rows", "groups", "n_crossing", "warn_of_small"]


class Group(NamedTuple):
    """Cells that may share edges: those of one image, so of the same sample and the same frame."""

    sample: str
    frame: int
    rows: np.ndarray
    name: str
    """The sample where it has one frame, else the sample and the frame ("embryo/frame_07", or "frame_07" alone)."""

    @property
    def keys(self) -> tuple[str, ...]:
        """What may name the image in a mapping: its name, the name without the sample, the sample, the frame number last."""
        return self.name, self.name.removeprefix(f"{self.sample}/"), self.sample, str(self.frame)


def groups(cells: CellTable) -> list[Group]:
    """Return the groups of a table, by sample, then frame; rows ascend."""
    return group_rows(cells.sample, cells.frame)


def group_rows(samples: np.ndarray, frames: np.ndarray) -> list[Group]:
    """Return the groups of cells with these samples (n,) and frames (n,), by sample, then frame; rows ascend.

    O(n log n). No cells give no group.
    """
    if len(samples) == 0:
        return []
    names, code = np.unique(samples, return_inverse=True)
    order = np.lexsort((frames, code))
    starts = np.flatnonzero(np.r_[True, (np.diff(code[order]) != 0) | (np.diff(frames[order]) != 0)])
    n_frames = np.bincount(code[order[starts]], minlength=len(names))
    width = len(str(int(frames.max())))
    out = []
    for rows in np.split(order, starts[1:]):
        sample, frame = str(names[code[rows[0]]]), int(frames[rows[0]])
        shown = f"frame_{frame:0{width}d}"
        name = sample if n_frames[code[rows[0]]] == 1 else f"{sample}/{shown}" if sample else shown
        out.append(Group(sample, frame, rows, name))
    return out


def edges_per_sample(
    cells: CellTable, build: Callable[[np.ndarray, str], tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the edges (m, 2) of all samples with their lengths; `build(position, name)` gives those of one by local rows."""
    parts = [(g.rows, *build(cells.position[g.rows], g.name)) for g in groups(cells)]
    if len(parts) == 1:
        return parts[0][1], {"length": parts[0][2]}
    edges = [rows[local] for rows, local, _ in parts]
    lengths = [length for _, _, length in parts]
    return (
        np.concatenate(edges) if edges else np.zeros((0, 2), np.int64),
        {"length": np.concatenate(lengths) if lengths else np.zeros(0, np.float32)},
    )


def n_crossing(adjacency: csr_matrix, number: np.ndarray) -> int:
    """Return how many entries of a symmetric matrix join cells with different numbers (n,), each edge counted once."""
    pairs = adjacency.tocoo()
    across = number[pairs.row] != number[pairs.col]
    low, high = np.minimum(pairs.row, pairs.col)[across], np.maximum(pairs.row, pairs.col)[across]
    return len(np.unique(low.astype(np.int64) * len(number) + high))


def warn_of_small(names: Sequence[str], needed: str) -> None:
    """Warn of samples that have fewer cells than a builder needs, whose cells were all joined to one another."""
    if len(names) == 0:
        return
    which = f"{len(names)} samples ({listing(names, limit=5)}) have" if names[0] else "The sample has"
    text = f"{which} fewer than {needed}: every cell there is joined to every other."
    warn(text)
