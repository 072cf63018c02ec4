"""A second fit, on other data, that is interrupted half-way leaves every model exactly as it was."""

from pkgutil import resolve_name

import numpy as np
import pytest

from cellgraph_clr import models
from cellgraph_clr.datasets.events import event_movie
from cellgraph_clr.datasets.plates import phenotype_plate
from cellgraph_clr.datasets.shaped_cells import shapes
from cellgraph_clr.models.time_arrow import events as event_module
from cellgraph_clr.models.time_arrow.places import cell_places

RUN = {"n_steps": 4, "progress": False}
ARROW = {"n_hidden": 4, "n_features": 5, "n_levels": 1, "crop_px": 16, "batch_size": 4} | RUN
FIELDS = {"n_fields": 2, "n_features": 6, "n_hidden": 4, "window_px": 32, "batch_size": 8} | RUN
CODES = {"n_points": 32, "n_features": 6, "n_hidden": 4, "batch_size": 8, "coarse_size": 8, "fine_size": 8} | RUN
STEP = "cellgraph_clr.training.module.TaskModule._record"


def other_cells(adata):
    other = adata[:100].copy()
    other.X = other.X * 7 + 3
    other.obs["true_type"] = np.where(np.arange(100) % 3 == 0, "x", np.where(np.arange(100) % 3 == 1, "y", "z"))
    return other


def movies():
    return event_movie(12, 10, side=80, random_state=0), event_movie(12, 10, side=80, random_state=1)


def embedding(adata):
    return models.CellGraphCLR(n_dims=8, n_hidden=16, **RUN), (adata,), (other_cells(adata),), STEP, 2


def morpho(adata):
    one, other = (shapes(20, ndim=2, random_state=s).image for s in (0, 1))
    return models.MorphoFeatures(**CODES), (one,), (other,), STEP, 6  # in the second of three groups


def arrow(adata):
    one, other = movies()
    return models.TimeArrow(random_state=None, **ARROW), (one,), (other,), STEP, 2


def fields(adata):
    one, other = (phenotype_plate(3, 2, side=64, random_state=s) for s in (0, 1))
    return models.DeepInfoMax(random_state=None, **FIELDS), (one,), (other,), STEP, 2


def events(adata):
    one, other = movies()
    model = models.EventClassifier(models.TimeArrow(**ARROW).untrained(one), crop_px=8, **RUN)
    places = cell_places(other)
    places["event"] = places["event"].where(places["event"] != "death", "none")
    return model, (one,), (other, places), STEP, 6  # after the temperature was fitted


def soft(adata):
    x, y = np.asarray(adata.X), adata.obs["true_niche"].astype(str).to_numpy()
    other = other_cells(adata)
    given = other.X[:, 1:], other.obs["true_type"].to_numpy()
    return models.SoftInfoNCEClassifier(n_steps=3), (x, y), given, STEP, 3  # the last of the one run of all heads


def graph(adata):
    base = models.CellGraphCLR(n_dims=8, n_hidden=16, **RUN).fit(adata)
    model = models.CellGraphClassifier(base, n_steps=3)
    given = other_cells(adata), "true_type"
    return model, (adata, "true_niche"), given, STEP, 11


def trees(adata):
    _, a, b, *_ = soft(adata)
    return models.CalibratedTrees(n_trees=10), a, b, "cellgraph_clr.models.classifiers.trees.CalibratedTrees._grown", 6


CASES = [embedding, morpho, arrow, fields, events, soft, graph, trees]


def test_every_model_is_held_to_it(adata):
    kinds = {type(case(adata)[0]).__name__ for case in CASES}
    assert kinds == {name for name in models.__all__ if hasattr(getattr(models, name), "fit")}


def output(model, data):
    found = model.predict_proba(data) if hasattr(model, "predict_proba") else model.transform(data)
    return np.asarray(found)


def saved(model, path):
    """Return the file of a model as bytes, header and tensors; its attributes where it has no file."""
    if not hasattr(model, "save"):
        return {k: v for k, v in vars(model).items() if k.endswith("_") and not isinstance(v, np.ndarray)}
    model.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_an_interrupted_fit_changes_nothing(case, adata, tmp_path, monkeypatch):
    monkeypatch.setattr(event_module, "LEAST_CALIBRATED", 1)
    model, first, second, inside, n_calls = case(adata)
    assert model.fit(*first) is model
    before, file = output(model, first[0]), saved(model, tmp_path / "before.safetensors")
    where, _, name = inside.rpartition(".")
    owner = resolve_name(where)
    calls = []

    def interrupted(original):
        def call(*args, **options):
            calls.append(name)
            if len(calls) == n_calls:
                raise KeyboardInterrupt
            return original(*args, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted(getattr(owner, name)))
        with pytest.raises(KeyboardInterrupt):
            model.fit(*second)
    assert len(calls) == n_calls
    np.testing.assert_array_equal(output(model, first[0]), before)
    assert saved(model, tmp_path / "after.safetensors") == file
    model.fit(*second)
    assert saved(model, tmp_path / "other.safetensors") != file
