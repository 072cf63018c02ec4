"""Cell types from few labelled cells: the default beside named methods on tables held out by place or sample; a million cells."""

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from anndata import AnnData
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.inputs import real_data
from benchmarks.memory import peak, reset_peak
from benchmarks.rows import Row, Rows
from benchmarks.type_tables import Task, tables
from cellgraph_clr import datasets, tl
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.analysis.calibration import reliability
from cellgraph_clr.cli.demo_platynereis import IDENTITY, prepare
from cellgraph_clr.metrics import classification_scores
from cellgraph_clr.models import CalibratedTrees, SoftInfoNCEClassifier

SEEDS = (0, 1, 2)
N_LABELS = (30, 100, 500)
MOST_TESTED = 2000  # cells
CALLS: dict[str, dict[str, Any]] = {  # options of `tl.classify`
    "trees, X": {"method": "trees", "use_rep": "X"},
    "trees, [X, hops]": {"method": "trees", "use_rep": ("X", "hops")},
    "soft_infonce, X": {"method": "soft_infonce", "use_rep": "X"},
    "default, X": {},
    "default, X and hops": {"use_rep": ("X", "hops")},
}
N_REPEATS = 10
HEADS: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
    "SoftInfoNCE, linear": lambda: SoftInfoNCEClassifier(),
    "SoftInfoNCE, perceptron": lambda: SoftInfoNCEClassifier(head="mlp"),
    "trees": lambda: CalibratedTrees(),
}


def run(*, size: str, data: str | None) -> list[Row]:
    """Return the Platynereis table where it is, and seconds and memory of many cells."""
    rows = Rows("cell_types")
    n, n_trees = (2000, 20) if size == "small" else (1_000_000, 500)
    for method in ("auto", "soft_infonce", "trees"):
        _many(rows, n, method, n_trees)
    if size == "small":
        cells = datasets.tissue(200, ndim=2, random_state=0).adata()
        cells.obsm["hops"] = np.asarray(cells.X)[:, :3]
        right = np.asarray(cells.obsm["spatial"])[:, 0]
        made = Task("generated tissue", cells, "true_type", right > np.median(right), "block")
        _compared(rows, made, (30,), seeds=(0,), n_trees=n_trees)
    folder = real_data(size, data)
    if folder is None:
        return rows
    for task in tables(folder):
        _compared(rows, task, N_LABELS, seeds=SEEDS)
    _heads(rows, folder)
    return rows


def _compared(rows: Rows, task: Task, n_labels: tuple[int, ...], *, seeds: tuple[int, ...], n_trees: int = 500) -> None:
    """Add accuracy and ECE of each call on cells held out, means and spreads over draws of the labels, and what was chosen."""
    codes, classes = label_codes(task.cells, task.label_key)
    free = codes >= 0
    if "split" in task.cells.obs:
        free &= (task.cells.obs["split"] != "buffer").to_numpy()
    train, test = np.flatnonzero(free & ~task.held), np.flatnonzero(free & task.held)
    test = np.random.default_rng(0).permutation(test)[:MOST_TESTED]
    print(
        f" {task.name}: {len(train)} cells to draw labels from, {len(test)} held out by {task.by}, {len(classes)} types"
    )
    for n in sorted({min(n, len(train)) for n in n_labels}):
        figures: dict[str, list[list[float]]] = {name: [] for name in CALLS}
        taken: dict[str, list[str]] = {name: [] for name in CALLS}
        for seed in seeds:
            some = np.random.default_rng(seed).permutation(train)[:n]
            cells = task.cells[np.concatenate([some, test])].copy()
            cells.obs["known"] = [*np.asarray(classes, object)[codes[some]], *["unassigned"] * len(test)]
            for name, options in CALLS.items():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tl.classify(cells, "known", random_state=seed, **options, **_grown(options.get("method"), n_trees))
                found = cells.obs["known_pred"].astype(str).to_numpy()[n:]
                right = found == np.asarray(classes, object)[codes[test]]
                sure = cells.obs["known_pred_confidence"].to_numpy()[n:]
                figures[name].append([right.mean(), reliability(sure, right).ece])
                run = json.loads(cells.uns["cellgraph_clr"]["runs"]["known_pred"])
                taken[name].append(run["choice"]["chosen"] if "choice" in run else "")
        for name, values in figures.items():
            told = ", ".join(f"{taken[name].count(t)} x {t}" for t in sorted(set(taken[name])) if t)
            title = f"{task.name}, {n} labels"
            for measure, of in zip(("accuracy", "ECE"), np.transpose(values), strict=True):
                rows.add("default", title, f"{name} | {measure}", of, protocol=f"held out by {task.by}; chosen: {told}")


def _heads(rows: Rows, folder: Path) -> None:
    """Add every head on the Platynereis table, 10 x 5 folds."""
    adata = prepare(folder)
    tl.embed(adata, progress=False, **IDENTITY)
    codes, _ = label_codes(adata, "cell_type")
    known = codes >= 0
    blocks = {"features": np.asarray(adata.X), "features + identity": np.c_[adata.X, adata.obsm["X_identity"]]}
    for name, vectors in blocks.items():
        for head, made in HEADS.items():
            for measure, found in _scores(made, vectors[known], codes[known]).items():
                rows.add("heads", head, f"{name}: {measure}", found, protocol=f"{N_REPEATS} x 5 folds")


def _scores(made: Callable[[], Any], x: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    """Return accuracy of every fold; balanced accuracy and ECE of all out-of-fold probabilities of every repeat."""
    accuracy, balanced, ece = [], [], []
    for repeat in range(N_REPEATS):
        proba = np.zeros((len(y), y.max() + 1))
        for train, test in StratifiedKFold(5, shuffle=True, random_state=repeat).split(x, y):
            proba[test] = made().fit(x[train], y[train]).predict_proba(x[test])
            accuracy.append(float((proba[test].argmax(axis=1) == y[test]).mean()))
        scores = classification_scores(proba, y)
        balanced.append(scores["balanced_accuracy"].value)
        ece.append(scores["ece"].value)
    pooled = np.reshape(accuracy, (N_REPEATS, 5)).mean(axis=1)
    return {"accuracy": accuracy, "accuracy of repeats": list(pooled), "balanced accuracy": balanced, "ECE": ece}


def _grown(method: str | None, n_trees: int) -> dict[str, int]:
    """Return the option of methods that have trees."""
    return {} if method == "soft_infonce" else {"n_trees": n_trees}


def _many(rows: Rows, n: int, method: str, n_trees: int) -> None:
    """Learn from 2,000 (a tenth at most) of n cells with 128 features and 20 classes, and classify all."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 128)).astype(np.float32)
    kind = rng.integers(20, size=n)
    x = centres[kind]
    x += 2 * rng.standard_normal(x.shape, dtype=np.float32)
    adata = AnnData(x)
    n_known = min(2000, n // 10)
    label = np.full(n, "unassigned", object)
    label[:n_known] = [f"type {k}" for k in kind[:n_known]]
    adata.obs["kind"] = label
    before, start = reset_peak(), time.perf_counter()
    tl.classify(adata, "kind", method=method, min_confidence=0.5, **_grown(method, n_trees))
    seconds = time.perf_counter() - start
    right = adata.obs["kind_pred"].astype(str).to_numpy() == np.char.add("type ", kind.astype(str))
    name = f"{n:,} cells, method {method!r}"
    rows.add("many", name, "time", seconds, unit="s", digits=0)
    rows.add("many", name, "memory in all", peak() / 1024, unit="GiB", digits=1)
    rows.add("many", name, "beyond the cells", (peak() - before) / 1024, unit="GiB", digits=1)
    rows.add("many", name, "accuracy", right.mean())
