"""What each choice does on the Platynereis table: positives, objectives, encoders, graphs; three seeds with their spread."""

import time

import numpy as np

from benchmarks.inputs import real_data
from cellgraph_clr import gr
from cellgraph_clr.cli.demo_platynereis import accuracy, organ_retrieval, prepare, twins
from cellgraph_clr.datasets.local import platynereis_candidates
from cellgraph_clr.models import CellGraphCLR

BASE = {"n_steps": 100, "mask_features": 0.8, "jitter": 0.3, "n_positives": 5, "n_own": 0}
ROWS = {
    "InfoNCEp, p = 5 (own view and 4 neighbours)": {},
    "  p = 1": {"n_positives": 1},
    "  p = 2": {"n_positives": 2},
    "  p = 10": {"n_positives": 10},
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
    "20 neighbours": {"graph": "knn20"},
}


def run(*, size: str, data: str | None) -> None:
    """Print the table; says so and returns when the data are not there."""
    folder = real_data(size, data)
    if folder is None:
        return
    adata = prepare(folder)
    gr.delaunay_graph(adata, key_added="delaunay")
    gr.knn_graph(adata, n_neighs=20, key_added="knn20")
    candidates = platynereis_candidates(folder)
    features = np.asarray(adata.X)
    print(f"  {'':45s} accuracy [features, embedding]   alone            organs           twins   s a fit")
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
        cells = "  ".join(f"{m:.3f} ± {s:.3f}   " for m, s in zip(mean[:3], spread[:3], strict=True))
        print(f"  {name:45s} {cells:58s} {mean[3]:5.0f}   {np.median(seconds):5.0f}", flush=True)
    both, alone = accuracy(adata, features, n_repeats=2)[0], organ_retrieval(adata, features)[0]
    print(f"  {'features alone':45s} {both:.3f}                                {alone:.3f}")
