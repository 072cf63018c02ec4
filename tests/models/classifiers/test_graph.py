"""`CellGraphClassifier`: planted niches, fine-tuning, calibration, files, bad input."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr import pp, tl
from cellgraph_clr._core.errors import CellGraphError, LabelKeyError, OptionError
from cellgraph_clr.models import CellGraphClassifier, CellGraphCLR


@pytest.fixture
def labelled(adata):
    pp.scale_features(adata)
    known = np.random.default_rng(0).random(adata.n_obs) < 0.4
    adata.obs["kind"] = pd.Categorical(np.where(known, adata.obs["true_niche"].astype(str), "unassigned"))
    return adata, known


@pytest.fixture
def base(labelled):
    return CellGraphCLR(n_steps=20, n_dims=8, n_hidden=16, progress=False).fit(labelled[0])


def quick(base, **options):
    defaults = {"n_steps": 25, "calibrate": False, "mask_features": 0.1, "drop_edges": 0.1}
    return CellGraphClassifier(base, **{**defaults, **options})


def test_it_learns_niches_and_leaves_the_base_alone(labelled, base):
    adata, known = labelled
    before = base.transform(adata)
    model = quick(base).fit(adata, "kind")
    right = model.predict(adata) == adata.obs["true_niche"].astype(str)
    assert right[~known].mean() > 0.8
    np.testing.assert_allclose(model.predict_proba(adata).sum(1), 1)
    np.testing.assert_array_equal(base.transform(adata), before)
    assert model.history_["loss"][-1] < model.history_["loss"][0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("loss", "cross_entropy"), ("smoothing", 0.4), ("consistency", 5.0), ("mask_features", 0.6), ("drop_edges", 0.7),
     ("n_steps", 26), ("learning_rate", 0.05), ("encoder_rate", 0.5), ("head", "linear"), ("weight_decay", 2.0), ("calibrate", True), ("random_state", 3)],
)  # fmt: skip
def test_each_option_changes_the_output(labelled, base, name, value):
    one, other = (quick(base, **o).fit(labelled[0], "kind") for o in ({}, {name: value}))
    assert not np.allclose(one.predict_proba(labelled[0]), other.predict_proba(labelled[0]))


def test_saved_and_loaded_it_is_the_same(labelled, base, tmp_path):
    model = quick(base, random_state=7).fit(labelled[0], "kind")
    model.save(tmp_path / "m.safetensors")
    back = CellGraphClassifier.load(tmp_path / "m.safetensors")
    assert back.random_state == back.seed_ == 7
    np.testing.assert_array_equal(back.predict_proba(labelled[0]), model.predict_proba(labelled[0]))
    assert back.history_ == model.history_
    assert back.fit(labelled[0], "kind").history_ == model.history_
    with pytest.raises(CellGraphError, match="a fitted model"):
        quick(base).save(tmp_path / "n.safetensors")


def test_classify_fine_tunes_a_given_model(labelled, base):
    adata, known = labelled
    tl.classify(adata, "kind", base=base, n_steps=25, calibrate=False, min_confidence=0.5)
    called = (adata.obs["kind_pred"] != "unassigned").to_numpy()
    right = adata.obs["kind_pred"].astype(str) == adata.obs["true_niche"].astype(str)
    assert right[called & ~known].mean() > 0.8
    with pytest.raises(OptionError, match="no `use_rep` beside `base`"):
        tl.classify(adata, "kind", base=base, use_rep="X")
    with pytest.raises(OptionError, match="'mixup' in `options of tl.classify`"):
        tl.classify(adata, "kind", base=base, mixup=0.3)


def test_bad_input_is_named(labelled, base):
    adata, _ = labelled
    adata.obs["one"] = np.where(np.arange(adata.n_obs) < 5, "a", "unassigned")
    with pytest.raises(LabelKeyError, match="two classes"):
        quick(base).fit(adata, "one")
    with pytest.raises(OptionError, match="`smoothing`"):
        quick(base, smoothing=1.0)
    with pytest.raises(OptionError, match="views that differ, for `consistency`, found no augmentation"):
        CellGraphClassifier(base, consistency=1.0)
    with pytest.raises(CellGraphError, match="a fitted model"):
        quick(CellGraphCLR()).fit(adata, "kind")
