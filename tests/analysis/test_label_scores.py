"""Scores against scikit-learn and counting by hand, and chance where it is known."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from cellgraph_clr._core.errors import NoCellsError, ShapeError
from cellgraph_clr.analysis.calibration import classwise_calibration_error, risk_coverage
from cellgraph_clr.analysis.label_scores import (
    Score,
    classification_scores,
    clustering_scores,
    neighborhood_purity,
    precision_at_k,
    silhouette,
)


def test_classification_against_sklearn(rng):
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    codes = rng.choice(4, 400, p=[0.6, 0.2, 0.1, 0.1])
    proba = rng.dirichlet(np.ones(5), 400) + 0.7 * np.eye(5)[codes]
    proba /= proba.sum(1, keepdims=True)
    scores = classification_scores(proba, codes)
    best = proba.argmax(1)
    assert scores["accuracy"].value == (best == codes).mean()
    recall = [(best[codes == c] == c).mean() for c in range(4)]
    assert scores["balanced_accuracy"].value == pytest.approx(np.mean(recall))
    assert scores["balanced_accuracy"].chance == 0.25
    four = proba[:, :4] / proba[:, :4].sum(1, keepdims=True)
    with np.errstate(all="ignore"):
        assert balanced_accuracy_score(codes, four.argmax(1)) > 0.5
    auc = np.mean([roc_auc_score(codes == c, proba[:, c]) for c in range(4)])
    assert scores["macro_auc"].value == pytest.approx(auc)
    assert scores["accuracy"].chance == np.bincount(codes).max() / 400


def test_the_chance_of_ece_is_what_a_calibrated_model_reads(rng):
    proba = rng.dirichlet(np.ones(3), 600)
    codes = np.array([rng.choice(3, p=p) for p in proba])
    ece = classification_scores(proba, codes)["ece"]
    assert ece.value == pytest.approx(ece.chance, abs=0.02)
    assert classification_scores(proba, (codes + 1) % 3)["ece"].value > 5 * ece.chance
    with pytest.raises(ShapeError, match="classes 0 to 2, found 0 to 3"):
        classification_scores(proba, codes + (np.arange(600) == 0) * (3 - codes))
    with pytest.raises(NoCellsError):
        classification_scores(proba[:0], codes[:0])


def test_clusterings_and_silhouettes_have_their_chance(rng):
    truth = np.repeat([0, 1, 2], 50)
    perfect = clustering_scores(truth + 5, truth)
    assert perfect["ari"] == Score(1, 0)
    assert perfect["nmi"].value == pytest.approx(1)
    assert perfect["nmi"].chance < 0.1
    vectors = np.eye(3)[truth] * 5 + rng.normal(size=(150, 3)) * 0.2
    assert silhouette(vectors, truth).value > 0.8
    assert abs(silhouette(vectors, truth).chance) < 0.1


def test_purity_counts_neighbours():
    edges = csr_matrix(np.array([[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]))
    purity = neighborhood_purity(edges, np.array(["a", "a", "b", "a"]))
    assert purity.value == pytest.approx((0.5 + 1 + 0) / 3)
    assert purity.chance == pytest.approx(3 * 2 / (4 * 3))
    assert neighborhood_purity(csr_matrix((4, 4)), np.zeros(4)).value == 0


def test_precision_at_k_counts_the_best():
    score = precision_at_k(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1]), 2)
    assert score == Score(0.5, 0.5)
    assert str(score) == "0.500 (chance 0.500)"


def test_risk_falls_with_coverage_where_confidence_tells():
    coverage, risk, area = risk_coverage(np.array([0.9, 0.5, 0.9, 0.1]), np.array([True, False, True, False]))
    np.testing.assert_allclose(coverage, [0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 1 / 3, 0.5])
    assert area == pytest.approx((0 * 2 + 1 / 3 + 1 / 2) / 4)
    assert risk_coverage(np.zeros(0), np.zeros(0, bool))[2] == 0


def test_classwise_errors_are_per_class():
    proba = np.array([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.8, 0.2]])
    np.testing.assert_allclose(classwise_calibration_error(proba, np.array([0, 0, 1, 1])), [0.3, 0.3])
