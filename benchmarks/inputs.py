"""Inputs: packed cells of stated number with curved walls, label ids shuffled; the folder of real data."""

import os
from pathlib import Path

import numpy as np

from cellgraph_clr.datasets.voronoi import packed_labels

# Embeddings of what is around a cell, that neighbors share: what `tl.context` is compared with.
PLACE = {
    "positives": "neighbors",
    "n_positives": 5,
    "n_hops": 3,
    "n_layers": 3,
    "n_steps": 150,
    "n_own": 0,
    "key_added": "X_place",
}


def packed(shape: tuple[int, ...], n_cells: int, *, seed: int = 0) -> np.ndarray:
    """Return labels ([z,] y, x) uint32 of about `n_cells` cells: jittered seeds, each with a metric of its own."""
    rng = np.random.default_rng(seed)
    whole = np.array(shape if len(shape) == 3 else (1, *shape))
    sides = whole[whole > 1]
    size = float((sides.prod() / n_cells) ** (1 / len(sides)))
    counts = np.maximum(1, np.rint(whole / size).astype(int))
    at = np.stack(
        np.meshgrid(*[(np.arange(c) + 0.5) * w / c for c, w in zip(counts, whole, strict=True)], indexing="ij"), -1
    )
    seeds = at.reshape(-1, 3) + rng.uniform(-0.4, 0.4, (counts.prod(), 3)) * size * (whole > 1)
    metrics = np.zeros((len(seeds), 6))
    metrics[:, :3] = rng.uniform(0.8, 1.25, (len(seeds), 3)) / (0.75 * size) ** 2
    metrics[:, 3:] = rng.uniform(-0.1, 0.1, (len(seeds), 3)) / (0.75 * size) ** 2
    labels = packed_labels(tuple(int(n) for n in whole), seeds, metrics, np.ones(3), cell_size=size)
    ids = np.concatenate([[0], rng.permutation(len(seeds)) + 1]).astype(np.uint32)
    return ids[labels].reshape(shape)


def real_data(size: str, data: str | None) -> Path | None:
    """Return the folder of data sets (`--data`, or CELLGRAPH_DATA) at full size; else say what is needed and return None."""
    folder = data or os.environ.get("CELLGRAPH_DATA")
    if folder is None or size == "small":
        print("  needs --data DIR (or CELLGRAPH_DATA) and size full")
        return None
    return Path(folder)
