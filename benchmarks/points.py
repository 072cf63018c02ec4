"""Graphs of points, CSR and AnnData included, against squidpy: seconds and extra memory, each call in a process."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from benchmarks.rows import Row, Rows

CALL = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, anndata as ad
from scipy.sparse import csr_matrix
from benchmarks.memory import peak, reset_peak
from cellgraph_clr import gr
from cellgraph_clr.graphs.proximity import nearest_lists
whats, n, d, k = sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
def made(n):
    rng = np.random.default_rng(0)
    side = int(np.ceil(n ** (1 / d)))
    grid = np.stack(np.meshgrid(*[np.arange(side, dtype=float)] * d, indexing="ij"), -1).reshape(-1, d)
    position = (grid + rng.uniform(-0.45, 0.45, grid.shape))[rng.permutation(len(grid))[:n]]
    adata = ad.AnnData(np.zeros((len(position), 1), np.float32))
    adata.obsm["spatial"] = position
    return adata
radius = (k / np.pi) ** 0.5 if d == 2 else (0.75 * k / np.pi) ** (1 / 3)
def directed(adata):
    position = np.ascontiguousarray(adata.obsm["spatial"][:, ::-1])
    index, distance = nearest_lists(position, k)
    indptr = np.arange(0, index.size + 1, k)
    shape = (len(index),) * 2
    adata.obsp["spatial_distances"] = csr_matrix((distance.ravel(), index.ravel(), indptr), shape=shape)
    ones = np.ones(index.size, np.float32)
    adata.obsp["spatial_connectivities"] = csr_matrix((ones, index.ravel().copy(), indptr.copy()), shape=shape)
calls = {
    "ours directed kNN": directed,
    "ours gr.knn_graph": lambda a: gr.knn_graph(a, n_neighbors=k),
    "ours gr.radius_graph": lambda a: gr.radius_graph(a, radius=radius),
    "ours gr.delaunay_graph": lambda a: gr.delaunay_graph(a, max_distance=None),
}
if any(what.startswith("squidpy") for what in whats):
    import squidpy as sq
    options = {"coord_type": "generic"}
    calls |= {
        "squidpy kNN": lambda a: sq.gr.spatial_neighbors(a, n_neighs=k, **options),
        "squidpy radius": lambda a: sq.gr.spatial_neighbors(a, radius=radius, **options),
        "squidpy Delaunay": lambda a: sq.gr.spatial_neighbors(a, delaunay=True, **options),
    }
for what in whats:
    call = calls[what]
    call(made(2000))  # imports and compilation
    adata = made(n)
    before = reset_peak()
    start = time.perf_counter()
    call(adata)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, peak() - before, int(adata.obsp["spatial_connectivities"].nnz)]))
"""
Figures: TypeAlias = tuple[float, float, int]
PAIRS = (
    ("ours directed kNN", "squidpy kNN"),
    ("ours gr.knn_graph", "squidpy kNN"),
    ("ours gr.radius_graph", "squidpy radius"),
    ("ours gr.delaunay_graph", "squidpy Delaunay"),
)


def _measured(whats: Sequence[str], n: int, d: int, k: int) -> list[Figures]:
    """Return seconds, memory and entries of calls that share a process."""
    words = [sys.executable, "-c", CALL, ",".join(whats), str(n), str(d), str(k)]
    out = subprocess.run(words, capture_output=True, text=True, check=True)
    return [(s, m, e) for s, m, e in map(json.loads, out.stdout.splitlines()[-len(whats) :])]


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return seconds, extra memory and entries for each pair, in 2D and 3D, 15 neighbours or that many on average."""
    rows = Rows("points")
    peers = importlib.util.find_spec("squidpy") is not None
    if not peers:
        print("  squidpy is not installed: run `make bench` for this peer")
    for d in (2, 3):
        together = _measured([ours for ours, _ in PAIRS], 3000, d, 15) if size == "small" else []
        for i, pair in enumerate(PAIRS):
            if together:
                _add(rows, pair, 3000, d, [together[i]], [_measured([pair[1]], 3000, d, 15)[0]] if peers else [])
            else:
                n = 100_000 if d == 3 and "delaunay" in pair[0] else 1_000_000
                _compare(rows, pair, n, d, peers=peers)
    return rows


def _compare(rows: Rows, pair: tuple[str, str], n: int, d: int, *, peers: bool) -> None:
    """Add a pair of calls that take turns three times, each in a process of its own."""
    ours, theirs = [], []
    for _ in range(3):
        ours += _measured([pair[0]], n, d, 15)
        theirs += _measured([pair[1]], n, d, 15) if peers else []
    _add(rows, pair, n, d, ours, theirs)


def _add(rows: Rows, pair: tuple[str, str], n: int, d: int, ours: list[Figures], theirs: list[Figures]) -> None:
    """Add medians of our seconds, memory and entries, and of the peer's in times of ours."""
    seconds, memory, entries = np.median(ours, axis=0)
    name = f"{pair[0].removeprefix('ours ')}, {d}D, {n:,} points"
    rows.add("squidpy", name, "seconds", seconds, unit="s", digits=1)
    rows.add("memory", name, "extra memory", memory, unit="MiB", digits=0)
    rows.add("memory", name, "entries", entries, digits=0)
    if theirs:
        their_seconds, their_memory, _ = np.median(theirs, axis=0)
        rows.add("squidpy", name, "squidpy, in times of ours", their_seconds / seconds, unit="x", digits=1)
        rows.add("squidpy", name, "memory of squidpy", their_memory / max(memory, 1), unit="x", digits=1)
