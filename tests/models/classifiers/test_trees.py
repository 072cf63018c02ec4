"""`CalibratedTrees`: scikit-learn's own checks, few samples of many features, calibration."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.utils.estimator_checks import parametrize_with_checks

from cellgraph_clr._core.errors import CellGraphError, LabelKeyError, OptionError
from cellgraph_clr.metrics import expected_calibration_error
from cellgraph_clr.models import CalibratedTrees, SoftInfoNCEClassifier


@parametrize_with_checks([CalibratedTrees(n_trees=10, calibrate=False, n_jobs=1)])
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    return make_classification(900, 60, n_informative=6, n_classes=4, class_sep=1.5, shuffle=True, random_state=0)


def test_votes_become_honest_probabilities(data):
    x, y = data
    train = np.arange(900) < 300
    raw = CalibratedTrees(n_trees=100, calibrate=False).fit(x[train], y[train])
    scaled = clone(raw).set_params(calibrate=True).fit(x[train], y[train])
    raw_error, error = (expected_calibration_error(m.predict_proba(x[~train]), y[~train]) for m in (raw, scaled))
    assert scaled.calibration_temperature_ < 0.8  # the votes are too timid
    assert error < raw_error / 2
    np.testing.assert_array_equal(raw.predict(x), scaled.predict(x))
    assert (scaled.predict(x[~train]) == y[~train]).mean() > 0.65


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_trees", 12), ("max_features", 1.0), ("calibrate", True), ("random_state", 3)],
)  # fmt: skip
def test_each_option_changes_the_output(data, name, value):
    x, y = data
    base = CalibratedTrees(n_trees=10, calibrate=False)
    changed = clone(base).set_params(**{name: value})
    probabilities = [m.fit(x[:300], y[:300]).predict_proba(x[300:]) for m in (base, changed)]
    assert not np.allclose(*probabilities)
    again = clone(base).set_params(n_jobs=1).fit(x[:300], y[:300]).predict_proba(x[300:])
    np.testing.assert_allclose(again, probabilities[0])


def test_bad_input_is_named(data):
    x, y = data
    with pytest.raises(LabelKeyError, match="at least two classes"):
        CalibratedTrees().fit(x, np.zeros(900, int))
    with pytest.raises(OptionError, match="`max_features`"):
        CalibratedTrees(max_features=2).fit(x, y)


@pytest.mark.parametrize("make", [CalibratedTrees, SoftInfoNCEClassifier])
def test_bad_features_and_labels_are_named(make):
    x, y = np.random.default_rng(0).normal(size=(9, 3)), np.array(list("ababababa"))
    bad = {
        "NaN": (np.full((9, 3), np.nan), y),
        "text": (np.full((9, 3), "a"), y),
        "objects": (np.full((9, 3), object()), y),
        "a dict": ({}, y),
        "None": (x, None),
        "one axis": (x[:, 0], y),
        "fewer": (x[:4], y),
        "complex": (x + 1j, y),
        "numbers": (x, np.linspace(0, 1, 9)),
        "missing": (x, np.where(np.arange(9) > 0, 1.0, np.nan)),
    }
    for name, (features, labels) in bad.items():
        try:
            make().fit(features, labels)
        except CellGraphError:
            continue
        except Exception as error:  # noqa: BLE001 - what must not come
            pytest.fail(f"{name}: {error!r}")
        pytest.fail(name)
