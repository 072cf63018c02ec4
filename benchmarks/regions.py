"""Where else is tissue like this: organs, ganglia, layers and twins found from one of their cells, beside controls."""

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.spatial import cKDTree

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import datasets, gr, pp, tl
from cellgraph_clr.cli.demo_platynereis import ORGANS, accuracy, prepare
from cellgraph_clr.datasets.local import platynereis_candidates
from cellgraph_clr.metrics import mask_retrieval, partner_rank

SEEDS = (0, 1, 2)
RECIPES = {  # name: options of `tl.context`
    "context (default)": {},
    "context, finer: without R": {"region_weight": 0.0, "shared_weight": 1.0},
    "context, types of features alone": {"learn": False},
    "control: features under the same steps": {"learn": False, "n_types": None},
    "control: neighborhood types, no sharing": {"region_weight": 0.0, "shared_weight": 1.0, "n_alike": 0},
}
NOT_REGIONS = ("nan", "Excluded", "unassigned", "")
SMALL = {"n_types": 8, "n_far": 6, "n_alike": 8, "n_apart": 20, "n_vectors": 8, "n_neighbors": 8, "learn": False}


def run(*, size: str, data: str | None) -> list[Row]:
    """Return mean average precision of retrieval, means and spreads over seeds where something is learned."""
    rows = Rows("regions")
    if size == "small":
        cells = datasets.tissue(200, ndim=2, random_state=0).adata()
        gr.contact_graph(cells)
        pp.scale_features(cells)
        niche = cells.obs["true_niche"].astype(str).to_numpy()
        masks = {n: niche == n for n in np.unique(niche)}
        _table(rows, "generated tissue", cells, masks, {"context": SMALL}, seeds=(0,))
    folder = real_data(size, data)
    if folder is None:
        return rows
    _platynereis(rows, folder)
    _cortex(rows, folder)
    _virtual_cells(rows, folder)
    return rows


def _vectors(adata: AnnData, options: dict, seed: int) -> np.ndarray:
    return tl.context(adata, random_state=seed, copy=True, progress=False, **options).obsm["X_context"]


def _controls(adata: AnnData) -> dict[str, np.ndarray]:
    """Return the features, and their means over the nearest cells."""
    x, position = np.asarray(adata.X, np.float32), np.asarray(adata.obsm["spatial"], float)
    x = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 1e-9, x.std(axis=0), 1)
    near = cKDTree(position).query(position, 201)[1][:, 1:]
    means = {f"control: mean of {k} neighbors": x[near[:, :k]].mean(axis=1) for k in (10, 50, 200) if len(x) > 201}
    return {"control: features": x, **means}


def _table(
    rows: Rows,
    title: str,
    adata: AnnData,
    masks: dict,
    recipes: dict,
    *,
    seeds: tuple[int, ...] = SEEDS,
    more: object = None,
) -> None:
    """Add the rows of a data set; `more` gives further figures of vectors, by name."""
    chance = np.mean([(m.sum() - 1) / (len(m) - 1) for m in masks.values()])
    for name, vectors in _controls(adata).items() if adata.n_obs > 201 else ():
        for n, value in zip((30, 200), _figures(vectors, masks, weighted=False), strict=True):
            rows.add("mAP", name, f"{title} | {n} queries", value, chance=chance)
        for measure, value in (more(vectors, False) if more else {}).items():
            rows.add("beside", name, measure, value)
    for name, options in recipes.items():
        made = [_vectors(adata, options, seed) for seed in seeds]
        found = np.transpose([_figures(v, masks, weighted=True) for v in made])
        for n, values in zip((30, 200), found, strict=True):
            rows.add("mAP", name, f"{title} | {n} queries", values, chance=chance)
        for measure, value in (more(made[0], True) if more else {}).items():
            rows.add("beside", name, measure, value)


def _figures(vectors: np.ndarray, masks: dict, *, weighted: bool) -> tuple[float, float]:
    """Return the mean average precision with 30 queries (seed 0) and 200 (seed 1)."""
    out = []
    for n, seed in ((30, 0), (200, 1)):
        found = mask_retrieval(vectors, masks, n_queries=n, standardize=not weighted, random_state=seed)
        out.append(float(np.mean([v[0] for v in found.values()])))
    return out[0], out[1]


def _platynereis(rows: Rows, folder: Path) -> None:
    adata = prepare(folder)
    masks = {o: adata.obs[f"region_{o}"].to_numpy(bool) for o in ORGANS}
    names = adata.obs["ganglion_name"].astype(str)
    ganglia = {g: (names == g).to_numpy() for g in sorted(set(names) - set(NOT_REGIONS)) if (names == g).sum() >= 20}
    candidates = platynereis_candidates(folder)
    row = pd.Series(np.arange(adata.n_obs), index=adata.obs["cell_id"].to_numpy())
    known = candidates[candidates["cell_id"].isin(row.index) & candidates["candidate"].isin(row.index)]
    pairs = row[known["cell_id"]].to_numpy(), row[known["candidate"]].to_numpy()

    def more(vectors: np.ndarray, weighted: bool) -> dict[str, float]:
        found = _figures(vectors, ganglia, weighted=weighted)[0]
        rank = np.median(partner_rank(vectors, *pairs, standardize=not weighted)[1])
        both = np.concatenate([np.asarray(adata.X), vectors], axis=1)
        types = {"types": accuracy(adata, vectors)[0], "types, beside features": accuracy(adata, both)[0]}
        return {"ganglia": found, "twins, median rank": rank} | types

    _table(rows, "Platynereis organs", adata, masks, RECIPES, more=more)


def _cortex(rows: Rows, folder: Path) -> None:
    adata = datasets.osmfish_cortex(folder)
    region = adata.obs["region"].astype(str)
    adata = adata[~region.isin(NOT_REGIONS).to_numpy()].copy()
    region = adata.obs["region"].astype(str)
    pp.scale_features(adata, impute="median")
    gr.knn_graph(adata, n_neighbors=10)
    _table(rows, "osmFISH cortex, layers", adata, {r: (region == r).to_numpy() for r in sorted(set(region))}, RECIPES)


def _virtual_cells(rows: Rows, folder: Path) -> None:
    table = pd.read_parquet(folder / "platynereis" / "virtual_cells.parquet")
    flags = [c for c in table.columns[-9:] if c != "restofanimal"]
    genes = table.iloc[:, 6:-9]
    adata = AnnData(genes.to_numpy(np.float32), obsm={"spatial": table[["x_um", "y_um", "z_um"]].to_numpy(float)})
    adata.obs["cell_id"] = np.arange(1, adata.n_obs + 1)
    gr.knn_graph(adata, n_neighbors=10)
    _table(rows, "virtual cells, 204 genes", adata, {f: (table[f] > 0.5).to_numpy() for f in flags}, RECIPES)
