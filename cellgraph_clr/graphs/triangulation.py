"""Edges of the Delaunay triangulation, with long edges pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_option, expected
from cellgraph_clr._core.errors import GeometryError, OptionError
from cellgraph_clr._core.rng import as_rng
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.samples import edges_per_sample, warn_of_small

if TYPE_CHECKING:
    from cellgraph_clr.cells.table import CellTable

__all__ = ["automatic_max_distance", "delaunay"]


def automatic_max_distance(length: np.ndarray) -> float:
    """Return the longest edge length to keep: Tukey's upper fence on log lengths, exp(q75 + 1.5 (q75 - q25)).

    Scale-free; edges of length 0 are left out of the quartiles. Infinity when no edge has a length.
    """
    logs = np.log(length[length > 0])
    if len(logs) == 0:
        return float("inf")
    low, high = np.quantile(logs, [0.25, 0.75])
    return float(np.exp(high + 1.5 * (high - low)))


def _distinct(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of every distinct position, and for every row the number of its position.

    Positions come tile by tile, about 64 in each: qhull is faster when points near one another follow one another.
    """
    n, d = position.shape
    low, extent = position.min(axis=0), np.ptp(position, axis=0)
    tiles = np.maximum(1, int((n / 64) ** (1 / d)))
    at = ((position - low) / np.where(extent > 0, extent, 1) * tiles).astype(np.int64)
    order = np.lexsort((*position.T, np.ravel_multi_index(tuple(at.T), (tiles + 1,) * d)))
    new = np.ones(n, bool)
    new[1:] = (position[order[1:]] != position[order[:-1]]).any(axis=1)
    inverse = np.empty(n, np.int64)
    inverse[order] = np.cumsum(new) - 1
    return order[new], inverse


def _lengths(position: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the length (m,) float32 of every edge, axis by axis to spare memory."""
    square = np.zeros(len(edges))
    for axis in range(position.shape[1]):
        square += (position[edges[:, 0], axis] - position[edges[:, 1], axis]) ** 2
    return np.sqrt(square).astype(np.float32)


def _left_out(unique: np.ndarray, inside: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Return the points (m, 2) that qhull left out, since they differ from others by rounding only, each with a vertex.

    `named` are those it tells of, with the vertex they are at; the others go to the nearest point that is `inside`.
    """
    pairs = named.astype(np.int64).reshape(-1, 2)
    lost = np.setdiff1d(np.flatnonzero(~inside), pairs[:, 0])
    if len(lost) == 0:
        return pairs
    from scipy.spatial import cKDTree

    kept = np.flatnonzero(inside)
    near = kept[cKDTree(unique[kept]).query(unique[lost])[1]]
    return np.concatenate([pairs, np.stack([lost, near], axis=1)])


def delaunay(
    cells: CellTable,
    *,
    max_distance: float | Literal["auto"] | None = "auto",
    duplicates: Literal["join", "raise"] = "join",
    degenerate: Literal["raise", "jitter"] = "raise",
    rng: np.random.Generator | None = None,
) -> tuple[CellGraph, float]:
    """Return the Delaunay graph and the longest edge kept.

    Parameters
    ----------
    cells : positions in physical units, those of a sample not all on a line or plane.
    max_distance : longest edge kept, in the unit of positions; "auto" applies `automatic_max_distance` over all
        samples, None keeps every edge (the hull's long ones too).
    duplicates : of several cells at one position only one enters the triangulation and the others are joined to it, so
        that no cell is lost ("join"); or they are refused ("raise").
    degenerate : cells that lie on a line (3D: plane) are refused ("raise"), or moved by 1e-6 of their extent ("jitter").
    rng : generator of the jitter, needed for "jitter".

    Raises
    ------
    GeometryError
        What `duplicates` and `degenerate` refuse.
    OptionError
        If `max_distance` is not "auto", None or above 0.

    Warns
    -----
    UserWarning
        If a sample has fewer than d + 2 distinct positions: all of its cells are joined.

    Notes
    -----
    O(n log n) in 2D.
    """
    from scipy.spatial import Delaunay, QhullError

    if max_distance not in ("auto", None):
        if isinstance(max_distance, str):
            raise OptionError(expected("`max_distance` as a number, 'auto' or None", repr(max_distance), "Choose one."))
        check_in_range("max_distance", max_distance, low=0, low_open=True)
    check_option("duplicates", duplicates, ("join", "raise"))
    check_option("degenerate", degenerate, ("raise", "jitter"))

    small: list[str] = []

    def build(position: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        d = position.shape[1]
        where = f" in sample {name!r}" if name else ""
        first, inverse = _distinct(position)
        unique = position[first]
        if duplicates == "raise" and len(unique) < len(position):
            n_more = len(position) - len(unique)
            remedy = "Pass `duplicates='join'`, or remove them."
            raise GeometryError(expected(f"one cell per position{where}", f"{n_more} more", remedy))
        if len(unique) < d + 2:  # d + 1 points are a simplex: their triangulation joins all of them
            small.append(name)
            edges = np.stack(np.triu_indices(len(position), 1), axis=1)
            return edges, _lengths(position, edges)
        if degenerate == "jitter" and np.linalg.matrix_rank(unique - unique.mean(axis=0)) < d:
            noise = as_rng(rng).normal(size=unique.shape)
            unique = unique + noise * 1e-6 * np.ptp(unique, axis=0).max()
        try:
            triangles = Delaunay(unique)
            indptr, indices = triangles.vertex_neighbor_vertices
        except QhullError as error:
            plane = "line" if d == 2 else "plane"
            remedy = "Pass `degenerate='jitter'`, or use `gr.knn_graph`."
            raise GeometryError(
                expected(f"cells that do not lie on one {plane}{where}", "degenerate positions", remedy)
            ) from error
        merged = first[_left_out(unique, np.diff(indptr) > 0, triangles.coplanar[:, [0, 2]])]
        del triangles  # its planes and neighbours are most of the memory
        compact = first.astype(np.int32)
        rows, others = np.repeat(compact, np.diff(indptr)), compact[indices]
        once = rows < others
        edges = np.stack([rows[once], others[once]], axis=1)
        del rows, others, once, indices
        doubles = np.flatnonzero(first[inverse] != np.arange(len(position)))
        if len(doubles) or len(merged):
            edges = np.concatenate([edges, np.stack([doubles, first[inverse[doubles]]], axis=1), merged])
        return edges, _lengths(position, edges)

    graph = CellGraph.from_pairs(cells, *edges_per_sample(cells, build))
    warn_of_small(small, f"{cells.position.shape[1] + 2} cells at different positions")
    length = graph.edge_features["length"]
    if max_distance is None:
        return graph, float(length.max(initial=0.0))
    longest = automatic_max_distance(length) if max_distance == "auto" else float(max_distance)
    return CellGraph.from_pairs(cells, graph.edges[length <= longest]), longest
