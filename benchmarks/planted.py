"""Planted 3D tissue at three noise levels: measured features and the documented pair of embeddings, beside chance."""

import time

from cellgraph_clr import tl
from cellgraph_clr.cli.demo_planted import LOCAL, NICHE, planted_cells, planted_figures
from cellgraph_clr.datasets import Noise

LEVELS = {
    "low": Noise(cell=3.0, shape=0.2),
    "stated (default)": Noise(),
    "high": Noise(cell=5.0, shape=0.4),
}


def run(*, size: str, data: str | None) -> None:  # noqa: ARG001
    """Print type accuracy from 2 % labels, niche mean average precision, twins within the nearest 1 %."""
    steps = {"n_steps": 3} if size == "small" else {}
    for name, noise in LEVELS.items():
        adata = planted_cells(400 if size == "small" else 5000, noise=noise, random_state=0)
        start = time.perf_counter()
        tl.embed(adata, progress=False, **{**LOCAL, **steps})
        tl.embed(adata, progress=False, **{**NICHE, **steps})
        seconds = time.perf_counter() - start
        measured = planted_figures(adata, types="X", place="X", niche="X")
        learned = planted_figures(adata, types="X_cellgraph", place="X_cellgraph", niche="X_niche")
        print(f" noise {name}: {noise}, {adata.n_obs} cells, embedded in {seconds:.0f} s")
        for key in ("types", "niches", "twins"):
            chance = learned[f"{key}, chance"]
            print(f"  {key:8s} measured {measured[key]:.3f}   learned {learned[key]:.3f}   chance {chance:.3f}")
