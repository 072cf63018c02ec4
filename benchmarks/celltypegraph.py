"""The CellTypeGraph protocol: five folds of ovules, four losses on one graph encoder, scores of each specimen held out."""

import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from anndata import AnnData

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import datasets
from cellgraph_clr._core.errors import MissingFileError
from cellgraph_clr.datasets.ovules import ABSOLUTE, ORIENTATIONS, SCALED
from cellgraph_clr.models import CellGraphClassifier, CellGraphCLR
from cellgraph_clr.models.classifiers.data import LOSSES

LEFT_OUT = "es"  # the benchmark leaves this type out of the average over classes
PUBLISHED = {  # top-1 and class average, mean over specimens (leaderboard of the benchmark)
    "EdgeDeeperGCN": (0.878, 0.797),
    "EdgeTransformerGCN": (0.868, 0.777),
    "GCNII": (0.863, 0.772),
    "GraphSAGE": (0.859, 0.765),
    "GATv2": (0.855, 0.757),
    "GIN": (0.714, 0.563),
}


def run(*, size: str, data: str | None) -> list[Row]:
    """Return top-1 and class-average accuracy, mean ± spread over the specimens held out; those published beside them."""
    rows = Rows("celltypegraph")
    if size == "small":
        with tempfile.TemporaryDirectory() as folder:
            rng = np.random.default_rng(0)
            for stage in ("2-III", "3-I"):
                for i in range(5):
                    write_specimen(Path(folder) / "label_grs_surface" / stage / f"{i}.h5", rng, n=30)
            adata = datasets.celltype_graph(folder)
        _table(rows, adata, n_layers=2, n_hidden=16, n_steps=5)
        return rows
    source = real_data(size, data)
    if source is None:
        return rows
    try:
        adata = datasets.celltype_graph(source)
    except MissingFileError as error:
        print(f"  not here: {error}")
        return rows
    print(f" {adata.n_obs:,} cells of {adata.obs['library_id'].nunique()} ovules")
    _table(rows, adata, n_layers=8, n_hidden=128, n_steps=300)
    for name, (top, average) in PUBLISHED.items():
        rows.add("losses", f"{name} (published)", "top-1", top)
        rows.add("losses", f"{name} (published)", "class average", average)
    return rows


def _table(rows: Rows, adata: AnnData, *, n_layers: int, n_hidden: int, n_steps: int) -> None:
    library = adata.obs["library_id"].astype(str).to_numpy()
    truth = adata.obs["cell_type"].astype(str).to_numpy()
    scores: dict[str, list[tuple[float, float]]] = {loss: [] for loss in LOSSES}
    for held in datasets.celltype_graph_folds(adata):
        test = np.isin(library, held)
        part = adata[~test].copy()
        options: dict[str, Any] = {
            "encoder": "gen",
            "n_layers": n_layers,
            "n_hidden": n_hidden,
            "n_steps": n_steps // 3,
        }
        base = CellGraphCLR(progress=False, **options).fit(part)
        for loss in LOSSES:
            model = CellGraphClassifier(
                base, loss=loss, encoder_rate=1.0, learning_rate=3e-3, n_steps=n_steps, calibrate=False
            )
            predicted = model.fit(part, "cell_type").predict(adata[test].copy())
            for name in held:
                mine = library[test] == name
                scores[loss].append(specimen_scores(predicted[mine], truth[test][mine]))
    for loss, found in scores.items():
        for measure, values in zip(("top-1", "class average"), np.transpose(found), strict=True):
            rows.add("losses", loss, measure, values)


def specimen_scores(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the accuracy over labelled cells, and its mean over the types of the specimen without "es"."""
    known = truth != "unassigned"
    right = predicted == truth
    kinds = [k for k in np.unique(truth[known]) if k != LEFT_OUT]
    return float(right[known].mean()), float(np.mean([right[truth == k].mean() for k in kinds]))


def write_specimen(path: Path, rng: np.random.Generator, n: int = 12, **changed: np.ndarray) -> dict[str, np.ndarray]:
    """Write a specimen of random cells in a ring, in the form of the benchmark, and return its arrays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wide = (*ORIENTATIONS, *(a for a in ABSOLUTE if "_proj_" in a), "com_grs", "pca_explained_variance_grs")
    ids = rng.permutation(np.arange(1, 4 * n))[:n]
    pairs = np.concatenate([np.stack([ids, np.roll(ids, 1)], axis=1), [[0, ids[0]]]])  # one contact with the background
    arrays = {"cell_ids": ids, "cell_labels": rng.choice([0, 1, 2, 14, 10], n), "edges_ids": pairs} | changed
    for name in (*SCALED, *ORIENTATIONS, *ABSOLUTE):
        arrays[f"cell_features/{name}"] = rng.normal(size=(n, 3) if name in wide else n)
    arrays["cell_features/hops_to_bg"] = rng.integers(1, 8, n)
    arrays["edges_features/surface_um"] = np.arange(1.0, n + 2)
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return arrays
