"""Planted 3D tissue at three noise levels: measured features and the documented pair of embeddings, beside chance."""

import time

from benchmarks.rows import Row, Rows
from cellgraph_clr import tl
from cellgraph_clr.cli.demo_planted import LOCAL, planted_cells, planted_figures
from cellgraph_clr.datasets import Noise

LEVELS = {
    "low noise": Noise(cell=3.0, shape=0.2),
    "default noise": Noise(),
    "high noise": Noise(cell=5.0, shape=0.4),
}
NICHE = {  # a broad embedding, for which tissue a cell is part of
    "positives": "neighbors",
    "n_positives": 10,
    "n_hops": 3,
    "n_layers": 3,
    "temperature": 1.0,
    "mask_features": 0.3,
    "n_steps": 100,
    "n_own": 0,
    "key_added": "X_niche",
}


def run(*, size: str, data: str | None) -> list[Row]:  # noqa: ARG001
    """Return type accuracy from 2 % labels, niche mean average precision, twins within the nearest 1 %."""
    rows = Rows("planted")
    steps = {"n_steps": 3} if size == "small" else {}
    for name, noise in list(LEVELS.items())[: 1 if size == "small" else None]:
        adata = planted_cells(400 if size == "small" else 5000, noise=noise, random_state=0)
        start = time.perf_counter()
        tl.embed(adata, progress=False, **{**LOCAL, **steps})
        tl.embed(adata, progress=False, **{**NICHE, **steps})
        seconds = time.perf_counter() - start
        measured = planted_figures(adata, types="X", place="X", niche="X")
        learned = planted_figures(adata, types="X_cellgraph", place="X_cellgraph", niche="X_niche")
        rows.add("time", name, "both embeddings", seconds, unit="s", digits=0, protocol=f"{adata.n_obs} cells")
        for key in ("types", "niches", "twins"):
            told = {"control": measured[key], "chance": learned[f"{key}, chance"]}
            rows.add(
                "noise", f"{key}, {name}", "learned", learned[key], **told, protocol=f"{noise}, {adata.n_obs} cells"
            )
    return rows
