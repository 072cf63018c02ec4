"""The numbers of every learner on generated data, written to a file: `python -m benchmarks.numbers FILE [OTHER]`.

With OTHER, a file of another version, says per array whether they are equal to the bit, else how far apart they are. For changes
of structure, which should leave every number as it is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np

import cellgraph_clr as cgc
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.datasets.shaped_cells import shapes

RUN = {"n_steps": 12, "progress": False}
GRAPH = {"n_dims": 8, "n_hidden": 16, "batch_size": 64} | RUN
CODES = {"n_points": 32, "n_features": 6, "n_hidden": 4, "batch_size": 8, "coarse_size": 8, "fine_size": 8} | RUN
ARROW = {"n_hidden": 4, "n_features": 5, "n_levels": 1, "crop_px": 16, "batch_size": 4} | RUN
FIELDS = {"n_fields": 2, "n_features": 6, "n_hidden": 4, "window_px": 32, "batch_size": 8} | RUN
CELL_GRAPHS = {
    "infonce_p": {},
    "infonce": {"objective": "infonce", "positives": "views"},
    "nt_xent": {"objective": "nt_xent", "positives": "views"},
    "vicreg": {"objective": "vicreg"},
    "supcon": {"objective": "supcon", "positives": "true_type"},
    "infomax": {"objective": "infomax"},
    "gen": {"encoder": "gen", "edge_lengths": True, "drop_nodes": 0.1},
    "gatv2": {"encoder": "gatv2", "positive_weights": "contact_area"},
    "mixed": {"positives": ("neighbors", "true_type"), "objective": "mil_nce", "n_hops": 2},
}


def figures(history: dict, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values of every figure of a history, nested or not."""
    for key, value in history.items():
        if isinstance(value, dict):
            yield from figures(value, f"{name}/{key}")
        else:
            yield f"{name}/{key}", np.asarray(value)


def numbers() -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values of what every learner gives."""
    tissue = cgc.datasets.tissue(150, ndim=2, random_state=0)
    adata = tissue.adata()
    cgc.gr.contact_graph(adata)
    cgc.pp.scale_features(adata)
    for name, options in CELL_GRAPHS.items():
        model = cgc.models.CellGraphCLR(**GRAPH | options)
        yield f"CellGraphCLR {name}", model.fit_transform(adata)
        yield from figures(model.history_, f"CellGraphCLR {name}")
    for positives in ("views", "patches", "neighbors"):
        morpho = cgc.models.MorphoFeatures(positives=positives, **CODES)
        image = shapes(20, ndim=2, random_state=0).image
        yield f"MorphoFeatures {positives}", morpho.fit_transform(image).to_numpy()
        yield from figures(morpho.history_, f"MorphoFeatures {positives}")
    movie = event_movie(12, 10, side=80, random_state=0)
    arrow = cgc.models.TimeArrow(**ARROW).fit(movie)
    yield "TimeArrow", arrow.transform(movie).to_numpy()
    yield "TimeArrow accuracy", np.array([arrow.accuracy_, arrow.accuracy_error_])
    yield from figures(arrow.history_, "TimeArrow")
    for fine_tune in (False, True):
        events = cgc.models.EventClassifier(arrow, crop_px=8, fine_tune=fine_tune, **RUN).fit(movie)
        yield f"EventClassifier {fine_tune}", events.predict_proba(movie)
        yield from figures(events.history_, f"EventClassifier {fine_tune}")
    plate = phenotype_plate(3, 2, side=64, random_state=0)
    for options in ({}, {"prior_weight": 0.0, "blur": 1.0, "bound": "nce"}):
        fields = cgc.models.DeepInfoMax(**FIELDS | options).fit(plate)
        yield f"DeepInfoMax {options}", fields.transform(plate).to_numpy()
        yield from figures(fields.history_, f"DeepInfoMax {options}")
    x, y = np.asarray(adata.X), adata.obs["true_niche"].astype(str).to_numpy()
    for head in ("linear", "mlp"):
        soft = cgc.models.SoftInfoNCEClassifier(head=head, n_steps=40).fit(x, y)
        yield f"SoftInfoNCEClassifier {head}", soft.predict_proba(x)
        yield from figures(soft.history_, f"SoftInfoNCEClassifier {head}")
    base = cgc.models.CellGraphCLR(**GRAPH).fit(adata)
    for head in ("linear", "mlp"):
        tuned = cgc.models.CellGraphClassifier(base, head=head, n_steps=20).fit(adata, "true_niche")
        yield f"CellGraphClassifier {head}", tuned.predict_proba(adata)
        yield from figures(tuned.history_, f"CellGraphClassifier {head}")
    yield "CalibratedTrees", cgc.models.CalibratedTrees(n_trees=50, n_jobs=1).fit(x, y).predict_proba(x)


def compare(mine: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    """Print what differs."""
    equal = 0
    for name in sorted({*mine, *other}):
        if name not in mine or name not in other:
            print(f"{name}: only in {'this' if name in mine else 'the other'}")
        elif np.array_equal(mine[name], other[name], equal_nan=True):
            equal += 1
        elif mine[name].shape != other[name].shape:
            print(f"{name}: {mine[name].shape} beside {other[name].shape}")
        else:
            print(f"{name}: up to {np.nanmax(np.abs(mine[name] - other[name])):.3g} apart")
    print(f"{equal} of {len(mine)} arrays are equal to the bit")


def main(path: str, other: str | None = None) -> None:
    """Write the numbers of this version, and compare them."""
    start = time.perf_counter()
    mine = dict(numbers())
    np.savez(path, **mine)
    print(f"{len(mine)} arrays in {time.perf_counter() - start:.0f} s")
    if other is not None:
        with np.load(other) as file:
            compare(mine, dict(file))


if __name__ == "__main__":
    main(*sys.argv[1:])
