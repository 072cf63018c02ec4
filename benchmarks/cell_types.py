"""Cell types from few labelled cells: accuracy and calibration of every head, and a million cells classified."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from anndata import AnnData
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.inputs import real_data
from benchmarks.memory import peak, reset_peak
from cellgraph_clr import tl
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.cli.demo_platynereis import IDENTITY, prepare
from cellgraph_clr.metrics import classification_scores
from cellgraph_clr.models import CalibratedTrees, SoftInfoNCEClassifier

N_REPEATS = 10
HEADS: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
    "SoftInfoNCE, linear": lambda: SoftInfoNCEClassifier(),
    "SoftInfoNCE, perceptron": lambda: SoftInfoNCEClassifier(head="mlp"),
    "trees": lambda: CalibratedTrees(),
}


def run(*, size: str, data: str | None) -> None:
    """Print the Platynereis table where it is, and seconds and memory of many cells."""
    n = 2000 if size == "small" else 1_000_000
    for head in ("soft_infonce", "trees"):
        _many(n, head)
    folder = real_data(size, data)
    if folder is None:
        return
    adata = prepare(folder)
    tl.embed(adata, progress=False, **IDENTITY)
    codes, classes = label_codes(adata, "cell_type")
    known = codes >= 0
    print(
        f" Platynereis, {known.sum()} cells of {len(classes)} types, {N_REPEATS} x 5 folds; mean ± spread over folds;"
    )
    print(" ECE of all out-of-fold probabilities of a repeat, 15 bins, temperature fitted inside the training folds")
    blocks = {"features": np.asarray(adata.X), "features + identity": np.c_[adata.X, adata.obsm["X_identity"]]}
    for name, vectors in blocks.items():
        for head, made in HEADS.items():
            print(f"  {name:20s} {head:24s} {_line(made, vectors[known], codes[known])}", flush=True)


def _line(made: Callable[[], Any], x: np.ndarray, y: np.ndarray) -> str:
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
    return (
        f"accuracy {np.mean(accuracy):.4f} ± {np.std(accuracy):.4f} (repeats {pooled.min():.4f} to {pooled.max():.4f}), "
        f"balanced {np.mean(balanced):.4f}, ECE {np.mean(ece):.3f} ({min(ece):.3f} to {max(ece):.3f})"
    )


def _many(n: int, head: str) -> None:
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
    tl.classify(adata, "kind", head=head, min_confidence=0.5)
    seconds = time.perf_counter() - start
    right = adata.obs["kind_pred"].astype(str).to_numpy() == np.char.add("type ", kind.astype(str))
    print(
        f" {n:,} cells x 128, 20 types, head {head!r}: {seconds:.1f} s, peak {peak() / 1024:.2f} GiB in all, "
        f"{(peak() - before) / 1024:.2f} GiB beyond the cells; accuracy {right.mean():.3f}",
        flush=True,
    )
