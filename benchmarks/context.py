"""Own features, those of the neighbours, and learned neighbourhoods: the published evaluation of MorphoFeatures on tables."""

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import homogeneity_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.inputs import PLACE, real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import datasets, gr, pp, tl
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.cli.demo_platynereis import accuracy, organ_retrieval, prepare
from cellgraph_clr.datasets.local import platynereis_candidates
from cellgraph_clr.metrics import bilateral_score, partner_rank

GROUPS = {
    "cell shape": ("cell_",),
    "nucleus shape": ("nuc_n_", "nuc_volume", "nuc_extent", "nuc_surface", "nuc_spher", "nuc2019_surface", "nuc2019_spher"),
    "nucleus texture": ("nuc_intensity", "nuc2019_intensity", "chromatin", "heterochromatin"),
}  # fmt: skip


def run(*, size: str, data: str | None) -> list[Row]:
    """Return the figures of every representation, and of every group of features alone."""
    rows = Rows("context")
    folder = real_data(size, data)
    if folder is None:
        return rows
    if (folder / "platynereis").exists():
        _platynereis(rows, folder)
    if (folder / "osmfish_cortex").exists():
        _cortex(rows, folder)
    return rows


def _contexts(adata: AnnData) -> dict[str, np.ndarray]:
    """Return own features, both forms of context, the untrained mean over two hops, and learned neighbourhoods."""
    tl.morpho_context(adata, use_rep="X", key_added="one")
    tl.morpho_context(adata, use_rep="X", mode="mean", key_added="mean")
    tl.morpho_context(adata, use_rep="X", n_hops=2, key_added="two")
    gr.aggregate_neighbors(adata, use_rep="X", n_hops=2, key_added="hops")
    tl.embed(adata, random_state=0, **PLACE)
    tl.morpho_context(adata, use_rep="X_place", n_hops=2, key_added="place")
    return {
        "own features": np.asarray(adata.X),
        "mean over two hops, untrained": np.asarray(adata.obsm["two"])[:, adata.n_vars :],
        "own beside neighbors (`tl.morpho_context`)": adata.obsm["one"],
        'mean with neighbors (`mode="mean"`)': adata.obsm["mean"],
        "own, one hop, two hops": adata.obsm["hops"],
        "learned (InfoNCEp, 3 hops)": adata.obsm["X_place"],
        "learned, own beside neighbors": adata.obsm["place"],
    }


def _platynereis(rows: Rows, folder: Path) -> None:
    adata = prepare(folder)
    candidates = platynereis_candidates(folder)
    row = pd.Series(np.arange(adata.n_obs), index=adata.obs["cell_id"].to_numpy())
    known = candidates[candidates["cell_id"].isin(row.index) & candidates["candidate"].isin(row.index)]
    pairs = row[known["cell_id"]].to_numpy(), row[known["candidate"]].to_numpy()
    names = [str(n) for n in adata.var_names]
    values = _contexts(adata)
    for group, starts in GROUPS.items():
        values[f"{group} alone"] = np.asarray(adata.X)[:, [n.startswith(starts) for n in names]]
    table = "platynereis"
    for name, vectors in values.items():
        types = accuracy(adata, vectors, n_repeats=0)
        organs, _ = organ_retrieval(adata, vectors)
        _, rank, _ = partner_rank(vectors, *pairs)
        adata.obsm["some"] = np.asarray(vectors, np.float32)
        tl.cluster(adata, use_rep="some", key_added="found", random_state=0)
        found = adata.obs["found"].astype(str).to_numpy()
        codes, _ = label_codes(adata, "cell_type")
        pure = homogeneity_score(codes[codes >= 0], found[codes >= 0])
        both, by_chance = bilateral_score(found, *pairs, random_state=0)
        rows.add(table, name, "types, 5 folds", types[0], spread=types[1], n=5)
        rows.add(table, name, "organs", organs)
        rows.add(table, name, "twins, median rank", np.median(rank), digits=0)
        rows.add(table, name, "clusters", len(set(found)), digits=0)
        rows.add(table, name, "homogeneity", pure)
        rows.add(table, name, "bilateral", both, chance=by_chance)


def _cortex(rows: Rows, folder: Path) -> None:
    adata = datasets.osmfish_cortex(folder)
    adata = adata[adata.obs["region"].notna().to_numpy()].copy()
    pp.scale_features(adata, impute="median")
    gr.knn_graph(adata, n_neighbors=15)
    y = adata.obs["region"].astype(str).to_numpy()
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000, class_weight="balanced"))
    for name, vectors in _contexts(adata).items():
        found = cross_val_score(
            probe, vectors, y, cv=StratifiedKFold(5, shuffle=True, random_state=0), scoring="balanced_accuracy"
        )
        rows.add("cortex", name, "regions, balanced accuracy", found, protocol="5 folds of cells")
