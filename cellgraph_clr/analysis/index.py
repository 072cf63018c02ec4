"""An index of vectors by cosine similarity: exact in blocks, or approximate (HNSW) and kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_in_range, check_whole, expected
from cellgraph_clr._core.errors import ModelFileError, NoCellsError, ShapeError
from cellgraph_clr.analysis.hnsw import DirectionGraph
from cellgraph_clr.analysis.index_files import DAMAGED, read_index, write_index
from cellgraph_clr.analysis.retrieval import column_scale, nearest, unit_rows

if TYPE_CHECKING:
    import os

__all__ = ["VectorIndex"]

RECALL_QUERIES = 200


class VectorIndex:
    """Vectors with ids, searched by cosine similarity.

    Columns are standardised by the mean and spread of the indexed vectors, or only centred.

    Made by `build` or `load`.

    Attributes
    ----------
    ids : (n,) what a hit is called.
    recall_ : share of the true 10 nearest that the approximate index finds, measured on 200 of its own vectors; 1 for exact.

    Notes
    -----
    Exact: O(n d) a query in blocks of 16 MiB, 4 n d bytes. Approximate: about O(d log n) a query, 4 n d bytes and some 190 a
    vector, built in O(n d log n).
    Source of the graph: Malkov and Yashunin 2020 (HNSW).
    """

    def __init__(
        self,
        ids: np.ndarray,
        directions: np.ndarray,
        mean: np.ndarray,
        scale: np.ndarray,
        graph: DirectionGraph | None,
        recall: float,
    ) -> None:
        self.ids, self.recall_ = ids, recall
        self._directions, self._mean, self._scale, self._graph = directions, mean, scale, graph

    @classmethod
    def build(
        cls, vectors: np.ndarray, ids: np.ndarray | None = None, *, approximate: bool = False, standardize: bool = True
    ) -> VectorIndex:
        """Return an index of vectors.

        Parameters
        ----------
        vectors : (n, d) finite, n at least 1.
        ids : (n,) what a hit is called, numbers or text; None takes 0 … n - 1.
        approximate : build a graph index (HNSW, `usearch`) beside the vectors: queries take a small part of the time, and
            miss a few neighbours.
        standardize : divide columns by their spread; False only centres them, where their scales are weights (`tl.context`).

        Raises
        ------
        NoCellsError, NonFiniteError, ShapeError
            For no vectors, NaN, or another number of ids.
        MissingDependencyError
            For an approximate index without `usearch`.
        """
        values = np.asarray(vectors)
        if values.ndim != 2 or len(values) == 0:
            raise NoCellsError(expected("vectors (n, d) to index", values.shape, "Pass one row per cell."))
        check_finite(values, what="vectors", remedy="Repair or drop these cells first.")
        names = np.arange(len(values)) if ids is None else np.asarray(ids)
        names = names if names.dtype.kind in "iu" else names.astype(str)
        if names.shape != values.shape[:1]:
            raise ShapeError(expected(f"{len(values)} ids", names.shape, "One per vector."))
        mean, scale = column_scale(values)
        if not standardize:
            scale = np.ones_like(scale)
        directions = unit_rows(values, mean, scale)
        if not approximate:
            return cls(names, directions, mean, scale, None, 1.0)
        graph = DirectionGraph.build(directions)
        return cls(names, directions, mean, scale, graph, _measured_recall(directions, graph))

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.ids)

    def __repr__(self) -> str:
        """Return one sentence."""
        kind = "exact" if self._graph is None else f"approximate, recall@10 {self.recall_:.3f}"
        return f"<VectorIndex of {len(self)} vectors of width {self._directions.shape[1]}, {kind}>"

    def query(self, vectors: np.ndarray, k: int = 50, *, exact: bool | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids (q, k) and cosine similarities (q, k) float32 of the nearest vectors, best first.

        Parameters
        ----------
        vectors : (q, d) or (d,) finite, on the scale of those indexed. None gives (0, k).
        k : neighbours, at most as many as there are vectors.
        exact : search all vectors although there is a graph; None uses the graph where there is one.

        Raises
        ------
        ShapeError, NonFiniteError, OptionError
            For another width, NaN, k below 1 or above the number of vectors.
        """
        values = np.atleast_2d(np.asarray(vectors))
        d = self._directions.shape[1]
        if values.shape[1] != d:
            raise ShapeError(expected(f"query vectors of width {d}", values.shape, "Embed both by one model."))
        check_finite(values, what="query vectors", remedy="Look at the cells they come from.")
        check_whole("k", k)
        check_in_range("k", k, low=1, high=len(self))
        directions = unit_rows(values, self._mean, self._scale)
        if self._graph is None or exact:
            rows, similarity = nearest(directions, self._directions, k)
        else:
            rows, similarity = _found(directions, self._directions, self._graph, k)
        return self.ids[rows], similarity.astype(np.float32)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to one file (.npz, the graph in it), beside first, then renamed. O(n d)."""
        graph, node = (np.zeros(0, t) for t in (np.uint8, np.int64)) if self._graph is None else self._graph.arrays()
        arrays = {
            "ids": self.ids,
            "directions": self._directions,
            "mean": self._mean,
            "scale": self._scale,
            "graph": graph,
            "node": node,
        }
        write_index(path, arrays, recall=self.recall_)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, trusted: bool = False) -> VectorIndex:
        """Return a saved index.

        Parameters
        ----------
        path : as `save` was given.
        trusted : read the graph of an approximate index as it is in the file, O(n d), by a reader that a file made to harm can
            break out of. False builds it again from the vectors, O(n d log n).

        Raises
        ------
        MissingFileError, ModelFileError, MissingDependencyError
            If there is no such file; it is truncated, damaged or another one; for an approximate index without `usearch`.
        """
        recall, arrays = read_index(path)
        graph, node = arrays.pop("graph"), arrays.pop("node")
        if len(graph) == 0:
            return cls(**arrays, graph=None, recall=1.0)
        directions = arrays["directions"]
        if trusted:
            try:
                found = DirectionGraph.from_arrays(graph, node, directions.shape[1])
            except (RuntimeError, ValueError, IndexError) as error:
                raise ModelFileError(expected("a graph of vectors", f"another ({error})", DAMAGED)) from error
            return cls(**arrays, graph=found, recall=recall)
        found = DirectionGraph.build(directions)
        return cls(**arrays, graph=found, recall=_measured_recall(directions, found))


def _found(queries: np.ndarray, directions: np.ndarray, graph: DirectionGraph, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and similarities (q, k) that the graph finds; where it finds fewer, those of the exact search."""
    answered, *found = graph.search(queries, k)
    if answered.all():
        return found[0], found[1]
    rows, similarity = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)
    rows[answered], similarity[answered] = found
    rows[~answered], similarity[~answered] = nearest(queries[~answered], directions, k)
    return rows, similarity


def _measured_recall(directions: np.ndarray, graph: DirectionGraph) -> float:
    some = np.random.default_rng(0).choice(len(directions), min(RECALL_QUERIES, len(directions)), replace=False)
    k = min(10, len(directions))
    last = nearest(directions[some], directions, k)[1][:, -1:]  # whoever is as near as the k-th is a hit
    return float((_found(directions[some], directions, graph, k)[1] >= last - 1e-5).mean())
