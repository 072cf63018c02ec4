"""Training in bfloat16: networks alone are lowered, views and losses are not, other precisions are refused by all learners."""

from functools import wraps
from importlib import import_module

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.datasets.shaped_cells import shapes
from cellgraph_clr.models import CellGraphCLR, DeepInfoMax, MorphoFeatures, TimeArrow
from cellgraph_clr.training.run import Runtime

RUN = {"n_steps": 3, "progress": False}
GRAPH = {"n_dims": 8, "n_hidden": 16, "batch_size": 64} | RUN
CODES = {"n_points": 32, "n_features": 6, "n_hidden": 4, "batch_size": 8, "coarse_size": 8, "fine_size": 8} | RUN
ARROW = {"n_hidden": 4, "n_features": 5, "n_levels": 1, "crop_px": 16, "batch_size": 4} | RUN
FIELDS = {"n_fields": 2, "n_features": 6, "n_hidden": 4, "window_px": 32, "batch_size": 8} | RUN
LEARNERS = {
    "contrast": (CellGraphCLR, GRAPH),
    "vicreg": (CellGraphCLR, GRAPH | {"objective": "vicreg"}),
    "graph infomax": (CellGraphCLR, GRAPH | {"objective": "infomax"}),
    "shape": (MorphoFeatures, CODES | {"kinds": ("shape",)}),
    "texture": (MorphoFeatures, CODES | {"kinds": ("coarse", "fine")}),
    "arrow": (TimeArrow, ARROW),
    "fields": (DeepInfoMax, FIELDS),
}
VIEWS = {
    "cell_graph.views": ["mask_features", "jitter_features"],
    "morpho.views": ["scale_along_axes", "deform", "centred", "turned", "distorted"],
    "time_arrow.task": ["distort_pairs", "decorrelation"],
    "infomax.task": ["coarse", "mutual_information", "prior_matching", "gradient_penalty"],
    "cell_graph.infomax": ["mutual_information"],
}
FULL = {"InfoNCEp", "VICReg", "Critic"}  # modules that are no lowered network
every_learner = pytest.mark.parametrize("name", LEARNERS)


@pytest.fixture
def data(adata):
    return {
        CellGraphCLR: lambda: adata,
        MorphoFeatures: lambda: shapes(20, ndim=2, random_state=0).image,
        TimeArrow: lambda: event_movie(8, 8, side=64, random_state=0),
        DeepInfoMax: lambda: phenotype_plate(2, 2, side=64, random_state=0),
    }


@pytest.fixture
def lowered(monkeypatch):
    """What was called under autocast and what was not: two sets of names."""
    seen = {True: set(), False: set()}

    def note(name):
        seen[torch.is_autocast_enabled("cpu")].add(name)

    def noted(function):
        @wraps(function)
        def call(*args, **options):
            note(function.__name__)
            return function(*args, **options)

        return call

    for module, functions in VIEWS.items():
        where = import_module(f"cellgraph_clr.models.{module}")
        for function in functions:
            monkeypatch.setattr(where, function, noted(getattr(where, function)))
    hook = register_module_forward_pre_hook(lambda module, _: note(type(module).__name__))
    yield seen
    hook.remove()


def losses_of(history):
    return np.concatenate([losses_of(v) for v in history.values()]) if "loss" not in history else history["loss"]


@every_learner
def test_networks_alone_are_lowered(name, data, lowered):
    kind, options = LEARNERS[name]
    given = data[kind]()
    half = kind(precision="bf16", **options).fit(given)
    expected_full = {f for functions in VIEWS.values() for f in functions} | FULL
    assert lowered[True]
    assert not lowered[True] & expected_full
    assert lowered[False] & expected_full
    full = kind(**options).fit(given)
    assert np.isfinite(losses_of(half.history_)).all()
    np.testing.assert_allclose(losses_of(half.history_), losses_of(full.history_), rtol=0.1, atol=0.02)
    assert not np.array_equal(losses_of(half.history_), losses_of(full.history_))


def test_what_tells_the_prior_is_not_lowered(data, monkeypatch):
    """Of a `DeepInfoMax`: its scores have their gradient penalised."""
    module = import_module("cellgraph_clr.models.infomax.task")
    original = module.prior_losses
    seen = []

    def watched(prior, codes, draws):
        seen.append(codes.dtype)
        hook = prior.register_forward_hook(
            lambda _, inputs, out: seen.extend([out.dtype, torch.is_autocast_enabled("cpu")])
        )
        told = original(prior, codes, draws)
        hook.remove()
        return told

    monkeypatch.setattr(module, "prior_losses", watched)
    DeepInfoMax(precision="bf16", **FIELDS).fit(data[DeepInfoMax]())
    assert set(seen) == {torch.float32, False}


@every_learner
@pytest.mark.parametrize("precision", ["16", "typo", 32, None])
def test_other_precisions_are_refused_before_work_starts(name, precision):
    kind, options = LEARNERS[name]
    with pytest.raises(OptionError, match="`precision` to be one of '32', 'bf16'"):
        kind(precision=precision, **options)
    with pytest.raises(OptionError, match="`precision` to be one of '32', 'bf16'"):
        Runtime(precision=precision)
