"""Retrieval: exact search against a bare matrix product, the approximate index, organs by region."""

import time

import numpy as np
from anndata import AnnData

from benchmarks.inputs import PLACE, real_data
from benchmarks.memory import peak, reset_peak
from benchmarks.rows import Row, Rows
from benchmarks.timing import paired
from cellgraph_clr import from_table, gr, tl
from cellgraph_clr.adata.reading import adjacency_of
from cellgraph_clr.analysis.index import VectorIndex
from cellgraph_clr.analysis.retrieval import nearest, standardised_directions
from cellgraph_clr.cli.demo_platynereis import ORGANS, prepare

N_QUERIES = 1000
K = 10
BLOCK = 4096  # columns of the bare product at a time
ORGAN_QUERIES = 20
ORGAN_CELLS = 30


def run(*, size: str, data: str | None) -> list[Row]:
    """Return ratios, memory and recall, and the organs found, where the data are there."""
    rows = Rows("retrieval")
    n = 20_000 if size == "small" else 1_000_000
    rng = np.random.default_rng(0)
    _exact(rows, rng.standard_normal((n, 128), dtype=np.float32))
    folder = real_data(size, data)
    if folder is None:
        _approximate(rows, "generated", standardised_directions(rng.standard_normal((2000, 16))))
        return rows
    tissue = _cohort(folder)
    tl.embed(tissue, positives="neighbors", n_positives=5, progress=False)
    vectors = np.asarray(tissue.obsm["X_cellgraph"])
    _approximate(rows, "embedding of the TNBC cohort", vectors)
    one = rng.integers(len(vectors), size=n)
    share = rng.uniform(0, 0.5, (n, 1)).astype(np.float32)
    near = VectorIndex.build(vectors).query(vectors, 6)[0][:, 1:]
    other = near[one, rng.integers(5, size=n)]
    _approximate(rows, "drawn between near cells of it", vectors[one] * (1 - share) + vectors[other] * share)
    adata = prepare(folder)
    tl.embed(adata, progress=False, **PLACE)
    _organs(rows, adata, rng)
    return rows


def _exact(rows: Rows, vectors: np.ndarray) -> None:
    directions = standardised_directions(vectors)
    queries = np.ascontiguousarray(directions[:N_QUERIES])
    out = np.empty((N_QUERIES, BLOCK), np.float32)

    def product() -> None:
        for start in range(0, len(directions), BLOCK):
            block = directions[start : start + BLOCK]
            np.matmul(queries, block.T, out=out[:, : len(block)])

    name = f"{N_QUERIES:,} queries against {len(directions):,} x {directions.shape[1]}, {K} nearest"
    calls = {"exact search": lambda: nearest(queries, directions, K), "blocked matrix product alone": product}
    medians = paired(calls, rounds=3)
    rows.times(name, medians, ours="exact search")
    ratio = medians["exact search"] / medians["blocked matrix product alone"]
    rows.add("exact", name, "in times of the product", ratio, unit="x", digits=1)
    before = reset_peak()
    nearest(queries, directions, K)
    rows.add("exact", name, "memory beyond the vectors", peak() - before, unit="MiB", digits=0)


def _approximate(rows: Rows, name: str, vectors: np.ndarray) -> None:
    start = time.perf_counter()
    index = VectorIndex.build(vectors, approximate=True)
    built = time.perf_counter() - start
    queries = vectors[np.random.default_rng(1).choice(len(vectors), min(N_QUERIES, len(vectors)), replace=False)]
    true, found = (index.query(queries, K, exact=e)[1] for e in (True, False))
    recall = float((found >= true[:, -1:] - 1e-5).mean())
    name = f"{name}, {len(vectors):,} x {vectors.shape[1]}"
    rows.add("index", name, f"recall@{K}", recall)
    rows.add("index", name, "built", built, unit="s", digits=0)
    some = queries[:50]
    calls = {"approximate": lambda: index.query(queries, K), "exact": lambda: index.query(queries, K, exact=True)}
    one_by_one = {
        "approximate": lambda: [index.query(q, K) for q in some],
        "exact": lambda: [index.query(q, K, exact=True) for q in some],
    }
    for how, of in ((f"{len(queries):,} queries at once", calls), ("queries one by one", one_by_one)):
        medians = paired(of, rounds=5)
        rows.times(f"{name}: {how}", medians, ours="approximate")
        rows.add(
            "index", name, f"{how}, faster than exact", medians["exact"] / medians["approximate"], unit="x", digits=1
        )


def _cohort(folder) -> AnnData:
    """Return the cells of the TNBC cohort, their types as features, with 10 neighbours in each patient."""
    import pandas as pd

    df = pd.read_parquet(folder / "mibi_tnbc_cohort" / "cells.parquet")
    kinds = pd.get_dummies(df["cell_type"], dtype=np.float32)
    kinds.columns = [str(c) for c in kinds.columns]
    table = pd.concat([df[["x", "y", "sample"]], kinds], axis=1)
    adata = from_table(
        table, cell_id=None, position=["x", "y"], features=list(kinds.columns), unit="pixel", library_key="sample"
    )
    gr.knn_graph(adata, n_neighbors=10, library_key="library_id")
    return adata


def _organs(rows: Rows, adata: AnnData, rng: np.random.Generator) -> None:
    """Add, per organ, how often the best region like a patch of it lies in the organ (both sides)."""
    adjacency = adjacency_of(adata, "spatial")
    protocol = f"{ORGAN_QUERIES} patches of {ORGAN_CELLS} connected cells each; the first region that is not the query"
    for organ in ORGANS:
        mask = adata.obs[f"region_{organ}"].to_numpy(bool)
        shares = []
        for seed in rng.choice(np.flatnonzero(mask), ORGAN_QUERIES):
            tl.retrieve_regions(adata, _patch(adjacency, mask, int(seed)), use_rep="X_place", min_cells=10)
            first = (adata.obs["retrieval_region"] == 1).to_numpy()
            shares.append(mask[first].mean() if first.any() else 0.0)
        told = {"unit": "%", "digits": 0, "n": len(shares), "protocol": protocol}
        rows.add("organs", organ, "overlaps", 100 * np.mean(np.array(shares) > 0), **told)
        rows.add("organs", organ, "mostly inside", 100 * np.mean(np.array(shares) > 0.5), **told)
        rows.add("shares", organ, "inside", np.mean(shares), n=len(shares), chance=mask.mean(), digits=2)


def _patch(adjacency, mask: np.ndarray, seed: int) -> np.ndarray:
    """Return a bool mask of up to `ORGAN_CELLS` cells of the organ around a seed, grown along edges."""
    inside = np.zeros(len(mask), bool)
    inside[seed] = True
    while inside.sum() < ORGAN_CELLS:
        new = np.flatnonzero((adjacency @ inside.astype(np.float32) > 0) & mask & ~inside)
        if len(new) == 0:
            break
        inside[new[: ORGAN_CELLS - inside.sum()]] = True
    return inside
