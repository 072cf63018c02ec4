"""Every option of every public function and configuration, with values of the wrong kind, NaN, infinite, negative and huge.

Options, and what they take, are read from the signatures: a new function is one line in `CALLS`, a new configuration none.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import cellgraph_clr as cgc
from cellgraph_clr import models
from tests.robustness.case import Case, anything, either, refused, right
from tests.robustness.scenes import (
    QUICK,
    arrow,
    asked,
    cells,
    closed,
    embedder,
    errors,
    frames,
    light,
    measured,
    movie,
    plain,
    plate,
    profiler,
    related,
    shaper,
    spotter,
    told_apart,
    windows,
)

AREA, DATA = "options", "data of another kind"

IMAGE = {"labels": lambda: plain(2), "spacing": lambda: 0.5}
ADATA = {"adata": cells}
CALLS: dict[str, tuple[Callable, dict[str, Callable[[], Any]]]] = {  # function, and the arguments it needs
    "from_labels": (cgc.from_labels, {**IMAGE, "image": lambda: light(2)}),
    "LabelImage.build": (cgc.LabelImage.build, {**IMAGE, "image": lambda: light(2)}),
    "LabelImage": (cgc.LabelImage, {"labels": lambda: plain(2), "spacing": lambda: (1.0, 1.0)}),
    "Movie.build": (cgc.Movie.build, {"frames": lambda: light(2)}),
    "Plate.build": (
        cgc.Plate.build,
        {"table": lambda: plate().table, "images": lambda: list(map(plate().image, range(6)))},
    ),
    "from_movie": (cgc.from_movie, {"movie": movie}),
    "concat": (cgc.concat, {"adatas": lambda: {"a": cells(), "b": cells()}}),
    "validate": (cgc.validate, ADATA),
    "to_pyg": (cgc.to_pyg, ADATA),
    "to_networkx": (cgc.to_networkx, ADATA),
    "im.label_qc": (cgc.im.label_qc, {"labels": lambda: plain(2)}),
    "im.extract_patches": (
        cgc.im.extract_patches,
        {"labels": lambda: plain(2), "image": lambda: light(2), "crop_px": lambda: 4},
    ),
    "im.sample_surfaces": (cgc.im.sample_surfaces, {"labels": lambda: plain(2), "n_points": lambda: 8}),
    "gr.contact_graph": (cgc.gr.contact_graph, ADATA),
    "gr.delaunay_graph": (cgc.gr.delaunay_graph, ADATA),
    "gr.knn_graph": (cgc.gr.knn_graph, ADATA),
    "gr.radius_graph": (cgc.gr.radius_graph, {**ADATA, "radius": lambda: 9.0}),
    "gr.intersect_graphs": (
        cgc.gr.intersect_graphs,
        {**ADATA, "first_key": lambda: "spatial", "second_key": lambda: "touching"},
    ),
    "gr.temporal_matches": (cgc.gr.temporal_matches, {"adata": frames}),
    "gr.aggregate_neighbors": (cgc.gr.aggregate_neighbors, ADATA),
    "pp.scale_features": (cgc.pp.scale_features, ADATA),
    "pp.split": (cgc.pp.split, ADATA),
    "tl.embed": (partial(cgc.tl.embed, n_dims=4, n_hidden=4, **QUICK), ADATA),
    "tl.classify": (partial(cgc.tl.classify, n_steps=2), {**ADATA, "label_key": lambda: "kind"}),
    "tl.transfer_labels": (cgc.tl.transfer_labels, {**ADATA, "reference": cells, "label_key": lambda: "kind"}),
    "tl.cluster": (partial(cgc.tl.cluster, method="gmm"), ADATA),
    "tl.cluster, leiden": (cgc.tl.cluster, ADATA),
    "tl.retrieve": (cgc.tl.retrieve, {**ADATA, "query": lambda: [1, 2]}),
    "tl.retrieve_regions": (cgc.tl.retrieve_regions, {**ADATA, "query": lambda: [1, 2, 3, 4, 5]}),
    "tl.build_index": (cgc.tl.build_index, ADATA),
    "tl.morpho_context": (cgc.tl.morpho_context, {**ADATA, "use_rep": lambda: "X"}),
    "tl.context": (
        partial(cgc.tl.context, learn=False, n_types=4, n_far=3, n_alike=4, n_apart=4, n_vectors=4, n_neighbors=4),
        ADATA,
    ),
    "tl.interactions": (cgc.tl.interactions, {**ADATA, "label_key": lambda: "kind"}),
    "tl.select_region": (cgc.tl.select_region, {**ADATA, "outline": lambda: [(0, 0), (99, 0), (99, 99)]}),
    "tl.detect_events": (cgc.tl.detect_events, {"movie": movie, "model": spotter}),
    "tl.profile": (cgc.tl.profile, {"plate": plate, "model": profiler}),
    "CellGraphCLR.fit": (models.CellGraphCLR(n_dims=4, n_hidden=4, **QUICK).fit, {"data": cells}),
    "CellGraphCLR.transform": (lambda data, **k: embedder().transform(data, **k), {"data": cells}),
    "TimeArrow.transform": (lambda movie: arrow().transform(movie), {"movie": movie}),
    "MorphoFeatures.transform": (lambda labels: shaper().transform(labels), {"labels": lambda: plain(2)}),
    "VectorIndex.query": (
        lambda vectors, k=3, exact=None: cgc.tl.build_index(cells()).query(vectors, k, exact=exact),
        {"vectors": lambda: cells().obsm["X_cellgraph"]},
    ),
    "datasets.tissue": (cgc.datasets.tissue, {"n_cells": lambda: 30}),
    "datasets.shapes": (cgc.datasets.shapes, {"n_cells": lambda: 5}),
    "datasets.movie": (cgc.datasets.movie, {"n_cells": lambda: 5, "n_frames": lambda: 3}),
    "datasets.event_movie": (
        cgc.datasets.event_movie,
        {"n_cells": lambda: 5, "n_frames": lambda: 3, "side": lambda: 64},
    ),
    "datasets.phenotype_plate": (
        cgc.datasets.phenotype_plate,
        {"n_samples": lambda: 2, "n_fields": lambda: 1, "side": lambda: 64},
    ),
    "pl.spatial": (closed(cgc.pl.spatial), {**ADATA, "color": lambda: "kind"}),
    "pl.graph": (closed(cgc.pl.graph), ADATA),
    "pl.retrieval": (closed(cgc.pl.retrieval), {"adata": asked}),
    "pl.composition": (closed(cgc.pl.composition), {**ADATA, "groupby": lambda: "half", "label_key": lambda: "kind"}),
    "pl.confusion": (closed(cgc.pl.confusion), {**ADATA, "truth_key": lambda: "half", "pred_key": lambda: "kind"}),
    "pl.reliability": (
        closed(cgc.pl.reliability),
        {"adata": told_apart, "truth_key": lambda: "half", "pred_key": lambda: "guess"},
    ),
    "pl.loss_weights": (
        closed(cgc.pl.loss_weights),
        {"adata": told_apart, "truth_key": lambda: "half", "pred_key": lambda: "guess"},
    ),
    "pl.interactions": (closed(cgc.pl.interactions), {"adata": related}),
    "pl.training": (closed(cgc.pl.training), {"history": lambda: {"loss": [3.0, 2.0, 1.0]}}),
    "pl.label_qc": (closed(cgc.pl.label_qc), {"table": lambda: plain(2)}),
    "pl.event_errors": (closed(cgc.pl.event_errors), {"table": errors}),
    "pl.arrow_attribution": (closed(cgc.pl.arrow_attribution), {"movie": movie, "model": arrow, "t": lambda: 2}),
    "pl.cell_gallery": (
        closed(cgc.pl.cell_gallery),
        {"adata": measured, "labels": lambda: plain(2), "query": lambda: [1]},
    ),
    "pl.feature_range": (
        closed(cgc.pl.feature_range),
        {"adata": measured, "labels": lambda: plain(2), "features": lambda: "area"},
    ),
    "pl.window_gallery": (
        closed(cgc.pl.window_gallery),
        {"adata": windows, "plate": plate, "groupby": lambda: "sample", "use_rep": lambda: "X_infomax"},
    ),
    "metrics.reliability": (
        cgc.metrics.reliability,
        {"confidence": lambda: np.linspace(0, 1, 9), "correct": lambda: np.arange(9) > 3},
    ),
    "metrics.precision_at_k": (
        cgc.metrics.precision_at_k,
        {"relevant": lambda: np.arange(9) > 3, "scores": lambda: np.arange(9.0), "k": lambda: 3},
    ),
}
CONFIGS = {name: getattr(models, name) for name in dir(models) if name.endswith("Config")}
ESTIMATORS: dict[str, Callable[..., Any]] = {
    "SoftInfoNCEClassifier": models.SoftInfoNCEClassifier,
    "CalibratedTrees": models.CalibratedTrees,
}

NUMBERS = {"NaN": float("nan"), "inf": float("inf"), "-inf": float("-inf"), "negative": -(10**9), "complex": 1j}
KINDS = {
    "text": "no such",
    "a number as text": "3",
    "a list": [],
    "a dict": {},
    "an object": object(),
    "an array": np.zeros(2),
}
WHOLE = {"a half": 1.5, "bool": True, "a double": 2.0, "0-d": np.array(3)}
HUGE = {"1e30": 10**30, "beyond 64 bits": 2**64}
MORE = {
    "None": None,
    "empty text": "",
    "NUL": "a\0",
    "slash": "a/b",
    "a long text": "x" * 10_000,
    "bytes": b"x",
    "a set": {1, 2},
}
TRIED = NUMBERS | KINDS | WHOLE | HUGE | MORE
FEW = {
    "NaN",
    "negative",
    "text",
    "a list",
    "a dict",
    "an object",
    "an array",
    "a half",
    "bool",
    "None",
    "bytes",
}  # for plots
LONG = re.compile(
    r"n_steps|n_trees|n_fit|n_cells|n_frames|n_samples|n_fields|side|n_blocks|n_points|n_permutations|n_hops|patience"
)  # huge ones take for ever
SKIP = {"copy", "progress", "callbacks", "logger", "self"}

# What an option of an annotation never takes: a value that is taken all the same is a silent mistake.
NEVER = {
    "int": {*NUMBERS, *KINDS, "a half", "empty text", "NUL", "bytes", "a set"},
    "float": {"NaN", "complex", *KINDS, "empty text", "NUL", "bytes", "a set"},
    "str": {*NUMBERS, "a list", "a dict", "an object", "an array", "a half", "bytes", "a set"},
    "Literal": {*NUMBERS, *KINDS, "a half", "empty text", "NUL", "slash", "a long text", "bytes", "a set"},
}
MAY = {  # option: values that it takes although its annotation says otherwise, and why
    "n_jobs": {"negative"},  # as in joblib: all threads
    "random_state": set(TRIED),  # a seed, a generator or None, of either library
    "library_id": set(TRIED),  # any name: numbers become text
    "library_key": set(),
    "max_distance": {"inf"},
    "radius": {"inf"},
}


def options_of(function: Callable) -> dict[str, str]:
    """Return {option: annotation} of a function."""
    made = function.func if isinstance(function, partial) else function
    found = inspect.signature(
        inspect.unwrap(made, stop=inspect.isclass)
    ).parameters  # fields of configurations: `CONFIGS`
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {n: str(p.annotation) for n, p in found.items() if p.kind not in kinds and n not in SKIP}


def never(option: str, annotation: str) -> set[str]:
    """Return the names of values that an option must refuse, as its annotation says."""
    parts = {re.sub(r"[\[(].*", "", p.strip()) for p in re.sub(r"\[[^\]]*\]", "[]", annotation.strip("'\"")).split("|")}
    known = parts - {"None"}
    if not known or not known <= set(NEVER):
        return set()
    bad = set.intersection(*(NEVER[p] for p in known))
    return bad - MAY.get(option, set())


def cases() -> Iterator[Case]:
    """Yield every option of every function, configuration and estimator with every value."""
    for name, (function, needed) in CALLS.items():
        yield Case(AREA, f"{name}, plain", partial(_plain, function, needed), slow="leiden" in name)
        for option, annotation in options_of(function).items():
            is_data = option in needed and next(iter(needed)) == option
            for value in TRIED:
                left_out = name.startswith("pl.") and value not in FEW
                if not left_out and not (value in HUGE and LONG.fullmatch(option)):
                    must = refused if value in never(option, annotation) and not is_data else either
                    call = partial(_called, function, needed, option, value, must)
                    yield Case(DATA if is_data else AREA, f"{name}({option}={value})", call, slow="leiden" in name)
    for name, config in CONFIGS.items():
        for field in dataclasses.fields(config):
            for value in TRIED:
                must = refused if value in never(field.name, str(field.type)) else either
                yield Case(AREA, f"{name}({field.name}={value})", partial(_made, config, field.name, value, must))
    for name, estimator in ESTIMATORS.items():
        for option in options_of(estimator):
            for value in TRIED:
                if not (value in HUGE and LONG.fullmatch(option)):
                    yield Case(AREA, f"{name}({option}={value}).fit", partial(_fitted, estimator, option, value))


def _plain(function, needed, folder, seed):
    right(lambda: function(**{name: make() for name, make in needed.items()}), anything)


def _called(function, needed, option, value, must, folder, seed):
    arguments = {name: make() for name, make in needed.items()}
    must(lambda: function(**(arguments | {option: TRIED[value]})), anything)


def _made(config, field, value, must, folder, seed):
    must(lambda: config(**{field: TRIED[value]}), anything)


def _fitted(estimator, option, value, folder, seed):
    adata = cells()
    quick = {"n_steps": 2} if estimator is models.SoftInfoNCEClassifier else {"n_trees": 4}
    either(
        lambda: estimator(**(quick | {option: TRIED[value]})).fit(adata.X, adata.obs["kind"].astype(str).to_numpy()),
        anything,
    )
