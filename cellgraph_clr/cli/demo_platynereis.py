"""The demo on the Platynereis table: cell types from 390 labels, organs by query, left-right twins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

__all__ = [
    "IDENTITY",
    "ORGANS",
    "PLATYNEREIS_FILES",
    "accuracy",
    "organ_retrieval",
    "prepare",
    "run_platynereis",
    "twins",
]

ORGANS = ("foregut", "midgut", "muscle", "vnc", "lateralectoderm", "crypticsegment", "pygidium", "head")
N_NEIGHS = 10
# What a cell is: alike with its own second view; neighbours are neither positives nor noise. Without its own inputs, which stand
# beside it in the tables. Where it belongs is what `tl.context` says.
IDENTITY: dict[str, Any] = {
    "positives": "both",
    "n_positives": 1,
    "mask_features": 0.8,
    "jitter": 0.3,
    "n_steps": 400,
    "n_own": 0,
    "key_added": "X_identity",
}
PLATYNEREIS_FILES = ("platynereis_types.png", "platynereis_cord.png", "platynereis.h5ad")


def prepare(data: Path | str | None) -> AnnData:
    """Return the cells with scaled features (quantiles, missing values by the median) and the graph of 10 neighbours."""
    from cellgraph_clr import gr, pp
    from cellgraph_clr.datasets.local import platynereis

    adata = platynereis(data)
    pp.scale_features(adata, impute="median")
    gr.knn_graph(adata, n_neighbors=N_NEIGHS)
    return adata


def accuracy(adata: AnnData, vectors: np.ndarray, *, n_repeats: int = 5) -> tuple[float, float]:
    """Return mean and spread (over folds) of the linear probe on the 390 labelled cells; see `metrics.probe_accuracy`."""
    from cellgraph_clr.adata.labels import label_codes
    from cellgraph_clr.analysis.scores import probe_accuracy

    codes, _ = label_codes(adata, "cell_type")
    labelled = codes >= 0
    folds = probe_accuracy(vectors[labelled], codes[labelled], n_repeats=n_repeats)
    return float(folds.mean()), float(folds.std())


def organ_retrieval(adata: AnnData, vectors: np.ndarray, *, standardize: bool = True) -> tuple[float, float]:
    """Return mean average precision of finding the eight organs from one of their cells (30 each, seed 0), and chance."""
    from cellgraph_clr.analysis.scores import mask_retrieval

    masks = {o: adata.obs[f"region_{o}"].to_numpy(bool) for o in ORGANS}
    found = mask_retrieval(vectors, masks, n_queries=30, standardize=standardize, random_state=0)
    return float(np.mean([v[0] for v in found.values()])), float(np.mean([v[1] for v in found.values()]))


def twins(adata: AnnData, vectors: np.ndarray, candidates: Any, *, standardize: bool = True) -> tuple[float, float]:
    """Return the median rank of the nearest candidate partner on the other side, and the median of its chance."""
    import pandas as pd

    from cellgraph_clr.analysis.scores import partner_rank

    row = pd.Series(np.arange(adata.n_obs), index=adata.obs["cell_id"].to_numpy())
    both = candidates[candidates["cell_id"].isin(row.index) & candidates["candidate"].isin(row.index)]
    pairs = row[both["cell_id"]].to_numpy(), row[both["candidate"]].to_numpy()
    _, rank, chance = partner_rank(vectors, *pairs, standardize=standardize)
    return float(np.median(rank)), float(np.median(chance))


def run_platynereis(data: Path, output: Path, *, random_state: int, say: Callable[[str], None]) -> AnnData:
    """Run the table, print our figures beside those published, write pictures and platynereis.h5ad to `output`."""
    from cellgraph_clr import pl, tl
    from cellgraph_clr.datasets.local import platynereis_candidates
    from cellgraph_clr.io.anndata_files import write

    adata = prepare(data)
    say(
        f"Platynereis: {adata.n_obs} cells, {adata.n_vars} features, {adata.obsp['spatial_connectivities'].nnz // 2} edges"
    )
    start = time.perf_counter()
    tl.embed(adata, random_state=random_state, **IDENTITY)
    tl.context(adata, random_state=random_state)
    say(f"  embedding and context took {time.perf_counter() - start:.0f} s")
    features, identity, context = np.asarray(adata.X), adata.obsm["X_identity"], adata.obsm["X_context"]
    say("Cell types, linear probe on 390 cells, 5 x 5 folds (mean, spread over folds; unshuffled 5-fold)")
    probes = {
        "features": features,
        "identity embedding": identity,
        "features + identity": np.c_[features, identity],
        "features + identity + context": np.c_[features, identity, context],
    }
    for name, vectors in probes.items():
        mean, spread = accuracy(adata, vectors)
        say(f"  {name:30s} {mean:.4f} ± {spread:.4f}   ({accuracy(adata, vectors, n_repeats=0)[0]:.4f})")
    say("Organs, mean average precision of retrieval from one cell")
    controls = {f"mean of {k} neighbours": _neighbour_mean(adata, features, k) for k in (10, 50, 200)}
    position = np.asarray(adata.obsm["spatial"])
    for name, vectors in {
        "features": features,
        **controls,
        "identity embedding": identity,
        "context": context,
    }.items():
        value, chance = organ_retrieval(adata, vectors, standardize=name != "context")
        say(f"  {name:30s} {value:.3f}")
    say(f"  {'position alone':30s} {_position_retrieval(adata, position):.3f}")
    say(f"  {'chance':30s} {chance:.3f}")
    candidates = platynereis_candidates(data)
    say("Twins, median rank of the nearest candidate partner (chance: random order)")
    for name, vectors in {"features": features, "identity embedding": identity, "context": context}.items():
        rank, chance = twins(adata, vectors, candidates, standardize=name != "context")
        say(f"  {name:30s} {rank:.0f} (chance {chance:.0f})")
    say("Published (Zinchenko et al. 2023): MorphoFeatures predictions reach 0.933 on typed cells outside the 390;")
    say(
        "  cluster homogeneity and bilateral score .905 and .815 (Morpho), .735 and .882 (Context), chance .546 and .433"
    )
    both = ("X", "X_identity")
    tl.classify(adata, "cell_type", use_rep=both, min_confidence=0.5, random_state=random_state)
    cord = adata.obs["region_vnc"].to_numpy(bool)
    query = cord & (adata.obs["side"] == "a").to_numpy()
    tl.retrieve_regions(adata, query, min_cells=20)
    found = adata.obs["retrieval_region"].to_numpy() > 0
    rest = cord & ~query
    precision = rest[found].mean() if found.any() else 0.0
    say(f"Ventral nerve cord, one half queried: the other half is found at precision {precision:.2f}, recall")
    say(f"  {found[rest].mean():.2f} (chance precision {rest[~query].mean():.2f})")
    pl.spatial(adata, "cell_type_pred", projection="xz", save=output / "platynereis_types.png")
    pl.retrieval(adata, query, projection="xy", save=output / "platynereis_cord.png")
    write(adata, output / "platynereis.h5ad")
    say(f"  {output / 'platynereis_types.png'}: predicted types of all cells, grey where confidence is below 0.5")
    say(f"  {output / 'platynereis_cord.png'}: half of the ventral nerve cord queried, regions like it")
    say(f"  {output / 'platynereis.h5ad'}: everything above")
    return adata


def _neighbour_mean(adata: AnnData, features: np.ndarray, k: int) -> np.ndarray:
    """Return the untrained mean of features over the k nearest cells."""
    from scipy.spatial import cKDTree

    position = np.asarray(adata.obsm["spatial"])
    _, near = cKDTree(position).query(position, k + 1)
    total = np.zeros_like(features)
    for column in near[:, 1:].T:
        total += features[column]
    return total / k


def _position_retrieval(adata: AnnData, position: np.ndarray) -> float:
    """Return the mean average precision of ranking by nearness in space: what place alone gives."""
    from cellgraph_clr.analysis.scores import average_precision

    rng = np.random.default_rng(0)
    means = []
    for organ in ORGANS:
        mask = adata.obs[f"region_{organ}"].to_numpy(bool)
        members = np.flatnonzero(mask)
        values = []
        for query in rng.choice(members, min(30, len(members)), replace=False):
            others = np.arange(len(mask)) != query
            distance = np.linalg.norm(position - position[query], axis=1)
            values.append(average_precision(mask[others], -distance[others]))
        means.append(np.mean(values))
    return float(np.mean(means))
