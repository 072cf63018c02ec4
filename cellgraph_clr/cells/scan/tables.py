"""The tables of a scan, which grow: runs of the lines read last, rows of cells and of pairs and what is counted of them."""

from __future__ import annotations

import numpy as np

from cellgraph_clr.cells.scan.columns import BOX_HIGH, BOX_LOW, LEAST, MOST, N_INTENSITY, N_OF_PAIRS, N_OVERLAPS, N_SUMS
from cellgraph_clr.cells.scan.faces import Pairs, add_faces
from cellgraph_clr.cells.scan.runs import Place, Runs, find_runs
from cellgraph_clr.cells.scan.sums import Rows, find_rows, grow_hash

__all__ = ["CellTables", "PairTable", "Window", "empty_rows", "found_rows", "grown", "grown_rows"]

N_CELLS = 512  # of tables at first
N_PAIRS = 4096


def grown(table: np.ndarray, n: int, empty: np.ndarray | float = 0) -> np.ndarray:
    """Return a table of n rows that starts with the rows of another one; the others are `empty`."""
    out = np.empty((n, *table.shape[1:]), table.dtype)
    out[: len(table)] = table
    out[len(table) :] = empty
    return out


def empty_rows(n: int) -> Rows:
    """Return an empty table with room for n keys."""
    return Rows(np.zeros(2 * n, np.uint64), np.zeros(2 * n, np.int32), np.zeros(n, np.uint64), np.zeros(1, np.int64))


def grown_rows(rows: Rows) -> Rows:
    """Return rows with room for twice as many keys."""
    new = empty_rows(2 * len(rows.keys))
    grow_hash(rows, new)
    return new._replace(keys=grown(rows.keys, 2 * len(rows.keys)), n=rows.n)


def found_rows(known: Rows, labels: np.ndarray, rows: np.ndarray) -> Rows:
    """Write the row of every label, and return the table, which may have grown."""
    first = 0
    while (first := find_rows(labels, rows, known, first)) < len(labels):
        known = grown_rows(known)
    return known


class Window:
    """The runs of the lines read last, as many as later lines are compared with; older ones are dropped for room."""

    def __init__(self, kept: int, batch: int, n_x: int) -> None:
        self._kept, self._n_x = kept, n_x
        self._labels = np.empty(batch * n_x, np.uint64)
        self._make(2 * batch * n_x, 2 * kept + 4 * batch + 1)

    def _make(self, n: int, n_lines: int) -> None:
        self.runs = Runs(np.empty(n, np.int32), np.empty(n, np.int32), np.zeros(n_lines, np.int64), 0)
        self.pairs = np.empty(n, np.int32)  # the row of the pair of cells at the end of each run

    def read(self, labels: np.ndarray, span: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Find the runs of lines span[0] to span[1] - 1 of flat labels; return their labels, and where their rows go."""
        begin, end = span[0] * self._n_x, span[1] * self._n_x
        starts, first_line = self.runs.starts, self.runs.first_line
        if starts[span[0] - first_line] + end - begin > len(self.runs.ends) or span[1] - first_line >= len(starts):
            self._drop(span[0], end - begin)
        find_runs(labels[begin:end], self._n_x, self.runs, self._labels, span)
        p, q = self.runs.starts[[line - self.runs.first_line for line in span]].tolist()
        return self._labels[: q - p], self.runs.rows[p:q]

    def _drop(self, line: int, voxels: int) -> None:
        """Drop lines too far before `line`, and make room for as many runs as `voxels`."""
        old, pairs = self.runs, self.pairs
        first_line = max(line - self._kept, old.first_line)
        starts = old.starts[first_line - old.first_line : line - old.first_line + 1]
        low, high = int(starts[0]), int(starts[-1])
        need = 2 * (high - low) + voxels  # so that this is rare
        if need > len(old.ends):
            self._make(need, len(old.starts))
        for new, values in ((self.runs.ends, old.ends), (self.runs.rows, old.rows), (self.pairs, pairs)):
            new[: high - low] = values[low:high]
        self.runs.starts[: len(starts)] = starts - low
        self.runs = self.runs._replace(first_line=first_line)


class CellTables:
    """Rows of labels, and per row sums, intensities and overlaps; row 0 is the background."""

    def __init__(self, n_channels: int) -> None:
        self.rows = empty_rows(N_CELLS)
        self.rows.n[0] = 1
        self._no_sums = np.zeros(N_SUMS, np.int64)
        self._no_sums[BOX_LOW], self._no_sums[BOX_HIGH] = 2**62, -1
        self._no_intensity = np.zeros(N_INTENSITY)
        self._no_intensity[LEAST], self._no_intensity[MOST] = np.inf, -np.inf
        self.sums = np.empty((0, N_SUMS), np.int64)
        self.intensity = np.empty((0, n_channels, N_INTENSITY))
        self.overlaps = np.empty((0, N_OVERLAPS), np.int64)

    def __len__(self) -> int:
        return int(self.rows.n[0])

    def find(self, labels: np.ndarray, rows: np.ndarray) -> None:
        """Write the row of every label, and give every row its place in the tables."""
        self.rows = found_rows(self.rows, labels, rows)
        n = len(self.rows.keys)
        if n > len(self.sums):
            self.sums = grown(self.sums, n, self._no_sums)
            self.intensity = grown(self.intensity, n, self._no_intensity)
            self.overlaps = grown(self.overlaps, n)


class PairTable:
    """Rows of pairs of cells, and the faces and common ends of runs of each."""

    def __init__(self) -> None:
        self.rows, self.faces = empty_rows(N_PAIRS), np.zeros((N_PAIRS, N_OF_PAIRS), np.int64)

    def __len__(self) -> int:
        return int(self.rows.n[0])

    def add(
        self, window: Window, place: Place, tables: tuple[np.ndarray, np.ndarray, np.ndarray], span: tuple[int, int]
    ) -> None:
        """Count the faces of lines span[0] to span[1] - 1; `tables` are those of `add_faces`."""
        line = span[0]
        while line < span[1]:
            pairs = Pairs(self.rows, self.faces, window.pairs)
            line = add_faces(window.runs, place, pairs, tables, (line, *span))
            if line < span[1]:
                self.rows = grown_rows(self.rows)
                self.faces = grown(self.faces, len(self.rows.keys))
