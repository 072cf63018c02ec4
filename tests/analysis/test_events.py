"""Scores of events against scikit-learn, errors by time, maxima."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from cellgraph_clr.analysis.events import brier_skill, errors_over_time, event_scores, local_maxima


def test_scores_are_those_of_scikit_learn(rng):
    codes = rng.integers(3, size=200)
    proba = rng.dirichlet(np.ones(3), 200) + np.eye(3)[codes] * 0.4
    proba /= proba.sum(axis=1, keepdims=True)
    table = event_scores(proba, codes, ["none", "division", "death"])
    precision, recall, f1, count = precision_recall_fscore_support(codes, proba.argmax(axis=1))
    np.testing.assert_allclose(table["precision"], precision)
    np.testing.assert_allclose(table["recall"], recall)
    np.testing.assert_allclose(table["f1"], f1)
    np.testing.assert_allclose(table["share"], count / 200)
    for k, name in enumerate(table.index):
        expected = average_precision_score(codes == k, proba[:, k])
        assert table.loc[name, "average_precision"] == pytest.approx(expected)


def test_a_class_that_never_occurs_has_no_score():
    table = event_scores(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 0]), ["none", "death"])
    assert table.loc["none", "f1"] == 1
    assert np.isnan(table.loc["death", ["precision", "recall", "average_precision"]].to_numpy(float)).all()


def test_brier_skill():
    codes = np.array([0, 0, 0, 1])
    assert brier_skill(np.eye(2)[codes], codes) == 1
    assert brier_skill(np.tile([0.75, 0.25], (4, 1)), codes) == pytest.approx(0)
    assert np.isnan(brier_skill(np.zeros((0, 2)), codes[:0]))


def test_errors_are_counted_by_frame():
    table = errors_over_time(
        np.array([3, 3, 5, 5]), np.array([True, False, True, False]), np.array([True, True, False, False])
    )
    assert table.loc[3].tolist() == [1, 1, 1, 0]
    assert table.loc[5].tolist() == [1, 0, 0, 1]
    assert len(errors_over_time(np.zeros(0, int), np.zeros(0, bool), np.zeros(0, bool))) == 0


def test_one_event_seen_from_many_places_counts_once():
    frame = np.array([0, 0, 1, 2, 0])
    at = np.array([[0, 0], [3, 0], [0, 0], [0, 0], [50, 50]], float)
    score = np.array([0.8, 0.9, 0.7, 0.6, 0.5])
    assert local_maxima(frame, at, score, reach=10).tolist() == [1, 3, 4]
    assert len(local_maxima(frame[:0], at[:0], score[:0], reach=1)) == 0


def test_a_single_place_is_a_maximum():
    assert local_maxima(np.array([3]), np.zeros((1, 3)), np.array([0.1]), reach=1).tolist() == [0]
