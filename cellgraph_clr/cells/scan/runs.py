"""What sees the dtype of the input: labels and intensities of any dtype become runs and sums of a fixed one.

All else in this folder is compiled once, for these fixed dtypes. Arrays come flat and read-only, so that a memory map, a
slice and an array of one's own are one type to the compiler.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from cellgraph_clr._core.kernels import kernel
from cellgraph_clr.cells.scan.columns import LEAST, MOST, SQUARES, TOTAL, WEIGHTED_X, WEIGHTED_Y, WEIGHTED_Z

__all__ = [
    "BATCH_VOXELS",
    "Channel",
    "Place",
    "Runs",
    "add_intensities",
    "all_runs",
    "find_runs",
    "flat",
    "flat_labels",
]

BATCH_VOXELS = 2**20  # voxels of a batch of lines: their runs stay in the cache, and calls between batches are few


class Runs(NamedTuple):
    """Runs of equal labels of successive lines; a line is a row of voxels along x.

    `starts` tells where the runs of each line start, `first_line` which line starts[0] is. Per run: its exclusive end
    along x, and its row in the tables of cells (0 is the background).
    """

    ends: np.ndarray  # int32
    rows: np.ndarray  # int32
    starts: np.ndarray  # int64
    first_line: int


class Place(NamedTuple):
    """Where a block lies: voxel (0, 0, 0) of it, its halo, is at `origin` in the image of `size`.

    Lines are counted z * n_y + y. From `core` on voxels are the block's own; below lies what other blocks counted.
    """

    n_y: int
    core_z: int
    core_y: int
    core_x: int
    origin_z: int
    origin_y: int
    origin_x: int
    size_z: int
    size_y: int
    size_x: int


class Channel(NamedTuple):
    """A channel of the table of intensities (n, c, N_INTENSITY), and what is subtracted before squaring."""

    table: np.ndarray
    number: int
    shift: float


def flat(array: np.ndarray) -> np.ndarray:
    """Return a C-contiguous array as a flat read-only view."""
    view = array.reshape(-1)
    view.flags.writeable = False
    return view


def flat_labels(labels: np.ndarray) -> np.ndarray:
    """Return C-contiguous labels as a flat read-only view of unsigned integers, so that four widths are compiled."""
    return flat(labels.view(f"u{labels.dtype.itemsize}"))


@intrinsic
def _trailing_zeros(typingctx, x):  # noqa: ANN001, ANN202, ARG001
    def codegen(context, builder, signature, args):  # noqa: ANN001, ANN202, ARG001
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), codegen


@intrinsic
def _changes(typingctx, labels, start):  # noqa: ANN001, ANN202, ARG001
    """Return 64 bits: bit i is set where element start + i of flat `labels` differs from the next."""

    def codegen(context, builder, signature, args):  # noqa: ANN001, ANN202
        array = context.make_array(signature.args[0])(context, builder, args[0])
        element = context.get_value_type(signature.args[0].dtype)
        vector = ir.VectorType(element, 64).as_pointer()
        one = ir.Constant(ir.IntType(64), 1)

        def load(index):  # noqa: ANN001, ANN202
            return builder.load(builder.bitcast(builder.gep(array.data, [index]), vector), align=element.width // 8)

        here, there = load(args[1]), load(builder.add(args[1], one))
        return builder.bitcast(builder.icmp_unsigned("!=", here, there), ir.IntType(64))

    return types.uint64(labels, types.int64), codegen


@kernel
def find_runs(labels, n_x, runs, labels_of_runs, span):  # noqa: ANN001, ANN201
    """Append the runs of lines span[0] to span[1] - 1, of `n_x` voxels each, whose labels are given, to `runs`.

    The labels of these runs are written as well. There must be room for as many runs as there are voxels.
    """
    first, stop = span
    whole = (n_x - 1) // 64 * 64  # the last comparison of 64 voxels reads one element beyond them
    p = runs.starts[first - runs.first_line]
    n = 0
    for line in range(first, stop):
        begin = (line - first) * n_x
        q = p
        for start in range(0, whole, 64):
            bits = _changes(labels, begin + start)
            while bits:
                runs.ends[q] = start + np.int64(_trailing_zeros(bits)) + 1
                q += 1
                bits &= bits - np.uint64(1)
        for x in range(whole, n_x - 1):
            if labels[begin + x] != labels[begin + x + 1]:
                runs.ends[q] = x + 1
                q += 1
        runs.ends[q] = n_x
        labels_of_runs[n] = labels[begin]
        for run in range(p, q):
            labels_of_runs[n + run + 1 - p] = labels[begin + runs.ends[run]]
        n += q + 1 - p
        p = q + 1
        runs.starts[line + 1 - runs.first_line] = p


def all_runs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ends and labels of all runs of C-contiguous labels (z, y, x), and where the runs of each line start."""
    n_lines, n_x = labels.shape[0] * labels.shape[1], labels.shape[2]
    batch = max(1, min(BATCH_VOXELS // n_x, n_lines))
    values, none = flat_labels(labels), np.empty(0, np.int32)
    ends, of_runs = np.empty(batch * n_x, np.int32), np.empty(batch * n_x, np.uint64)
    parts = []
    for first in range(0, n_lines, batch):
        stop = min(first + batch, n_lines)
        runs = Runs(ends, none, np.zeros(stop - first + 1, np.int64), first)
        find_runs(values[first * n_x : stop * n_x], n_x, runs, of_runs, (first, stop))
        n = runs.starts[-1]
        parts.append((ends[:n].copy(), of_runs[:n].copy(), np.diff(runs.starts)))
    ends, of_runs, counts = (np.concatenate(p) for p in zip(*parts, strict=True))
    return ends, of_runs, np.concatenate([[0], np.cumsum(counts)])


@kernel
def add_intensities(values, runs, place, channel, span):  # noqa: ANN001, ANN201
    """Add one channel of the own voxels of span[0] to span[1] - 1 to its table; `values` are those of these voxels."""
    table, number, shift = channel.table, channel.number, channel.shift
    begin = 0
    for line in range(span[0], span[1]):
        y, z = line % place.n_y, line // place.n_y
        if z < place.core_z or y < place.core_y:
            continue
        y, z = y + place.origin_y, z + place.origin_z
        x0 = place.core_x
        for run in range(runs.starts[line - runs.first_line], runs.starts[line + 1 - runs.first_line]):
            x1 = np.int64(runs.ends[run])
            row = runs.rows[run]
            if x1 <= x0:
                continue
            n = x1 - x0
            if row:
                total, square, moment = 0.0, 0.0, 0.0
                low, high = np.inf, -np.inf
                for i in range(n):
                    raw = np.float64(values[begin + i])
                    v = raw - shift
                    total += v
                    square += v * v
                    moment += v * i
                    low = min(low, raw)
                    high = max(high, raw)
                raw_total = total + shift * n
                own = table[row, number]
                own[TOTAL] += total
                own[SQUARES] += square
                own[LEAST] = min(own[LEAST], low)
                own[MOST] = max(own[MOST], high)
                own[WEIGHTED_Z] += z * raw_total
                own[WEIGHTED_Y] += y * raw_total
                own[WEIGHTED_X] += moment + shift * (n * (n - 1) // 2) + (x0 + place.origin_x) * raw_total
            begin += n
            x0 = x1
