"""Does the learned embedding lose to averaging? Linear probes on blocks or samples held out, beside means of its own inputs."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.inputs import real_data
from benchmarks.probe_tables import NOT_LABELS, READERS, ProbeTable, generated
from benchmarks.rows import Row, Rows
from cellgraph_clr import tl
from cellgraph_clr.analysis.splits import blocks
from cellgraph_clr.graphs.aggregation import aggregate
from cellgraph_clr.models.cell_graph.model import CellGraphCLR

N_FOLDS = 5
N_BLOCKS = 25
BUFFER_HOPS = 2
N_LEARNED = 2000  # cells that a probe learns from
LEAST = 10  # cells of a class
PENALTIES = (0.01, 0.1, 1.0)
CONTROL = "own, one hop, two hops"


def run(*, size: str, data: str | None) -> list[Row]:
    """Return the balanced accuracy of linear probes (mean ± standard error over folds), and its lead over the control by fold."""
    out = Rows("averaging")
    if size == "small":
        table = generated()
        _table(out, table, _learned(table, n_steps=2))
    folder = real_data(size, data)
    if folder is None:
        return out
    for name, read in READERS.items():
        if (folder / name).exists():
            table = read(folder)
            _table(out, table, chain(_learned(table), _context(table)))
    return out


def _learned(table: ProbeTable, **config: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what is probed: means of the inputs, the default embedding and its blocks."""
    model = CellGraphCLR(random_state=0, progress=False, **config).fit(table.adata)
    x, adjacency, _ = model.graph_tensors(table.adata)
    pattern = adjacency.astype(np.float32)
    pattern.data[:] = 1
    yield CONTROL, aggregate(x.numpy(), pattern, n_hops=2)
    yield "own", x.numpy()
    found = model.transform(table.adata)
    yield "tl.embed", found
    yield "tl.embed, learned block alone", found[:, slice(*model.blocks_["learned"])]


def _context(table: ProbeTable) -> Iterator[tuple[str, np.ndarray]]:
    yield "tl.context", tl.context(table.adata, random_state=0, copy=True, progress=False).obsm["X_context"]


def _table(out: Rows, table: ProbeTable, rows: Iterable[tuple[str, np.ndarray]]) -> None:
    """Add a column for each of `rows` and a line for every label; the first is the control, over which the lead is told."""
    folds = _folds(table)
    held = "blocks" if table.groups is None else "samples"
    print(f" {table.name}: {table.adata.n_obs} cells, {table.adata.n_vars} features, {held} held out")
    known, base = {}, {}
    for key, names in table.labels.items():
        classes, count = np.unique(names[~np.isin(names, NOT_LABELS)], return_counts=True)
        classes = classes[count >= LEAST]
        known[key] = np.isin(names, classes)
        print(f"  {key}: {known[key].sum()} cells of {len(classes)} classes, chance {1 / len(classes):.3f}")
    for name, vectors in rows:
        for key, names in table.labels.items():
            found = _probes(vectors, names, known[key], folds)
            over = found - base.setdefault(key, found)
            line, more = (
                f"{table.name}: {key}",
                {"n": len(found), "protocol": f"{held} held out; spread is the standard error"},
            )
            out.add("probes", line, name, found.mean(), spread=_error(found), **more)
            if name == "tl.embed":
                out.add("probes", line, "lead of tl.embed", over.mean(), spread=_error(over), **more)


def _error(values: np.ndarray) -> float:
    """Return the standard error over folds."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _folds(table: ProbeTable) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (train, test) masks (n,): whole groups, or blocks of the tissue with a buffer of two hops around the test."""
    n = table.adata.n_obs
    position = np.asarray(table.adata.obsm["spatial"], float)
    groups = blocks(position, min(N_BLOCKS, max(N_FOLDS, n // 10))) if table.groups is None else table.groups
    number = np.unique(groups, return_inverse=True)[1]
    n_groups = number.max() + 1
    fold = np.empty(n_groups, int)
    fold[np.random.default_rng(0).permutation(n_groups)] = np.arange(n_groups) % min(N_FOLDS, n_groups)
    adjacency = table.adata.obsp["spatial_connectivities"]
    out = []
    for i in range(fold.max() + 1):
        test = fold[number] == i
        reached = test.copy()
        for _ in range(BUFFER_HOPS if table.groups is None else 0):
            reached |= adjacency @ reached.astype(np.float32) > 0
        out.append((~reached, test))
    return out


def _probes(
    vectors: np.ndarray, names: np.ndarray, known: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Return the balanced accuracy on every fold; the penalty is the best on the next fold, learned from the other three."""
    found = []
    for i, (train, test) in enumerate(folds):
        inner = folds[(i + 1) % len(folds)]
        tried = [_probe(vectors, names, known & train & inner[0], known & train & inner[1], c) for c in PENALTIES]
        best = PENALTIES[int(np.argmax(tried))]
        found.append(_probe(vectors, names, known & train, known & test, best))
    return np.array(found)


def _probe(vectors: np.ndarray, names: np.ndarray, train: np.ndarray, test: np.ndarray, penalty: float) -> float:
    """Return the mean recall of the classes in both parts; 0 where there is nothing to tell apart."""
    some = np.random.default_rng(0).permutation(np.flatnonzero(train))[:N_LEARNED]
    shared = np.intersect1d(names[some], names[test])
    if len(np.unique(names[some])) < 2 or len(shared) == 0:
        return 0.0
    mean, scale = vectors[some].mean(axis=0), vectors[some].std(axis=0)
    scale = np.where(scale > 1e-6 * scale.max(), scale, 1)
    probe = LogisticRegression(C=penalty, max_iter=200, tol=1e-3, class_weight="balanced")
    probe.fit((vectors[some] - mean) / scale, names[some])
    right = probe.predict((vectors[test] - mean) / scale) == names[test]
    return float(np.mean([right[names[test] == c].mean() for c in shared]))
