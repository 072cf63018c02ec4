"""The Platynereis table: types, organs and twins, learned embeddings beside the controls."""

import time

import numpy as np
from anndata import AnnData

from benchmarks.inputs import PLACE, real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import tl
from cellgraph_clr.cli.demo_platynereis import (
    IDENTITY,
    _neighbour_mean,
    _position_retrieval,
    accuracy,
    organ_retrieval,
    prepare,
    twins,
)
from cellgraph_clr.datasets.local import platynereis_candidates


def run(*, size: str, data: str | None) -> list[Row]:
    """Return the figures of `cellgraph-clr demo --data`; says so where the data are not there."""
    rows = Rows("platynereis")
    source = real_data(size, data)
    if source is None:
        return rows
    adata = prepare(source)
    start = time.perf_counter()
    tl.embed(adata, random_state=0, progress=False, **IDENTITY)
    tl.embed(adata, random_state=0, progress=False, **PLACE)
    rows.add("time", "identity and place", "both embeddings", time.perf_counter() - start, unit="s", digits=0)
    candidates = platynereis_candidates(source)
    for name, vectors in _vectors(adata).items():
        mean, spread = accuracy(adata, vectors)
        rows.add("larva", name, "types, 5 x 5 folds", mean, spread=spread, n=25)
        rows.add("larva", name, "types, 5 folds without shuffling", accuracy(adata, vectors, n_repeats=0)[0], n=5)
        value, chance = organ_retrieval(adata, vectors)
        rows.add("larva", name, "organs, mean average precision", value, chance=chance)
        rank, chance = twins(adata, vectors, candidates)
        rows.add("larva", name, "twins, median rank", rank, chance=chance, digits=0)
    position = _position_retrieval(adata, np.asarray(adata.obsm["spatial"]))
    rows.add("larva", "position", "organs, mean average precision", position)
    return rows


def _vectors(adata: AnnData) -> dict[str, np.ndarray]:
    features, identity, place = np.asarray(adata.X), adata.obsm["X_identity"], adata.obsm["X_place"]
    means = {f"mean over {k} neighbors": _neighbour_mean(adata, features, k) for k in (10, 50, 200)}
    learned = {"identity embedding": identity, "features + identity embedding": np.c_[features, identity]}
    return {"features": features, **means, **learned, "place embedding": place}
