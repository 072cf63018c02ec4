"""Figures of merit on arrays, each with its chance level: classes, calibration, clusters, retrieval, partners, probes."""

from cellgraph_clr._core.hints import named
from cellgraph_clr.analysis.calibration import (
    Reliability,
    classwise_calibration_error,
    expected_calibration_error,
    fit_temperature,
    reliability,
    risk_coverage,
)
from cellgraph_clr.analysis.events import brier_skill, errors_over_time, event_scores
from cellgraph_clr.analysis.label_scores import (
    Score,
    classification_scores,
    clustering_scores,
    neighborhood_purity,
    precision_at_k,
    silhouette,
)
from cellgraph_clr.analysis.phenotypes import assignments, confusion, effect_sizes, reproducibility
from cellgraph_clr.analysis.scores import (
    average_precision,
    bilateral_score,
    mask_retrieval,
    partner_rank,
    probe_accuracy,
)

__all__ = [
    "Reliability",
    "Score",
    "assignments",
    "average_precision",
    "bilateral_score",
    "brier_skill",
    "classification_scores",
    "classwise_calibration_error",
    "clustering_scores",
    "confusion",
    "effect_sizes",
    "errors_over_time",
    "event_scores",
    "expected_calibration_error",
    "fit_temperature",
    "mask_retrieval",
    "neighborhood_purity",
    "partner_rank",
    "precision_at_k",
    "probe_accuracy",
    "reliability",
    "reproducibility",
    "risk_coverage",
    "silhouette",
]


def __dir__() -> list[str]:
    """Return what is public."""
    return __all__


__getattr__ = named("cgc.metrics", __all__)
