"""Time arrow: planted movies, one without an arrow, tiles against the whole, crops a second; events on real movies."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.inputs import real_data
from benchmarks.memory import peak, reset_peak
from benchmarks.rows import Row, Rows
from benchmarks.timing import paired
from cellgraph_clr import gr
from cellgraph_clr.cells.events import event_table
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.datasets.events import event_movie, reversible_movie
from cellgraph_clr.io.movies import from_movie, read_movie
from cellgraph_clr.metrics import average_precision, brier_skill, classwise_calibration_error, event_scores
from cellgraph_clr.models import EventClassifier, SoftInfoNCEClassifier, TimeArrow
from cellgraph_clr.models.time_arrow.data import FramePairs
from cellgraph_clr.models.time_arrow.places import cell_places

SHARES = (0.1, 1.0, 0.01, 0.05, 0.5)  # of the labels; the first two with all baselines
SEEDS = range(5)
MEASURES = ("AP", "F1", "ECE", "Brier skill")
N_STEPS = 200
PLACE = 32  # pixels
TRAINED = 0.6  # share of the events before the frame that splits a movie


def run(*, size: str, data: str | None) -> list[Row]:
    """Return accuracies, F1 and average precision with spread, ratios of time and memory."""
    rows = Rows("time_arrow")
    small = size == "small"
    if small:
        _planted(rows, n_steps=4, side=96, n_cells=8, n_movies=2, n_pairs=64, crop_px=32, batch_size=8)
    else:
        _planted(rows, n_steps=600, side=256, n_cells=40)
    _speed(rows, side=128 if small else 1024, n_pairs=4 if small else 32)
    folder = real_data(size, data)
    if folder is not None:
        for name, steps in (("timelapse_bacteria", (1,)), ("timelapse_hl60sim", (1, 2))):
            if (folder / name).exists():
                _real(rows, folder / name, steps)
    return rows


def _planted(
    rows: Rows, *, n_steps: int, side: int, n_cells: int, n_movies: int = 4, n_pairs: int = 1024, **learned: int
) -> None:
    options = {"n_steps": n_steps, "steps": (4,), "progress": False, **learned}
    movies = [event_movie(n_cells, 40, side=side, random_state=s) for s in range(n_movies)]
    unseen = event_movie(n_cells, 40, side=side, random_state=9)
    arrow = TimeArrow(**options).fit(movies)
    share, error = arrow.score(unseen, n_pairs=n_pairs)
    rows.add(
        "arrow", "stretches of time held out", "accuracy", arrow.accuracy_, spread=arrow.accuracy_error_, chance=0.5
    )
    rows.add("arrow", "a movie never seen", "accuracy", share, spread=error, chance=0.5)
    model = EventClassifier(arrow, n_steps=max(n_steps // 2, 4), progress=False).fit(movies)
    places = cell_places(unseen)
    codes = np.array([model.classes_.index(e) for e in places["event"]])
    table = event_scores(model.predict_proba(unseen, places), codes, model.classes_)
    for event, scores in table.iterrows():
        rows.add("events", str(event), "F1 in a movie never seen", scores["f1"])
        found, chance = scores["average_precision"], scores["share"]
        rows.add("events, AP", str(event), "average precision", found, chance=chance)
    still = [reversible_movie(n_cells, 40, side=side, random_state=s) for s in range(3 * n_movies)]
    blind = TimeArrow(**options).fit(still[:n_movies])
    others = [blind.score(movie, n_pairs=n_pairs // 4)[0] for movie in still[n_movies:]]
    error = np.std(others) / np.sqrt(len(others))
    told = {"spread": error, "n": len(others), "chance": 0.5}
    rows.add("arrow", "movies generated without an arrow", "accuracy", np.mean(others), **told)


def _real(rows: Rows, folder: Path, steps: tuple[int, ...]) -> None:
    movie = read_movie(folder / "raw.tif", folder / "masks.tif", folder / "man_track.csv")
    places = cell_places(movie, window=1)
    places = places[places["event"] != "death"].reset_index(drop=True)  # cells that vanish are at the edge of the crop
    happens = (places["event"] == "division").to_numpy()
    order = np.sort(places["frame"].to_numpy()[happens])
    split = int(order[int(TRAINED * len(order))])
    frame = places["frame"].to_numpy()
    learned, unseen = places[frame < split], places[frame >= split]
    name = folder.name
    early = movie.cut(0, split)
    arrow = TimeArrow(steps=steps, zoom=0.1, crop_px=48, n_steps=1600, progress=False).fit(
        replace(early, labels=None, tracks=None)
    )
    rows.add("real arrow", name, "accuracy", arrow.accuracy_, spread=arrow.accuracy_error_, chance=0.5)
    _attributed(rows, name, movie, arrow, split)
    blank = arrow.untrained(early)
    for model in (arrow, blank):  # the features of a frame are worked out once
        model.dense = lru_cache(maxsize=None)(model.dense)
    kinds = {
        "features of the time arrow": (arrow, False),
        "features of an untrained network": (blank, False),
        "end to end from untrained": (blank, True),
    }
    _as_nodes(rows, name, movie, learned, unseen, {"time arrow": arrow, "untrained network": blank})
    for share in SHARES:
        for kind, (source, tuned) in kinds.items():
            if source is not arrow and share not in SHARES[:2]:
                continue
            found = [_once(movie, learned, unseen, source, tuned, share, s) for s in SEEDS]
            scores = np.array([f for f in found if f is not None])
            for measure, values in zip(MEASURES, scores.T, strict=False):  # none where a class is missing
                rows.add(f"{name}, {measure}", kind, f"{share:.0%} of the labels", values)


def _attributed(rows: Rows, name: str, movie: Movie, arrow: TimeArrow, split: int) -> None:
    """Add how much of the attribution falls on cells about to divide and on their daughters, beside their share of the area."""
    events = event_table(movie)
    events = events[(events["event"] == "division") & (events["frame"] >= split)]
    parts, areas = [], []
    for t, same in events.groupby("frame"):
        heat = arrow.attribution(movie, int(t), step=1)
        dividing = np.isin(np.asarray(movie.labels[int(t)]), same["track"])
        parts.append(heat[dividing].sum() / heat.sum())
        areas.append(dividing.mean())
    ratio = np.mean(parts) / np.mean(areas)
    measure = "attribution on dividing cells, in times of their area"
    rows.add("real arrow", name, measure, ratio, n=len(parts), unit="x", digits=1)


def _as_nodes(
    rows: Rows, title: str, movie: Movie, learned: pd.DataFrame, unseen: pd.DataFrame, models: Mapping[str, TimeArrow]
) -> None:
    """Add the scores of a SoftInfoNCE head on cells: their features, beside the mean over masks that overlap in time."""
    adata = from_movie(replace(movie, tracks=None), features=("shape",))
    gr.temporal_graph(adata, labels=np.asarray(movie.labels))
    key = pd.MultiIndex.from_arrays([adata.obs["frame"], adata.obs["cell_id"]])
    shape = np.nan_to_num(np.asarray(adata.X))
    kinds = {"measured shape": shape}
    for name, model in models.items():
        kinds[name] = model.transform(movie).reindex(key).to_numpy()
        kinds[f"shape and {name}"] = np.concatenate([shape, kinds[name]], axis=1)
    for name, own in kinds.items():
        adata.obsm["own"] = own
        vectors = gr.aggregate_neighbors(adata, use_rep="own", neighbors_key="temporal", key_added="both", copy=True)
        table = pd.DataFrame(vectors, index=key)
        test = table.loc[pd.MultiIndex.from_frame(unseen[["frame", "cell_id"]])].to_numpy()
        true = (unseen["event"] == "division").to_numpy()
        for share in SHARES:
            scores = []
            for seed in SEEDS:
                some = learned.sample(frac=share, random_state=seed) if share < 1 else learned
                if some["event"].nunique() < 2 or (some["event"] == "division").sum() < 5:
                    continue
                train = table.loc[pd.MultiIndex.from_frame(some[["frame", "cell_id"]])].to_numpy()
                head = SoftInfoNCEClassifier(random_state=seed).fit(train, some["event"].to_numpy())
                proba = head.predict_proba(test)[:, list(head.classes_).index("division")]
                scores.append(average_precision(true, proba))
            if scores:
                line, column = f"{name}, cells as nodes", f"{share:.0%} of the labels"
                rows.add(f"{title}, AP", line, column, scores, chance=true.mean())


def _once(movie, learned, unseen, arrow, tuned, share, seed):
    some = learned.sample(frac=share, random_state=seed) if share < 1 else learned
    if some["event"].nunique() < 2:
        return None
    model = EventClassifier(arrow, fine_tune=tuned, crop_px=PLACE, n_steps=N_STEPS, random_state=seed, progress=False)
    proba = model.fit(movie, some).predict_proba(movie, unseen)
    codes = np.array([model.classes_.index(e) for e in unseen["event"]])
    scores = event_scores(proba, codes, model.classes_).loc["division"]
    ece = classwise_calibration_error(proba, codes, n_bins=10, binning="mass")[model.classes_.index("division")]
    return scores["average_precision"], scores["f1"], ece, brier_skill(proba, codes)


def _speed(rows: Rows, *, side: int, n_pairs: int) -> None:
    """Add tiles against the whole frame, the memory of both, and crops a second against a loader of ready crops."""
    movie = Movie.build(np.random.default_rng(0).normal(size=(3, side, side)).astype(np.float32))
    arrow = TimeArrow(n_steps=1, progress=False).untrained(movie)
    whole, tiled = arrow.dense(movie, 0, tile=side), arrow.dense(movie, 0, tile=64)
    title, difference = f"a {side} x {side} frame", np.abs(whole - tiled).max()
    rows.add("tiles", title, "largest difference of tiles of 64", difference, digits=6)
    for name, tile in (("at once", side), ("in tiles of 64", 64)):
        before = reset_peak()
        arrow.dense(movie, 0, tile=tile)
        rows.add("tiles", title, f"memory {name}", peak() - before, unit="MiB", digits=0)
    frames = [np.random.default_rng(0).normal(size=(12, 1, side, side)).astype(np.float16)]
    source = FramePairs(frames, [(0, 12)], (1,), 64, 0.0)
    net, rng = arrow.backbone_copy().train(), np.random.default_rng(0)
    ready = [source.pairs(n_pairs, rng)[0] for _ in range(4)]

    def step(pairs: torch.Tensor) -> None:
        net(pairs).sum().backward()

    def ours() -> None:
        for _ in range(4):
            step(source.pairs(n_pairs, rng)[0])

    def plain() -> None:
        for pairs in ready:
            step(pairs)

    medians = paired({"crops drawn from the movie": ours, "crops ready in memory": plain}, rounds=3)
    rows.times("training", medians, ours="crops drawn from the movie")
    speed = medians["crops ready in memory"] / medians["crops drawn from the movie"]
    rows.add(
        "training", "crops drawn from the movie", "in times of the speed of crops in memory", speed, unit="x", digits=2
    )
