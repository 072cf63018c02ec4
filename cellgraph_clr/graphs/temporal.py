"""Edges between frames: the same cell at two times, and a mother with her daughters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_same_length, expected, listing
from cellgraph_clr._core.errors import OptionError, ShapeError
from cellgraph_clr._core.ids import as_whole, is_whole
from cellgraph_clr.cells.blocks import is_chunked
from cellgraph_clr.cells.overlap import label_overlaps
from cellgraph_clr.graphs.graph import CellGraph

if TYPE_CHECKING:
    from cellgraph_clr.cells.table import CellTable

__all__ = ["from_overlap", "from_tracks", "one_frame", "overlaps"]


def from_tracks(cells: CellTable, track: np.ndarray, *, parents: Mapping[int, int] | None = None) -> CellGraph:
    """Return the graph that joins every cell to the next appearance of its track, and mothers to daughters.

    Parameters
    ----------
    cells : of several frames.
    track : (n,) whole number of the track of each cell; 0 or below, and NaN, is no track.
    parents : track -> track it came from (0: none). The last cell of the mother joins the first of each daughter.

    Raises
    ------
    ShapeError
        If `track` has another length, or a track has two cells in one frame of a sample.
    CellGraphError
        If tracks are no whole numbers.
    OptionError
        If `parents` are no whole numbers, or a track comes from itself or from one that begins no earlier.

    Notes
    -----
    A gap in a track is bridged. O(n log n).
    """
    check_same_length(len(cells), len(track), what_a="cells", what_b="track ids", remedy="One per cell.")
    track = _whole_tracks(track)
    parents = _whole_parents(parents or {})
    rows = np.flatnonzero(track > 0)
    _, sample = np.unique(cells.sample, return_inverse=True)
    order = rows[np.lexsort((cells.frame[rows], track[rows], sample[rows]))]
    same = (track[order][1:] == track[order][:-1]) & (sample[order][1:] == sample[order][:-1])
    twice = same & (cells.frame[order][1:] == cells.frame[order][:-1])
    if twice.any():
        where = order[1:][twice][0]
        raise ShapeError(
            expected(
                "one cell per track and frame",
                f"two of track {track[where]} in frame {cells.frame[where]}",
                "Give fragments one id, or tracks of their own.",
            )
        )
    edges = [np.stack([order[:-1][same], order[1:][same]], axis=1)]
    starts = np.concatenate([[True], ~same]) if len(order) else np.zeros(0, bool)
    ends = np.concatenate([~same, [True]]) if len(order) else np.zeros(0, bool)
    first = {(sample[r], track[r]): r for r in order[starts]}
    last = {(sample[r], track[r]): r for r in order[ends]}
    births = [(last[s, parents[t]], row) for (s, t), row in first.items() if (s, parents.get(t, 0)) in last]
    for mother, daughter in births:
        begin = first[sample[mother], track[mother]]
        if cells.frame[begin] >= cells.frame[daughter]:
            found = f"{track[daughter]} in frame {cells.frame[daughter]}, of {track[mother]} in {cells.frame[begin]}"
            raise OptionError(expected("`parents` that begin before their daughters", found, "Look at the lineage."))
    return CellGraph.from_pairs(cells, np.concatenate([*edges, np.array(births, np.int64).reshape(-1, 2)]))


def _whole_tracks(track: np.ndarray) -> np.ndarray:
    values = np.asarray(track)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), 0, values)
    return as_whole(values, "the tracks", low=None, remedy="0 and NaN are no track.")


def _whole_parents(parents: Mapping[int, int]) -> dict[int, int]:
    """Return track -> mother without those that have none; raises `OptionError` for what is no whole number."""
    odd = [(t, m) for t, m in parents.items() if not (is_whole(t) and is_whole(m)) or t == m]
    if odd:
        told = listing([f"{t!r}: {m!r}" for t, m in odd], limit=5)
        remedy = "Keys are daughters, values their mothers; make numbers of text (of JSON)."
        raise OptionError(expected("`parents` as whole numbers of tracks, none its own mother", told, remedy))
    return {int(t): int(m) for t, m in parents.items() if m}


def overlaps(before: Any, after: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of ids (m, 2) of two label frames that overlap, and the share of their union (Jaccard index).

    Raises `ShapeError` if the frames have different shapes. O(voxels); chunked frames are read block by block.
    """
    if before.shape != after.shape:
        raise ShapeError(expected(f"frames of one shape {before.shape}", after.shape, "Register or crop them."))
    pairs, common = label_overlaps(before, after)
    total = np.zeros(len(pairs), np.int64)
    for side in (0, 1):
        _, row = np.unique(pairs[:, side], return_inverse=True)
        total += np.bincount(row, weights=common).astype(np.int64)[row]
    both = (pairs > 0).all(axis=1)
    return pairs[both], common[both] / (total - common)[both]


def one_frame(labels: Sequence[Any], t: int) -> Any:
    """Return the labels of frame t, those in chunks as they are."""
    frame = labels[t]
    return frame if is_chunked(frame) else np.asarray(frame)


def from_overlap(cells: CellTable, labels: Sequence[np.ndarray], *, min_overlap: float = 0.1) -> CellGraph:
    """Return the graph that joins cells of consecutive frames whose masks overlap.

    Parameters
    ----------
    cells : of one sample; `frame` counts the entries of `labels` from 0.
    labels : label images of the frames, (t, [z,] y, x) or a sequence; read two at a time.
    min_overlap : least share of the union (Jaccard index) that makes an edge; kept as edge feature "overlap".

    Raises
    ------
    OptionError
        If `min_overlap` is not between 0 and 1.
    ShapeError
        If frames differ in shape or a frame of `cells` is not in `labels`.
    """
    check_in_range("min_overlap", min_overlap, low=0, high=1)
    if len(cells) and int(cells.frame.max()) >= len(labels):
        raise ShapeError(
            expected(f"labels of {int(cells.frame.max()) + 1} frames", len(labels), "Frames count from 0.")
        )
    order = np.lexsort((cells.cell_id, cells.frame))
    key = list(zip(cells.frame[order].tolist(), cells.cell_id[order].tolist(), strict=True))
    row_of = dict(zip(key, order.tolist(), strict=True))
    edges, shares = [], []
    for t in range(len(labels) - 1):
        for (a, b), share in zip(*overlaps(one_frame(labels, t), one_frame(labels, t + 1)), strict=True):
            if share >= min_overlap and (t, a) in row_of and (t + 1, b) in row_of:
                edges.append((row_of[t, a], row_of[t + 1, b]))
                shares.append(share)
    return CellGraph.from_pairs(cells, np.array(edges, np.int64).reshape(-1, 2), {"overlap": np.array(shares)})
