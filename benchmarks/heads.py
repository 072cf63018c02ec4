"""Heads on one encoder's vectors: SoftInfoNCE, InfoNCE, soft and hard cross-entropy, on real graphs, five seeds."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from anndata import AnnData

from benchmarks.inputs import real_data
from cellgraph_clr import datasets, from_table, gr, pp, tl
from cellgraph_clr.graphs.labels import label_codes
from cellgraph_clr.metrics import classification_scores
from cellgraph_clr.models import SoftInfoNCEClassifier

LOSSES = ("cross_entropy", "soft_cross_entropy", "infonce", "soft_infonce")
SEEDS = range(5)


def _tasks(data: Path) -> Iterator[tuple[str, AnnData, str, np.ndarray]]:
    """Yield name, cells with an embedding, label column, and which cells are held out."""
    import pandas as pd

    if (data / "sam_willis2016").exists():
        plants = datasets.plant_meristem(data, plants=["plant1", "plant2", "plant4"])
        plants = plants[~plants.obs["touches_border"].to_numpy()].copy()
        _embed(plants)
        held = (plants.obs["plant"] == "plant4").to_numpy()
        yield "meristem, layer (plant 4 held out)", plants, "layer", held
        yield "meristem, division in 4 h (plant 4 held out)", plants, "divides", held
    if (data / "osmfish_cortex").exists():
        cortex = datasets.osmfish_cortex(data)
        gr.knn_graph(cortex, n_neighs=15)
        _embed(cortex)
        pp.split(cortex, by="block", buffer_hops=2, n_blocks=24)
        yield "cortex, region (blocks held out)", cortex, "region", (cortex.obs["split"] == "test").to_numpy()
    table = data / "mibi_granuloma" / "fov6_cells.parquet"
    if table.exists():
        df = pd.read_parquet(table)
        markers = [c for c in df.columns if df[c].dtype.kind == "f" and c not in ("x_px", "y_px")]
        cells = from_table(
            df, cell_id="label", position=["x_px", "y_px"], features=markers, obs=["cell_lin"], unit="pixel"
        )
        gr.delaunay_graph(cells)
        _embed(cells)
        pp.split(cells, by="block", buffer_hops=2)
        yield "granuloma, lineage (blocks held out)", cells, "cell_lin", (cells.obs["split"] == "test").to_numpy()


def _embed(adata: AnnData) -> None:
    pp.scale_features(adata, impute="median")
    tl.embed(adata, positives="both", n_positives=2, progress=False)


def run(*, size: str, data: str | None) -> None:
    """Print accuracy, balanced accuracy and ECE with their spread over seeds; chance beside the name."""
    folder = real_data(size, data)
    if folder is None:
        return
    for name, adata, key, held in _tasks(folder):
        codes, _ = label_codes(adata, key)
        known = codes >= 0
        if "split" in adata.obs:
            known &= (adata.obs["split"] != "buffer").to_numpy()
        train, test = known & ~held, known & held
        vectors = np.c_[np.asarray(adata.X), adata.obsm["X_cellgraph"]]
        present = np.unique(codes[train])
        test &= np.isin(codes, present)
        print(f" {name}: {train.sum()} cells to learn from, {test.sum()} held out, {len(present)} classes", flush=True)
        chance = None
        for loss in LOSSES:
            rows = []
            for seed in SEEDS:
                model = SoftInfoNCEClassifier(head="mlp", loss=loss, random_state=seed, calibrate=False)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.fit(vectors[train], codes[train])
                scores = classification_scores(
                    model.predict_proba(vectors[test]), np.searchsorted(present, codes[test])
                )
                rows.append([scores[k].value for k in ("accuracy", "balanced_accuracy", "ece")])
                chance = scores
            mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
            figures = ", ".join(
                f"{n} {m:.3f} ± {s:.3f}" for n, m, s in zip(("accuracy", "balanced", "ECE"), mean, spread, strict=True)
            )
            print(f"  {loss:20s} {figures}", flush=True)
        if chance is not None:
            print(
                f"  {'chance':20s} accuracy {chance['accuracy'].chance:.3f}, "
                f"balanced {chance['balanced_accuracy'].chance:.3f}, ECE {chance['ece'].chance:.3f}"
            )
