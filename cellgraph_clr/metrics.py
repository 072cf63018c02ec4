"""Figures of merit on arrays, each with its chance level: retrieval, partner rank, linear probes, calibration."""

from cellgraph_clr.analysis.calibration import Reliability, expected_calibration_error, fit_temperature, reliability
from cellgraph_clr.analysis.scores import average_precision, mask_retrieval, partner_rank, probe_accuracy

__all__ = [
    "Reliability",
    "average_precision",
    "expected_calibration_error",
    "fit_temperature",
    "mask_retrieval",
    "partner_rank",
    "probe_accuracy",
    "reliability",
]
