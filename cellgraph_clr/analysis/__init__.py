"""Analysis on arrays: scores, calibration, retrieval, regions, clusters. No torch."""
