"""Fragments and holes of every cell, exact for arrays of any size: pieces of blocks are joined across block faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr.cells.blocks import block_shape, is_chunked, walk_blocks
from cellgraph_clr.cells.lazy_arrays import RowsAsPlanes

if TYPE_CHECKING:
    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["LabelPieces", "label_pieces"]

NOTHING = np.uint64(2**64 - 1)


@dataclass(frozen=True, slots=True, eq=False)
class LabelPieces:
    """Per cell, sorted by id: face-connected fragments, share of the largest, holes, and voxels in holes.

    A hole is a face-connected piece of background that meets one cell only and does not reach the border of the image.
    """

    cell_id: np.ndarray
    n_fragments: np.ndarray
    largest_fragment: np.ndarray
    n_holes: np.ndarray
    hole_voxels: np.ndarray


class _Block:
    """The pieces of one block, numbered from `start`, as runs."""

    def __init__(self, labels: np.ndarray, start: int) -> None:
        from cellgraph_clr.cells.component_runs import block_components

        self.shape = labels.shape
        self.ends, piece, self.first, self.label, self.voxels, self.low, self.high = block_components(labels)
        self.piece, self.id = piece + start, self.label[piece]

    def face(self, axis: int, *, high: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return piece and label of every voxel of the first or last plane along an axis."""
        n_z, n_y, n_x = self.shape
        if axis == 2:
            runs = self.first[1:] - 1 if high else self.first[:-1]
            return self.piece[runs], self.id[runs]
        lines = np.arange(n_z * n_y).reshape(n_z, n_y).take(-1 if high else 0, axis=axis)
        runs = np.concatenate([np.arange(self.first[line], self.first[line + 1]) for line in lines])
        ends = self.ends[runs]
        before = np.concatenate([[0], ends[:-1]])
        before[before == n_x] = 0  # a new line
        return np.repeat(self.piece[runs], ends - before), np.repeat(self.id[runs], ends - before)


class _Pieces:
    """The pieces of all blocks so far, and what is known of them."""

    def __init__(self) -> None:
        self.blocks: list[tuple[np.ndarray, ...]] = []  # label, voxels, lowest and highest neighbour
        self.joins: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
        self.meets: list[np.ndarray] = [np.zeros((0, 2), np.uint64)]
        self.open: list[np.ndarray] = [np.zeros(0, np.int64)]  # pieces on the border of the image
        self.n = 0

    def add(self, labels: np.ndarray) -> _Block:
        """Find the pieces of a block."""
        block = _Block(labels, self.n)
        self.blocks.append((block.label, block.voxels, block.low, block.high))
        self.n += len(block.label)
        return block

    def join(self, one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> None:
        """Join two planes that lie face to face: equal labels are one piece, background meets cells."""
        (a, x), (b, y) = one, other
        same = x == y
        self.joins.append(np.unique(np.stack([a[same], b[same]], axis=1), axis=0))
        for piece, label, neighbour in ((a, x, y), (b, y, x)):
            met = (label == 0) & ~same
            self.meets.append(np.unique(np.stack([piece[met].astype(np.uint64), neighbour[met]], axis=1), axis=0))

    def counted(self) -> LabelPieces:
        """Return fragments and holes per cell."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        label, voxels, low, high = (np.concatenate(part) for part in zip(*self.blocks, strict=True))
        for piece, neighbour in np.concatenate(self.meets):
            low[int(piece)] = min(low[int(piece)], neighbour)
            high[int(piece)] = max(high[int(piece)], neighbour)
        joins = np.concatenate(self.joins)
        graph = coo_matrix((np.ones(len(joins)), (joins[:, 0], joins[:, 1])), shape=(self.n, self.n))
        n, whole = connected_components(graph, directed=False)
        label_of = np.zeros(n, np.uint64)
        label_of[whole] = label
        size = np.bincount(whole, weights=voxels, minlength=n).astype(np.int64)
        lowest, highest = np.full(n, NOTHING), np.zeros(n, np.uint64)
        np.minimum.at(lowest, whole, low)
        np.maximum.at(highest, whole, high)
        inside = np.ones(n, bool)
        inside[whole[np.concatenate(self.open)]] = False
        hole = (label_of == 0) & inside & (lowest == highest)
        cells, of = np.unique(label_of[label_of > 0], return_inverse=True)
        sizes = size[label_of > 0]
        largest = np.zeros(len(cells), np.int64)
        np.maximum.at(largest, of, sizes)
        owner = np.searchsorted(cells, lowest[hole])
        return LabelPieces(
            cell_id=cells.astype(np.int64),
            n_fragments=np.bincount(of, minlength=len(cells)),
            largest_fragment=largest / np.bincount(of, weights=sizes, minlength=len(cells)),
            n_holes=np.bincount(owner, minlength=len(cells)),
            hole_voxels=np.bincount(owner, weights=size[hole], minlength=len(cells)).astype(np.int64),
        )


def label_pieces(image: LabelImage) -> LabelPieces:
    """Return fragments and holes of every cell of a label image, in memory or in chunks.

    O(voxels) with union-find over runs in blocks; memory is one block with its runs, and the pieces of all blocks. Ids are
    not checked here: `scan_labels` does that.
    """
    labels: Any = image.labels
    ndim = image.ndim
    chunks = labels.chunks if is_chunked(labels) else (64, *labels.shape[1:])
    chunks = tuple(c if isinstance(c, int) else max(c) for c in chunks)
    if ndim == 2:
        labels, chunks = RowsAsPlanes(labels), (chunks[0], 1, chunks[1])
    axes = (0, 1, 2) if ndim == 3 else (0, 2)
    block = block_shape(labels.shape, chunks, labels.dtype.itemsize, least=(1, 1, 1))
    pieces = _Pieces()
    kept: dict[tuple[int, ...], dict[int, tuple[np.ndarray, np.ndarray]]] = {}  # high faces by place of the block
    for values, _, origin in walk_blocks(labels, block, (0, 0, 0)):
        plain = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        here = pieces.add(plain)
        place = tuple(origin.tolist())
        for axis in axes:
            before = tuple(p - block[axis] if a == axis else p for a, p in enumerate(place))
            if place[axis] > 0:
                pieces.join(kept[before][axis], here.face(axis, high=False))
            else:
                pieces.open.append(np.unique(here.face(axis, high=False)[0]))
            if place[axis] + plain.shape[axis] == labels.shape[axis]:
                pieces.open.append(np.unique(here.face(axis, high=True)[0]))
        kept = {p: faces for p, faces in kept.items() if p[0] >= place[0] - block[0]}
        kept[place] = {axis: here.face(axis, high=True) for axis in axes}
    return pieces.counted()
