"""InfoMax on cell graphs beside InfoNCEp: neighbourhoods, samples and tissues as summaries, on three real tables."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from anndata import AnnData
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import datasets, gr, pp
from cellgraph_clr.cli.demo_planted import planted_cells, planted_figures
from cellgraph_clr.cli.demo_platynereis import accuracy, organ_retrieval, prepare, twins
from cellgraph_clr.datasets.local import platynereis_candidates
from cellgraph_clr.models import CellGraphCLR

SEEDS = range(2)
N_STEPS = 100
ROWS = {
    "InfoNCEp, itself and 4 neighbors": {},
    "InfoNCEp, 5 of 3 hops": {"positives": "neighbors", "n_hops": 3, "n_layers": 3},
    "InfoMax of neighborhoods, JSD": {"objective": "infomax"},
    "InfoMax of neighborhoods, NCE": {"objective": "infomax", "bound": "nce"},
    "InfoMax of neighborhoods, InfoNCEp": {"objective": "infomax", "bound": "infonce_p"},
    "InfoMax of 3 hops, NCE": {
        "objective": "infomax", "bound": "nce", "positives": "neighbors", "n_hops": 3, "n_layers": 3, "n_positives": 20,
    },
    "Deep Graph Infomax (whole samples)": {"objective": "infomax", "positives": "sample", "n_positives": 1},
}  # fmt: skip
Score = Callable[[np.ndarray], tuple[float, ...]]


def run(*, size: str, data: str | None) -> list[Row]:
    """Return one table for each set of cells: mean over two seeds."""
    rows = Rows("infomax_graphs")
    if size == "small":
        planted = planted_cells(400, random_state=0)
        planted.obs["sample"] = "one"
        score = _planted_scores(planted)
        _table(rows, "planted tissue", planted, ("types", "niches"), score, n_steps=2, seeds=1, every=3)
    folder = real_data(size, data)
    if folder is None:
        return rows
    for name, read in (("platynereis", _platynereis), ("osmfish_cortex", _cortex), ("sam_willis2016", _meristem)):
        if (folder / name).exists():
            _table(rows, *read(folder), n_steps=N_STEPS)
    return rows


def _table(
    rows: Rows,
    name: str,
    adata: AnnData,
    columns: tuple[str, ...],
    score: Score,
    *,
    n_steps: int,
    seeds: int = len(SEEDS),
    every: int = 1,
) -> None:
    """Add a table; `every`: only each so many of the rows."""
    for column, value in zip(columns, score(np.asarray(adata.X)), strict=True):
        rows.add("probes", "measured features", f"{name}: {column}", value, digits=0 if "rank" in column else 3)
    for row, change in list(ROWS.items())[::every]:
        found, seconds = [], []
        for seed in SEEDS[:seeds]:
            start = time.perf_counter()
            model = CellGraphCLR(random_state=seed, n_steps=n_steps, n_own=0, progress=False, **change)
            vectors = model.fit_transform(adata)
            seconds.append(time.perf_counter() - start)
            found.append(score(vectors))
        for column, values in zip(columns, np.transpose(found), strict=True):
            told = {"spread": np.std(values, ddof=1) if seeds > 1 else None, "digits": 0 if "rank" in column else 3}
            rows.add("probes", row, f"{name}: {column}", values, **told)
        rows.add("time", row, name, np.median(seconds), unit="s", digits=0)


def _planted_scores(adata: AnnData) -> Score:
    def score(vectors: np.ndarray) -> tuple[float, ...]:
        adata.obsm["some"] = vectors
        found = planted_figures(adata, types="some", place="some", niche="some")
        return found["types"], found["niches"]

    return score


def _platynereis(folder: Path) -> tuple[str, AnnData, tuple[str, ...], Score]:
    adata = prepare(folder)
    adata.obs["sample"] = "one"
    candidates = platynereis_candidates(folder)

    def score(vectors: np.ndarray) -> tuple[float, ...]:
        types = accuracy(adata, vectors, n_repeats=2)[0]
        return types, organ_retrieval(adata, vectors)[0], twins(adata, vectors, candidates)[0]

    return "Platynereis", adata, ("types, accuracy", "organs, mAP", "twins, rank"), score


def _cortex(folder: Path) -> tuple[str, AnnData, tuple[str, ...], Score]:
    adata = datasets.osmfish_cortex(folder)
    pp.scale_features(adata, impute="median")
    gr.knn_graph(adata, n_neighbors=15)
    pp.split(adata, by="block", buffer_hops=2, n_blocks=24)
    adata.obs["sample"] = "one"
    parts = adata.obs["split"].to_numpy()
    return (
        "cortex",
        adata,
        ("types, bal. acc.", "regions, bal. acc."),
        lambda vectors: tuple(
            _probe(vectors, adata.obs[k].astype(object), parts == "test", parts == "train")
            for k in ("cell_type", "region")
        ),
    )


def _meristem(folder: Path) -> tuple[str, AnnData, tuple[str, ...], Score]:
    adata = datasets.plant_meristem(folder, plants=["plant1", "plant4"])
    adata = adata[~adata.obs["touches_border"].to_numpy()].copy()
    pp.scale_features(adata, impute="median")
    adata.obs["sample"] = adata.obs["library_id"].astype(str)
    held = (adata.obs["plant"] == "plant4").to_numpy()
    return (
        "meristem",
        adata,
        ("layers, bal. acc.", "divides, bal. acc."),
        lambda vectors: tuple(_probe(vectors, adata.obs[k].astype(object), held, ~held) for k in ("layer", "divides")),
    )


def _probe(vectors: np.ndarray, labels: np.ndarray, test: np.ndarray, train: np.ndarray) -> float:
    """Return the balanced accuracy of a linear probe on cells held out, of those with a label."""
    names = np.asarray(labels)
    known = np.array([isinstance(n, str) and n != "unassigned" for n in names])
    fit, seen = known & train, known & test
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, class_weight="balanced"))
    some = np.random.default_rng(0).permutation(np.flatnonzero(fit))[:10_000]
    predicted = probe.fit(vectors[some], names[some].astype(str)).predict(vectors[seen])
    true = names[seen].astype(str)
    right = predicted == true  # of classes in both parts; a score of all would warn of those in one
    return float(np.mean([right[true == c].mean() for c in np.intersect1d(true, names[some].astype(str))]))
