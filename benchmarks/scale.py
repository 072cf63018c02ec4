"""Millions of cells: graph, one epoch of a two-layer encoder and all embeddings; cost a cell and peak memory."""

import json
import subprocess
import sys

from benchmarks.rows import Row, Rows

CALL = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, anndata as ad
from benchmarks.memory import peak
from cellgraph_clr import gr
from cellgraph_clr.models import CellGraphCLR
n, batch = int(sys.argv[1]), int(sys.argv[2])
def made(n):
    rng = np.random.default_rng(0)
    side = int(np.ceil(n ** 0.5))
    grid = np.stack(np.meshgrid(*[np.arange(side, dtype=np.float32)] * 2, indexing="ij"), -1).reshape(-1, 2)[:n]
    kind = (np.sin(grid[:, 0] / 17) + np.sin(grid[:, 1] / 23) + rng.normal(size=n) * 0.5 > 0).astype(int)
    x = rng.standard_normal((n, 64), dtype=np.float32)
    x += rng.standard_normal((2, 64), dtype=np.float32)[kind]
    adata = ad.AnnData(x)
    adata.obsm["spatial"] = grid + rng.uniform(-0.45, 0.45, grid.shape)
    return adata
def run(adata):
    times = [time.perf_counter()]
    gr.knn_graph(adata, n_neighbors=13)
    times.append(time.perf_counter())
    steps = max(1, -(-adata.n_obs // batch))
    model = CellGraphCLR(n_steps=steps, batch_size=batch, n_hidden=64, n_layers=2, progress=False).fit(adata)
    times.append(time.perf_counter())
    adata.obsm["X_cellgraph"] = model.transform(adata)
    times.append(time.perf_counter())
    return np.diff(times).tolist()
run(made(min(n, 30000)))  # imports and compilation
adata = made(n)
seconds = run(adata)
degree = adata.obsp["spatial_connectivities"].nnz / n
print(json.dumps([seconds, degree, peak() / 1024, adata.X.nbytes / 2**30]))
"""


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return the curve up to 2.4 million cells (the size of the Placenta graph) with 64 features and some 15 neighbours."""
    rows = Rows("scale")
    for n in (3000,) if size == "small" else (100_000, 300_000, 1_000_000, 2_400_000):
        call = [sys.executable, "-c", CALL, str(n), "1024"]
        out = subprocess.run(call, capture_output=True, text=True, check=True)
        (graph, epoch, embed), degree, peak, features = json.loads(out.stdout.splitlines()[-1])
        name = f"{n:,} cells"
        rows.add("cost", name, "a cell", 1e6 * (graph + epoch + embed) / n, unit="µs", digits=0)
        rows.add("cost", name, "peak memory", peak, unit="GiB", digits=1)
        for part, seconds in (("graph", graph), ("one epoch", epoch), ("embedding", embed)):
            rows.add("parts", name, part, seconds, unit="s", digits=1)
        rows.add("input", name, "neighbors", degree, digits=1)
        rows.add("input", name, "features", features, unit="GiB", digits=2)
    return rows
