"""Nothing is half written: what is worked out comes before the first key is, whatever the function."""

import sys
from pathlib import Path

import numpy as np
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import NonFiniteError
from tests.robustness.scenes import QUICK, cells, frames, movie, plain, plate, profiler, spotter

ROOT = Path(cgc.__file__).parent
WORK = tuple(str(ROOT / part) for part in ("analysis", "cells", "graphs", "losses", "models", "training"))
SLOTS = ("obsm", "obsp", "uns", "layers", "varm")


def measured():
    return cgc.from_labels(plain(2), n_jobs=1)


def marked():
    adata = frames()
    adata.obs["marked"] = adata.obs["event"].astype(str).where(adata.obs["frame"] < 6, "unassigned")
    return adata


WRITERS = {
    "gr.contact_graph": (measured, lambda a: cgc.gr.contact_graph(a, plain(2))),
    "gr.contact_graph, kept": (measured, cgc.gr.contact_graph),
    "gr.delaunay_graph": (measured, cgc.gr.delaunay_graph),
    "gr.knn_graph": (measured, lambda a: cgc.gr.knn_graph(a, n_neighbors=2)),
    "gr.radius_graph": (measured, lambda a: cgc.gr.radius_graph(a, radius=9.0)),
    "gr.temporal_graph": (frames, lambda a: cgc.gr.temporal_graph(a, tracks="track")),
    "gr.intersect_graphs": (cells, lambda a: cgc.gr.intersect_graphs(a, "spatial", "touching", key_added="both")),
    "gr.aggregate_neighbors": (cells, cgc.gr.aggregate_neighbors),
    "gr.temporal_matches": (frames, cgc.gr.temporal_matches),
    "pp.scale_features": (measured, cgc.pp.scale_features),
    "pp.split": (cells, cgc.pp.split),
    "tl.embed": (cells, lambda a: cgc.tl.embed(a, n_dims=4, n_hidden=4, key_added="X_new", **QUICK)),
    "tl.context": (cells, lambda a: cgc.tl.context(a, n_types=4, n_far=3, learn=False)),
    "tl.classify": (cells, lambda a: cgc.tl.classify(a, "kind", method="trees", n_trees=10)),
    "tl.transfer_labels": (cells, lambda a: cgc.tl.transfer_labels(a, cells(), "kind")),
    "tl.cluster": (cells, cgc.tl.cluster),
    "tl.cluster, gmm": (cells, lambda a: cgc.tl.cluster(a, method="gmm", n_clusters=2)),
    "tl.retrieve": (cells, lambda a: cgc.tl.retrieve(a, [1, 2])),
    "tl.retrieve_regions": (cells, lambda a: cgc.tl.retrieve_regions(a, [1, 2, 3], min_cells=1)),
    "tl.interactions": (cells, lambda a: cgc.tl.interactions(a, "kind")),
    "tl.morpho_context": (cells, lambda a: cgc.tl.morpho_context(a, use_rep="X")),
    "tl.morpho_features": (
        measured,
        lambda a: cgc.tl.morpho_features(
            a, plain(2), kinds=("shape",), n_features=4, n_hidden=4, n_points=16, n_steps=1, progress=False
        ),
    ),
    "tl.time_arrow": (
        frames,
        lambda a: cgc.tl.time_arrow(a, movie(), n_hidden=4, n_features=5, n_levels=1, crop_px=16, **QUICK),
    ),
    "tl.detect_events": (marked, lambda a: cgc.tl.detect_events(a, movie(), label_key="marked")),
    "tl.detect_events, pixels": (frames, lambda a: cgc.tl.detect_events(movie(), model=spotter(), adata=a)),
    "tl.profile_cells": (lambda: cgc.from_plate(plate()), lambda a: cgc.tl.profile_cells(a, plate(), model=profiler())),
}
READ_ONLY = {"build_index", "select_region", "profile", "surface_distances"}


def keys(adata):
    return (*map(tuple, (getattr(adata, slot).keys() for slot in SLOTS)), tuple(adata.obs.columns))


def test_every_function_that_writes_is_tried():
    face = {f"{part}.{name}" for part in ("gr", "pp", "tl") for name in getattr(cgc, part).__all__}
    functions = {n for n in face if callable(getattr(getattr(cgc, n[:2]), n[3:])) and n[3].islower()}
    assert functions - {n.partition(",")[0] for n in WRITERS} == {
        f"{'gr' if n == 'surface_distances' else 'tl'}.{n}" for n in READ_ONLY
    }


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_work_ends_before_the_first_key_is_written(name):
    make, write = WRITERS[name]
    adata = make()
    before, late = keys(adata), set()

    def watch(frame, event, _):
        is_work = frame.f_code.co_filename.startswith(WORK) and not frame.f_code.co_name.startswith("__")
        if event == "call" and is_work and keys(adata) != before:
            late.add(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")

    sys.setprofile(watch)
    try:
        write(adata)
    finally:
        sys.setprofile(None)
    assert keys(adata) != before  # it writes
    assert late == set()


def test_events_that_cannot_be_learned_leave_no_matches():
    adata = marked()
    adata.X[3, -1] = np.nan
    before = keys(adata)
    with pytest.raises(NonFiniteError):
        cgc.tl.detect_events(adata, movie(), label_key="marked")
    assert keys(adata) == before
