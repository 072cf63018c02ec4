"""Events of cells from few labels: matches between frames beside measured shape and its mean over time, chance, no labels."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from benchmarks.inputs import real_data
from benchmarks.rows import Row, Rows
from cellgraph_clr import gr
from cellgraph_clr.adata.reading import table_from_anndata
from cellgraph_clr.adata.writing import write_graph
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.datasets import ascidian_embryos
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.matches import Matches, match_nearest
from cellgraph_clr.io.movies import from_movie, read_movie
from cellgraph_clr.metrics import average_precision, classwise_calibration_error
from cellgraph_clr.models import CalibratedTrees
from cellgraph_clr.tl.matched_events import N_TREES

TRAINED = 0.6  # share of the events before the frame that splits a movie
LEAST = 2  # events in every draw of labels
ECE_BINS = {"n_bins": 10, "binning": "mass"}


def run(*, size: str, data: str | None) -> list[Row]:
    """Return average precision with its spread over draws of the labelled cells."""
    rows = Rows("events")
    small = size == "small"
    movie = event_movie(12 if small else 60, 16 if small else 40, side=96 if small else 200, random_state=0)
    draws = 1 if small else 5
    shares = (0.1,) if small else (0.01, 0.1, 1.0)
    _movie(rows, "generated", movie, shares=shares, draws=draws, trees=20 if small else N_TREES)
    folder = real_data(size, data)
    if folder is None:
        return rows
    for name, shares in (("timelapse_hl60sim", (0.1, 0.3, 1.0)), ("timelapse_bacteria", (0.01, 0.1, 1.0))):
        _movie(rows, name, _read(folder / name), shares=shares, draws=draws)
    _ascidian(rows, folder, shares=(0.002, 0.05), draws=1)
    return rows


def _read(folder: Path) -> Movie:
    return read_movie(folder / "raw.tif", folder / "masks.tif", folder / "man_track.csv")


def _movie(rows: Rows, name: str, movie: Movie, *, shares: tuple[float, ...], draws: int, trees: int = N_TREES) -> None:
    """Frames held out: those after the frame before which 60 % of the divisions lie; cells that vanish are left out."""
    adata = from_movie(movie, features=("shape",))
    masks = replace(movie, tracks=None)
    start = time.perf_counter()
    gr.temporal_matches(adata, labels=masks)
    rows.add("time", name, "matches", time.perf_counter() - start, unit="s", digits=1)
    gr.temporal_graph(adata, labels=masks)
    frame, event = adata.obs["frame"].to_numpy(), adata.obs["event"].to_numpy()
    divides, used = event == "division", (event != "death") & (frame < frame.max())
    split = np.sort(frame[divides & used])[int(TRAINED * (divides & used).sum())]
    learned, unseen = np.flatnonzero(used & (frame < split)), np.flatnonzero(used & (frame >= split))
    score = adata.obs["split_score"].to_numpy()
    every = np.append(learned, unseen)
    for where, some in (("frames held out", unseen), ("all frames", every)):
        found = average_precision(divides[some], score[some])
        rows.add("no labels", name, where, found, chance=divides[some].mean())
    frames, options = partial(_same, learned, unseen), {"draws": draws, "trees": trees}
    _tables(rows, "labels", name, _blocks(adata), divides, frames, shares=shares, **options)
    _tables(rows, "foreseen", name, _past(adata), divides, frames, shares=shares[-2:], **options)


def _same(learned: np.ndarray, unseen: np.ndarray, _: int) -> tuple[np.ndarray, np.ndarray]:
    return learned, unseen


def _blocks(adata: AnnData) -> dict[str, np.ndarray]:
    """Return the inputs that are compared."""
    own = np.asarray(adata.X)
    return {
        "own": own,
        "own and temporal mean": gr.aggregate_neighbors(adata, neighbors_key="temporal", copy=True),
        "own and matches": np.column_stack([own, adata.obsm["X_matches"]]),
    }


def _past(adata: AnnData) -> dict[str, np.ndarray]:
    """Return inputs that know nothing of the next frame."""
    own, back = np.asarray(adata.X), adata.obsm["X_matches"].filter(like="previous_")
    return {"own": own, "own and previous matches": np.column_stack([own, back])}


def _tables(
    rows: Rows,
    table: str,
    title: str,
    blocks: Mapping[str, np.ndarray],
    true: np.ndarray,
    split: Callable[[int], tuple[np.ndarray, np.ndarray]],
    *,
    shares: tuple[float, ...],
    draws: int,
    trees: int,
) -> None:
    """Add average precision of trees by share of labels; `split(draw)` gives the rows to learn from and those held out."""
    for share in shares:
        drawn = []
        for draw in range(draws):
            learned, unseen = split(draw)
            drawn.append((_drawn(learned, true, share, draw), unseen))
        events = np.mean([true[some].sum() for some, _ in drawn])
        for name, vectors in blocks.items():
            whole = name == "own and matches"  # calibrated, which changes no order and takes six times as long
            found = [_once(vectors, true, some, unseen, i, trees, whole) for i, (some, unseen) in enumerate(drawn)]
            line = f"{title}, {100 * share:g} % of the labels ({events:.1f} divisions)"
            chance = np.mean([true[unseen].mean() for _, unseen in drawn])
            ap, ece = np.transpose(found)
            rows.add(table, line, name, ap, chance=chance)
            if whole:
                rows.add(table, line, "calibration error", ece)


def _drawn(rows: np.ndarray, true: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return a share of the rows with at least two events and two others: the first draw of this seed that has them."""
    rng = np.random.default_rng(seed)
    while True:
        some = np.sort(rng.choice(rows, max(round(share * len(rows)), 2 * LEAST), replace=False))
        if min(true[some].sum(), (~true[some]).sum()) >= LEAST:
            return some


def _once(
    vectors: np.ndarray, true: np.ndarray, some: np.ndarray, unseen: np.ndarray, seed: int, trees: int, calibrate: bool
) -> tuple[float, float]:
    model = CalibratedTrees(n_trees=trees, calibrate=calibrate, n_jobs=1, random_state=seed).fit(
        vectors[some], true[some]
    )
    proba = model.predict_proba(vectors[unseen])
    ece = classwise_calibration_error(proba, true[unseen].astype(int), **ECE_BINS)[1]
    return average_precision(true[unseen], proba[:, 1]), ece


def _ascidian(rows: Rows, folder: Path, *, shares: tuple[float, ...], draws: int) -> None:
    """Embryos held out, each in turn with labels drawn from the other five; positions and radii, no masks, no lineage."""
    found = ascidian_embryos(folder)
    radius = np.asarray(found[:, "radius"].X).ravel()
    adata = AnnData(
        np.column_stack([radius, 4 / 3 * np.pi * radius**3]).astype(np.float32),
        obs=found.obs[["cell_id", "embryo", "frame", "divides"]],
        var=pd.DataFrame(index=["radius", "volume"]),
        obsm={"spatial": found.obsm["spatial"]},
    )
    start = time.perf_counter()
    gr.temporal_matches(adata, library_key="embryo")
    rows.add("time", "ascidian", "matches", time.perf_counter() - start, unit="s", digits=1)
    true, embryo = (adata.obs["divides"] == "yes").to_numpy(), adata.obs["embryo"].astype(str).to_numpy()
    score = adata.obs["split_score"].to_numpy()
    seen = np.isfinite(score)
    found_alone = average_precision(true[seen], score[seen])
    rows.add("no labels", "ascidian", "all frames", found_alone, chance=true[seen].mean())
    names = np.unique(embryo)

    def held_out(draw: int) -> tuple[np.ndarray, np.ndarray]:
        out = embryo == names[draw % len(names)]
        return np.flatnonzero(seen & ~out), np.flatnonzero(seen & out)

    write_graph(adata, _nearest(adata), key_added="temporal", params={})
    options = {"draws": draws * len(names), "trees": N_TREES}
    _tables(rows, "labels", "ascidian", _blocks(adata), true, held_out, shares=shares, **options)
    _tables(rows, "foreseen", "ascidian", _past(adata), true, held_out, shares=shares[-1:], **options)


def _nearest(adata: AnnData) -> CellGraph:
    """Return the graph of the matches by position, for the mean over time."""
    cells = table_from_anndata(adata, library_key="embryo", features=False)
    none = Matches(np.zeros((0, 2), np.int64), np.zeros(0))
    found = match_nearest(cells, none, size=np.asarray(adata[:, "volume"].X, float).ravel())
    return CellGraph.from_pairs(cells, found.pairs)
