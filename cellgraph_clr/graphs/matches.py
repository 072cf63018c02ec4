"""Matches: which cells of the next frame may be a cell itself or its daughters; by masks, by tracks, or by position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_in_range, expected, listing
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.ids import rows_of
from cellgraph_clr.cells.overlap import label_overlaps
from cellgraph_clr.graphs.temporal import from_tracks, one_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellgraph_clr.cells.table import CellTable

__all__ = ["Matches", "consecutive", "match_masks", "match_nearest", "match_tracks"]

CANDIDATES = 8  # cells nearest in space, of which the nearest in their own lengths is taken


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of cells of consecutive frames of one sample.

    Parameters
    ----------
    pairs : (m, 2) int64 rows of the cells, the earlier one first; each pair once.
    overlap : (m,) float64 share of the union of the two masks (Jaccard index), 0 where they were matched without overlap.
    """

    pairs: np.ndarray
    overlap: np.ndarray


def consecutive(cells: CellTable) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows of every two frames of a sample whose numbers follow one another. O(n log n)."""
    order = np.lexsort((cells.frame, cells.sample))
    sample, frame = cells.sample[order], cells.frame[order]
    new = np.append(True, (sample[1:] != sample[:-1]) | (frame[1:] != frame[:-1])) if len(order) else np.zeros(0, bool)
    starts = np.flatnonzero(new)
    groups = np.split(order, starts[1:])
    follows = (sample[starts][1:] == sample[starts][:-1]) & (frame[starts][1:] == frame[starts][:-1] + 1)
    return [(groups[i], groups[i + 1]) for i in np.flatnonzero(follows)]


def match_masks(cells: CellTable, labels: Sequence[Any], *, min_overlap: float = 0.1) -> tuple[Matches, np.ndarray]:
    """Return the overlapping masks of consecutive frames, and the voxels of every cell.

    Parameters
    ----------
    cells : of one sample; `frame` counts the entries of `labels` from 0.
    labels : label images of the frames, (t, [z,] y, x) or a sequence; read two at a time, those in chunks block by block.
    min_overlap : least share of the union (Jaccard index) of two masks that makes a match.

    Returns
    -------
    `Matches`, and (n,) float64 voxels; NaN for cells of frames without one before or after them.

    Raises
    ------
    OptionError
        If `min_overlap` is not between 0 and 1.
    ShapeError
        If frames differ in shape, a frame of `cells` is not in `labels`, or a cell is not in its frame.

    Notes
    -----
    O(voxels). Masks that are not among `cells` are left aside.
    """
    check_in_range("min_overlap", min_overlap, low=0, high=1)
    if len(cells) and not (int(cells.frame.min()) >= 0 and int(cells.frame.max()) < len(labels)):
        found = f"frames {int(cells.frame.min())} to {int(cells.frame.max())} and {len(labels)} label images"
        raise ShapeError(expected("labels of all frames", found, "Frames count from 0."))
    voxels = np.full(len(cells), np.nan)
    pairs, shares = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    for now, after in consecutive(cells):
        t = int(cells.frame[now[0]])
        before, later = one_frame(labels, t), one_frame(labels, t + 1)
        if before.shape != later.shape:
            raise ShapeError(expected(f"frames of one shape {before.shape}", later.shape, "Register or crop them."))
        ids, common = label_overlaps(before, later)
        for side, rows in enumerate((now, after)):
            voxels[rows] = _voxels(cells, rows, ids[:, side], common)
        at = np.stack([rows_of(cells.cell_id[r], ids[:, s]) for s, r in enumerate((now, after))], axis=1)
        known = (ids > 0).all(axis=1) & (at >= 0).all(axis=1)
        both = np.stack([now[at[known, 0]], after[at[known, 1]]], axis=1)
        share = common[known] / (voxels[both].sum(axis=1) - common[known])
        pairs.append(both[share >= min_overlap])
        shares.append(share[share >= min_overlap])
    return Matches(np.concatenate(pairs), np.concatenate(shares)), voxels


def _voxels(cells: CellTable, rows: np.ndarray, ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the voxels of the cells of a frame. Raises `ShapeError` for cells without a mask."""
    unique, inverse = np.unique(ids, return_inverse=True)
    at = rows_of(unique, cells.cell_id[rows])
    if (at < 0).any():
        absent, t = cells.cell_id[rows][at < 0], int(cells.frame[rows[0]])
        remedy = "Pass the labels that the cells were measured in; frames count from 0."
        raise ShapeError(expected(f"a mask of every cell of frame {t}", f"none of {listing(absent)}", remedy))
    return np.bincount(inverse, weights=counts)[at]


def match_tracks(cells: CellTable, track: np.ndarray, *, parents: Mapping[int, int] | None = None) -> Matches:
    """Return the cells of one track in consecutive frames, and mothers with their daughters; gaps are not bridged.

    Arguments and errors are those of `graphs.temporal.from_tracks`; overlaps are 0. O(n log n).
    """
    edges = from_tracks(cells, track, parents=parents).edges
    swapped = cells.frame[edges[:, 0]] > cells.frame[edges[:, 1]]
    pairs = np.where(swapped[:, None], edges[:, ::-1], edges)
    pairs = pairs[cells.frame[pairs[:, 1]] == cells.frame[pairs[:, 0]] + 1]
    tracks = np.nan_to_num(np.asarray(track))[pairs].tolist()  # a daughter that begins before its mother ends is none
    pairs = pairs[np.array([a == b or (parents or {}).get(b) == a for a, b in tracks], bool)]
    return Matches(pairs, np.zeros(len(pairs)))


def match_nearest(cells: CellTable, matches: Matches, *, size: np.ndarray | None = None) -> Matches:
    """Return the matches with one more for every cell that has none: with the nearest cell of that frame.

    Parameters
    ----------
    cells : of any samples.
    matches : so far; none at all matches every cell with the nearest one of the next frame and of the one before.
    size : (n,) areas or volumes, above 0; distances are then in lengths size ** (1 / d) of the cell that is looked for, among
        the 8 nearest in space. None: nearest in space.

    Notes
    -----
    A daughter that lies beside its mother's mask is found so, by the daughter. O(n log n). Ties go to the first in z, y, x.
    """
    free = [np.ones(len(cells), bool) for _ in range(2)]
    for side in (0, 1):
        free[side][matches.pairs[:, side]] = False
    length = np.ones(len(cells)) if size is None else size ** (1 / cells.position.shape[1])
    more = [np.zeros((0, 2), np.int64)]
    for now, after in consecutive(cells):
        ahead, back = now[free[0][now]], after[free[1][after]]
        more.append(np.stack([ahead, _nearest(cells.position, length, ahead, after)], axis=1))
        more.append(np.stack([_nearest(cells.position, length, back, now), back], axis=1))
    extra = np.unique(np.concatenate(more), axis=0)
    return Matches(np.concatenate([matches.pairs, extra]), np.append(matches.overlap, np.zeros(len(extra))))


def _nearest(position: np.ndarray, length: np.ndarray, rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return for each of `rows` the one of `among` (at least one) that is nearest in its own lengths."""
    from scipy.spatial import cKDTree

    among = among[np.lexsort(position[among].T[::-1])]
    k = min(CANDIDATES, len(among))
    near = np.sort(cKDTree(position[among]).query(position[rows], k=k)[1].reshape(len(rows), k), axis=1)
    apart = np.linalg.norm(position[among][near] - position[rows][:, None], axis=2) / length[among][near]
    return among[near[np.arange(len(rows)), apart.argmin(axis=1)]] if len(rows) else rows
