"""`SoftInfoNCEClassifier`: scikit-learn's own checks, planted classes, calibration, files."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from cellgraph_clr._core.errors import LabelKeyError, OptionError, ShapeError
from cellgraph_clr.metrics import expected_calibration_error
from cellgraph_clr.models import SoftInfoNCEClassifier


@parametrize_with_checks([SoftInfoNCEClassifier(n_steps=60, calibrate=False)])
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    return make_classification(600, 12, n_informative=6, n_classes=4, class_sep=1.2, flip_y=0.1, random_state=0)


@pytest.mark.parametrize("loss", ["soft_infonce", "infonce", "soft_cross_entropy", "cross_entropy"])
@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_learns_as_well_as_logistic_regression(data, head, loss):
    x, y = data
    reference = cross_val_score(LogisticRegression(max_iter=1000), x, y, cv=3).mean()
    model = SoftInfoNCEClassifier(head=head, loss=loss, calibrate=False)
    assert cross_val_score(model, x, y, cv=3).mean() > reference - 0.03


def test_calibration_lowers_the_error_of_confidence(data):
    x, y = data
    train = np.arange(600) < 300
    raw = SoftInfoNCEClassifier(smoothing=0.4, calibrate=False).fit(x[train], y[train])
    scaled = clone(raw).set_params(calibrate=True).fit(x[train], y[train])
    errors = [expected_calibration_error(m.predict_proba(x[~train]), y[~train]) for m in (raw, scaled)]
    assert errors[1] < errors[0]
    np.testing.assert_array_equal(raw.predict(x), scaled.predict(x))


@pytest.mark.parametrize(
    ("name", "value"),
    [("head", "mlp"), ("loss", "soft_cross_entropy"), ("smoothing", 0.3), ("mixup", 0.5), ("class_weight", "balanced"), ("temperature", 2.0),
     ("calibrate", True), ("n_steps", 21), ("batch_size", 50), ("learning_rate", 0.1), ("weight_decay", 1.0),
     ("random_state", 7)],
)  # fmt: skip
def test_each_option_changes_the_output(data, name, value):
    x, y = data
    base = SoftInfoNCEClassifier(n_steps=20, calibrate=False, batch_size=100)
    changed = clone(base).set_params(**{name: value})
    assert not np.allclose(base.fit(x, y).predict_proba(x), changed.fit(x, y).predict_proba(x))


def test_saved_and_loaded_it_is_the_same(data, tmp_path):
    x, y = data
    model = SoftInfoNCEClassifier(n_steps=20).fit(x, np.array(["a", "b", "c", "d"])[y])
    model.save(tmp_path / "c.safetensors")
    back = SoftInfoNCEClassifier.load(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(back.predict_proba(x), model.predict_proba(x))
    np.testing.assert_array_equal(back.predict(x), model.predict(x))


def test_bad_input_is_named(data):
    x, y = data
    with pytest.raises(LabelKeyError, match="at least two classes, found one class"):
        SoftInfoNCEClassifier().fit(x, np.zeros(600))
    with pytest.raises(OptionError, match="'linear', 'mlp', found 'forest'"):
        SoftInfoNCEClassifier(head="forest").fit(x, y)
    with pytest.raises(ValueError, match="NaN"):
        SoftInfoNCEClassifier().fit(np.where(x > 2, np.nan, x), y)


def test_a_constant_feature_carries_nothing(data):
    x, y = data
    x = np.column_stack([x, np.full(len(x), 0.1)])
    model = SoftInfoNCEClassifier(n_steps=20, calibrate=False, random_state=None).fit(x, y)
    moved = x.copy()
    moved[:, -1] += 1e-4
    np.testing.assert_allclose(model.predict_proba(moved), model.predict_proba(x), atol=1e-3)


def test_hard_losses_know_no_smoothing(data):
    x, y = data
    for loss, soft in (("infonce", "soft_infonce"), ("cross_entropy", "soft_cross_entropy")):
        hard = SoftInfoNCEClassifier(loss=loss, n_steps=20, calibrate=False, smoothing=0.5).fit(x, y).predict_proba(x)
        bare = SoftInfoNCEClassifier(loss=soft, n_steps=20, calibrate=False, smoothing=0.0).fit(x, y).predict_proba(x)
        np.testing.assert_array_equal(hard, bare)


def test_given_targets_are_learned_from(data):
    x, y = data
    even = np.full((600, 4), 0.25)
    flat = SoftInfoNCEClassifier(loss="soft_cross_entropy", calibrate=False).fit(x, y, targets=even).predict_proba(x)
    np.testing.assert_allclose(flat, 0.25, atol=0.02)
    with pytest.raises(ShapeError, match=r"`targets` of shape \(600, 4\), found \(600, 3\)"):
        SoftInfoNCEClassifier().fit(x, y, targets=even[:, :3])
    with pytest.raises(OptionError, match="rows sum to 1"):
        SoftInfoNCEClassifier().fit(x, y, targets=even * 2)
    with pytest.raises(OptionError, match="a soft loss for `targets`, found infonce"):
        SoftInfoNCEClassifier(loss="infonce").fit(x, y, targets=even)


def test_balanced_weights_lift_the_rare_class():
    x, y = make_classification(900, 8, n_informative=4, weights=[0.93, 0.07], class_sep=0.7, flip_y=0, random_state=1)
    recall = {}
    for weight in (None, "balanced"):
        model = SoftInfoNCEClassifier(class_weight=weight, calibrate=False, smoothing=0).fit(x, y)
        recall[weight] = (model.predict(x)[y == 1] == 1).mean()
    assert recall["balanced"] > recall[None] + 0.1


def test_generators_and_weights_survive_files(data, tmp_path):
    x, y = data
    weights = {0: 1.0, 1: 2.0, 2: 1.0, 3: 4.0}
    model = SoftInfoNCEClassifier(random_state=np.random.default_rng(3), class_weight=weights, n_steps=5).fit(x, y)
    model.save(tmp_path / "m.safetensors")
    back = SoftInfoNCEClassifier.load(tmp_path / "m.safetensors")
    assert back.class_weight == weights
    np.testing.assert_array_equal(back.predict_proba(x), model.predict_proba(x))
    back.fit(x, y)


def test_few_labels_told_apart_leave_doubt(rng):
    x = rng.normal(size=(40, 3)) + 8 * np.eye(3)[np.arange(40) % 3]
    proba = SoftInfoNCEClassifier(n_steps=60).fit(x, np.arange(40) % 3).predict_proba(x)
    assert 0.9 < proba.max(axis=1).mean() < 0.985


def test_options_changed_after_a_fit_leave_it_as_it_is(data, tmp_path):
    x, y = data
    model = SoftInfoNCEClassifier(n_steps=20, calibrate=False).fit(x, y)
    before = model.predict_proba(x)
    model.set_params(head="mlp", temperature=3.0)
    np.testing.assert_array_equal(model.predict_proba(x), before)
    model.save(tmp_path / "m.safetensors")
    again = SoftInfoNCEClassifier.load(tmp_path / "m.safetensors")
    assert (again.head, again.temperature) == ("linear", 1.0)
    np.testing.assert_array_equal(again.predict_proba(x), before)
    assert not np.allclose(model.fit(x, y).predict_proba(x), before)


def test_weights_of_classes_are_checked_and_weigh(data):
    x, y = data
    quick = SoftInfoNCEClassifier(n_steps=20, calibrate=False)
    share = [
        clone(quick).set_params(class_weight=w).fit(x, y).predict_proba(x)[:, 1].mean() for w in ({1: 0.1}, {1: 10.0})
    ]
    assert share[0] < share[1]
    for wrong, message in [({7: 1.0}, r"classes of y in `class_weight`, found 7"), ({1: -1.0}, r"class_weight\[1\]"), ({1: "a"}, r"class_weight\[1\]")]:  # fmt: skip
        with pytest.raises(OptionError, match=message):
            clone(quick).set_params(class_weight=wrong).fit(x, y)


def test_a_module_is_a_head_of_which_each_run_has_a_copy(data):
    x, y = data
    head = torch.nn.Linear(12, 4)
    before = head.weight.detach().clone()
    model = SoftInfoNCEClassifier(head=head, n_steps=20, calibrate=False).fit(x, y)
    assert torch.equal(head.weight, before)
    assert not torch.equal(model.network("head").weight, before)
