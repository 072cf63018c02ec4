"""What each choice does on the Platynereis table: positives, objectives, encoders, graphs; three seeds with their spread."""

import time

import numpy as np

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import gr
from cellgraph_clr.cli.demo_platynereis import accuracy, organ_retrieval, prepare, twins
from cellgraph_clr.datasets.local import platynereis_candidates
from cellgraph_clr.models import CellGraphCLR

BASE = {"n_steps": 100, "mask_features": 0.8, "jitter": 0.3, "n_positives": 5, "n_own": 0}
PROTOCOL = "Platynereis, 100 steps, 2 x 5 folds"
COLUMNS = BOTH, _, _, TWINS = "accuracy [features, embedding]", "embedding alone", "organs", "twins"
ROWS = {
    "base, p = 5": {},
    "p = 1": {"n_positives": 1},
    "p = 2": {"n_positives": 2},
    "p = 10": {"n_positives": 10},
    "composite": {"objective": "composite_infonce"},
    "SupCon": {"objective": "supcon"},
    "MIL-NCE": {"objective": "mil_nce"},
    "two-view InfoNCE": {"objective": "infonce", "positives": "views", "n_positives": 1},
    "VICReg": {"objective": "vicreg"},
    "GIN": {"encoder": "gin"},
    "GATv2": {"encoder": "gatv2"},
    "GENConv": {"encoder": "gen"},
    "no message passing": {"n_layers": 0},
    "Delaunay graph": {"graph": "delaunay"},
    "20 neighbors": {"graph": "knn20"},
}


def run(*, size: str, data: str | None) -> list[Row]:
    """Return the table; says so and returns when the data are not there."""
    rows = Rows("ablation")
    folder = real_data(size, data)
    if folder is None:
        return rows
    adata = prepare(folder)
    gr.delaunay_graph(adata, key_added="delaunay")
    gr.knn_graph(adata, n_neighbors=20, key_added="knn20")
    candidates = platynereis_candidates(folder)
    features = np.asarray(adata.X)
    for name, change in ROWS.items():
        options = {**BASE, **change}
        graph = str(options.pop("graph", "spatial"))
        figures, seconds = [], []
        for seed in range(3):
            start = time.perf_counter()
            vectors = CellGraphCLR(random_state=seed, progress=False, **options).fit_transform(
                adata, neighbors_key=graph
            )
            seconds.append(time.perf_counter() - start)
            both = accuracy(adata, np.c_[features, vectors], n_repeats=2)[0]
            alone = accuracy(adata, vectors, n_repeats=2)[0]
            figures.append((both, alone, organ_retrieval(adata, vectors)[0], twins(adata, vectors, candidates)[0]))
        mean, spread = np.mean(figures, axis=0), np.std(figures, axis=0, ddof=1)
        for column, m, s in zip(COLUMNS, mean, spread, strict=True):
            rows.add("choices", name, column, m, spread=s, n=3, digits=0 if column == TWINS else 3, protocol=PROTOCOL)
        rows.add("time", name, "a fit", np.median(seconds), n=3, unit="s", digits=0)
    rows.add("choices", "features alone", BOTH, accuracy(adata, features, n_repeats=2)[0], protocol=PROTOCOL)
    rows.add("choices", "features alone", "organs", organ_retrieval(adata, features)[0])
    rows.add("choices", "features alone", TWINS, twins(adata, features, candidates)[0], digits=0)
    return rows
