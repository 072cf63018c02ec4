"""Preparation of features on AnnData; follows scanpy (`copy=True` returns a new AnnData)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_in_range, check_option, expected
from cellgraph_clr._core.errors import NoCellsError
from cellgraph_clr._core.log import log_written
from cellgraph_clr.graphs.layout import read_features, sample_of

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["scale_features"]

METHODS = ("zscore", "robust", "quantile")


def _scaled(values: np.ndarray, method: str) -> np.ndarray:
    if method == "quantile":
        from sklearn.preprocessing import QuantileTransformer

        n = min(1000, len(values))
        out = QuantileTransformer(output_distribution="normal", n_quantiles=n, subsample=None).fit_transform(values)
        return np.where(np.ptp(values, axis=0) > 0, out, 0.0)
    if method == "robust":
        centre = np.median(values, axis=0)
        spread = (np.quantile(values, 0.75, axis=0) - np.quantile(values, 0.25, axis=0)) / 1.349
    else:
        centre, spread = values.mean(axis=0), values.std(axis=0)
    return (values - centre) / np.where(spread > 0, spread, 1)


def scale_features(
    adata: AnnData,
    *,
    method: Literal["zscore", "robust", "quantile"] = "quantile",
    impute: Literal["median"] | None = None,
    clip: float | None = 3.0,
    library_key: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Bring features to one scale; the raw ones go to `layers["raw"]`, and are scaled anew when they are there.

    Parameters
    ----------
    adata : features in `X`.
    method : "quantile" maps ranks to a standard normal (morphology features have long tails), "zscore" subtracts mean and
        divides by standard deviation, "robust" uses median and interquartile range.
    impute : "median" fills NaN with the median of the feature (0 for a feature without any value); None refuses them.
    clip : values beyond this many units are cut; None keeps them.
    library_key : scale every sample of this `obs` column by itself; None scales all cells together.
    copy : return a new AnnData.

    Returns
    -------
    None, or the new AnnData. `X` is float32; constant features become 0.

    Raises
    ------
    NonFiniteError
        If features hold NaN (counted per feature) and `impute` is None, or infinity.
    MissingKeyError, NoCellsError, OptionError
        For missing features, no cells, or wrong options.
    """
    check_option("method", method, METHODS)
    check_option("impute", impute, (None, "median"))
    if clip is not None:
        check_in_range("clip", clip, low=0, low_open=True)
    adata = adata.copy() if copy else adata
    if adata.n_obs == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    raw, info = read_features(adata, None)
    if "raw" in adata.layers:  # scaled before: start again from what was measured
        raw = np.asarray(adata.layers["raw"], np.float32)
    values = raw.astype(np.float64)
    if impute == "median":
        missing = np.isnan(values)
        for j in np.flatnonzero(missing.any(axis=0)):
            seen = values[~missing[:, j], j]
            values[missing[:, j], j] = np.median(seen) if len(seen) else 0.0
    remedy = "Pass `impute='median'` or drop these cells."
    check_finite(values, what="features", names=[i.name for i in info], remedy=remedy)
    samples = sample_of(adata, library_key) if library_key is not None else np.zeros(len(values), int)
    out = np.zeros_like(values)
    for name in np.unique(samples):
        rows = samples == name
        out[rows] = _scaled(values[rows], method)
    if clip is not None:
        out = out.clip(-clip, clip)
    adata.layers["raw"] = raw
    adata.X = out.astype(np.float32)
    log_written("pp.scale_features", ["X", "layers['raw']"])
    return adata if copy else None
