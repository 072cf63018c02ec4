"""The tables of a scan, which grow: runs of the lines read last, rows of cells and of pairs and what is counted of them."""

from __future__ import annotations

import numpy as np

from cellgraph_clr.cells.scan.columns import BOX_HIGH, BOX_LOW, LEAST, MOST, N_INTENSITY, N_OVERLAPS, N_SUMS
from cellgraph_clr.cells.scan.faces import Pairs, add_faces
from cellgraph_clr.cells.scan.runs import Place, Runs, find_runs
from cellgraph_clr.cells.scan.sums import Rows, find_rows, grow_hash

__all__ = ["CellTables", "PairTable", "Window"]

N_CELLS = 512  # of tables at first
N_PAIRS = 4096


def _grown(table: np.ndarray, n: int, empty: np.ndarray | float = 0) -> np.ndarray:
    """Return a table of n rows that starts with the rows of another one; the others are `empty`."""
    out = np.empty((n, *table.shape[1:]), table.dtype)
    out[: len(table)] = table
    out[len(table) :] = empty
    return out


def _rows(n: int) -> Rows:
    return Rows(np.zeros(2 * n, np.uint64), np.zeros(2 * n, np.int32), np.zeros(n, np.uint64), np.zeros(1, np.int64))


def _grown_rows(rows: Rows) -> Rows:
    """Return rows with room for twice as many keys."""
    new = _rows(2 * len(rows.keys))
    grow_hash(rows, new)
    return new._replace(keys=_grown(rows.keys, 2 * len(rows.keys)), n=rows.n)


class Window:
    """The runs of the lines read last, as many as later lines are compared with; older ones are dropped for room."""

    def __init__(self, kept: int, batch: int, n_x: int) -> None:
        self._kept, self._n_x = kept, n_x
        self.runs = self._room(2 * batch * n_x, 2 * kept + 4 * batch + 1)

    @staticmethod
    def _room(n: int, n_lines: int) -> Runs:
        ends, rows, pairs = (np.empty(n, np.int32) for _ in range(3))
        return Runs(ends, np.empty(n, np.uint64), rows, pairs, np.zeros(n_lines, np.int64), 0)

    def read(self, labels: np.ndarray, first: int, stop: int) -> tuple[int, int]:
        """Find the runs of lines `first` to `stop` - 1 of flat labels; return the first of these runs and their end."""
        voxels = (stop - first) * self._n_x  # the most runs possible
        starts, first_line = self.runs.starts, self.runs.first_line
        if starts[first - first_line] + voxels > len(self.runs.ends) or stop - first_line >= len(starts):
            self._drop(first, voxels)
        find_runs(labels[first * self._n_x : stop * self._n_x], self._n_x, self.runs, first, stop)
        at = self.runs.starts[[first - self.runs.first_line, stop - self.runs.first_line]].tolist()
        return at[0], at[1]

    def _drop(self, line: int, voxels: int) -> None:
        """Drop lines too far before `line`, and make room for as many runs as `voxels`."""
        old = self.runs
        first_line = max(line - self._kept, old.first_line)
        starts = old.starts[first_line - old.first_line : line - old.first_line + 1]
        low, high = int(starts[0]), int(starts[-1])
        need = 2 * (high - low) + voxels  # so that this is rare
        new = old if need <= len(old.ends) else self._room(need, len(old.starts))
        for name in ("ends", "rows", "pairs"):
            getattr(new, name)[: high - low] = getattr(old, name)[low:high]
        new.starts[: len(starts)] = starts - low
        self.runs = new._replace(first_line=first_line)


class CellTables:
    """Rows of labels, and per row sums, intensities and overlaps; row 0 is the background."""

    def __init__(self, n_channels: int) -> None:
        self.rows = _rows(N_CELLS)
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

    def find(self, runs: Runs, first: int, stop: int) -> None:
        """Give every label of runs `first` to `stop` - 1 its row, and every row its place in the tables."""
        while (first := find_rows(runs, self.rows, first, stop)) < stop:
            self.rows = _grown_rows(self.rows)
        n = len(self.rows.keys)
        if n > len(self.sums):
            self.sums = _grown(self.sums, n, self._no_sums)
            self.intensity = _grown(self.intensity, n, self._no_intensity)
            self.overlaps = _grown(self.overlaps, n)


class PairTable:
    """Rows of pairs of cells, and the faces of each."""

    def __init__(self) -> None:
        self.table = Pairs(_rows(N_PAIRS), np.zeros((N_PAIRS, 3), np.int64))

    def __len__(self) -> int:
        return int(self.table.rows.n[0])

    def add(self, runs: Runs, place: Place, matches: np.ndarray, span: tuple[int, int]) -> None:
        """Count the faces of lines span[0] to span[1] - 1, and how many runs match the lines before."""
        line = span[0]
        while (line := add_faces(runs, place, self.table, matches, (line, *span))) < span[1]:
            rows = _grown_rows(self.table.rows)
            self.table = Pairs(rows, _grown(self.table.faces, len(rows.keys)))
