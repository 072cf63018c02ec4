"""Preparation on AnnData: features on one scale, splits; follows scanpy (`copy=True` returns a new AnnData)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.sparse import issparse

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, check_in_range, check_key_added, check_option, expected
from cellgraph_clr._core.errors import NoCellsError, OptionError
from cellgraph_clr._core.hints import named
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.numbers import as_numbers
from cellgraph_clr._core.rng import RandomState, as_rng
from cellgraph_clr.adata.copies import check_in_memory, own_or_copy
from cellgraph_clr.adata.keys import RAW_LAYER
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.reading import adjacency_of, read_numbers
from cellgraph_clr.adata.samples import sample_of
from cellgraph_clr.adata.scaled import keep_raw, measured

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["scale_features", "split"]


def __dir__() -> list[str]:
    """Return what is public."""
    return __all__


__getattr__ = named("cgc.pp", __all__)


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


@checked
def scale_features(
    adata: AnnData,
    *,
    method: Literal["zscore", "robust", "quantile"] = "quantile",
    impute: Literal["median"] | None = None,
    clip: float | None = 3.0,
    library_key: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Bring features to one scale; those measured are kept in `layers["cellgraph_raw"]`.

    Called again, it starts from this layer. Features of `X` that were changed in between start from their new values, which
    replace those in the layer. Other layers ("raw", "counts", …) are neither read nor written.

    Parameters
    ----------
    adata : AnnData
        Features in `X`, dense or sparse.
    method : {"zscore", "robust", "quantile"}, default "quantile"
        "quantile" maps ranks to a standard normal (morphology features have long tails), "zscore" subtracts mean and
        divides by standard deviation, "robust" uses median and interquartile range.
    impute : {"median"} or None, default None
        "median" fills NaN with the median of the feature (0 for a feature without any value); None refuses them.
    clip : float or None, default 3.0
        Values beyond this many units are cut; None keeps them.
    library_key : str or None, default None
        Scale every sample of this `obs` column by itself; None scales all cells together.
    copy : bool, default False
        Return a new AnnData.

    Returns
    -------
    AnnData or None
        None, or the new AnnData. `X` is float32 and dense, computed in float64; constant features become 0. The layer
        is what `X` was, of the same dtype. `uns["cellgraph_clr"]["scaled"]` tells what was written.

    Raises
    ------
    NonFiniteError
        If features hold NaN (counted per feature) and `impute` is None, or infinity.
    MissingKeyError, NoCellsError, OptionError
        For missing features, no cells, or wrong options.
    CellGraphError
        For features that are no numbers, an AnnData backed by a file, or a layer "cellgraph_raw" that is not from here.

    Notes
    -----
    Changes of `X` are noticed among the same cells, in any order and for any choice of features. Of a selection of cells the
    measured features are scaled anew, whatever `X` holds. O(n f log n) for "quantile" and "robust", O(n f) for "zscore".

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.pp.scale_features(adata)
    >>> round(float(abs(adata.X).max()), 3) <= 3.0, "cellgraph_raw" in adata.layers
    (True, True)
    """
    check_option("method", method, METHODS)
    check_option("impute", impute, (None, "median"))
    if clip is not None:
        check_in_range("clip", clip, low=0, low_open=True)
    adata = own_or_copy(adata, copy=copy)
    if adata.n_obs == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    check_in_memory(adata)
    dense, info = read_numbers(adata, None)
    raw = measured(adata)
    if raw is not adata.X:
        dense = as_numbers(raw.toarray() if issparse(raw) else raw, f"layers[{RAW_LAYER!r}]")
    values = dense.astype(np.float64)
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
    keep_raw(adata, raw, out.astype(np.float32))
    log_written("pp.scale_features", ["X", f"layers[{RAW_LAYER!r}]"])
    return adata if copy else None


@checked
def split(
    adata: AnnData,
    *,
    by: Literal["library", "block", "cell"] = "block",
    test_size: float = 0.25,
    label_key: str | None = None,
    n_blocks: int = 16,
    buffer_hops: int = 1,
    library_key: str | None = None,
    neighbors_key: str = "spatial",
    key_added: str = "split",
    random_state: RandomState = 0,
    copy: bool = False,
) -> AnnData | None:
    """Divide cells into training and test so that nothing leaks from one to the other.

    Parameters
    ----------
    adata : AnnData
        Cells; for "block" with positions and a spatial graph.
    by : {"library", "block", "cell"}, default "block"
        "library": whole samples are held out. "block": blocks of the tissue are held out, and cells within
        `buffer_hops` of them on the graph are in neither part. "cell": single cells, a share of every class; neighbours
        are then on both sides, and figures of models that see the graph are too good.
    test_size : float, default 0.25
        Share of cells held out.
    label_key : str or None, default None
        `obs` column whose classes are divided alike ("cell" only).
    n_blocks : int, default 16
        Blocks of about equal size per sample ("block"; nothing to the others).
    buffer_hops : int, default 1
        At least the number of hops that the model sees ("block"; nothing to the others).
    library_key : str or None, default None
        `obs` column of samples; None takes `obs["library_id"]`, else the column that the graph "spatial" was made with.
    neighbors_key : str, default "spatial"
        The graph.
    key_added : str, default "split"
        `obs` column: "train", "test" and, for blocks, "buffer".
    random_state : int, numpy.random.Generator or None, default 0
        Seed.
    copy : bool, default False
        Return a new AnnData.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    OptionError
        For a wrong option, `label_key` with another kind of split than "cell", or a single sample to split by library.
    MissingKeyError, NoGraphError, LabelKeyError, NoCellsError
        For missing parts, or no cells.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> cgc.pp.split(adata, by="block", n_blocks=6)
    >>> sorted(adata.obs["split"].unique())
    ['buffer', 'test', 'train']
    """
    import pandas as pd

    from cellgraph_clr.analysis import splits

    check_key_added(key_added, "obs")
    check_option("by", by, ("library", "block", "cell"))
    if label_key is not None and by != "cell":
        raise OptionError(expected("`label_key` with by='cell'", f"by={by!r}", "Leave `label_key` out."))
    adata = own_or_copy(adata, copy=copy)
    if adata.n_obs == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    rng = as_rng(random_state)
    samples = sample_of(adata, library_key)
    if by == "library":
        part = splits.split_groups(samples, test_size, rng)
    elif by == "cell":
        codes = label_codes(adata, label_key)[0] if label_key is not None else np.zeros(adata.n_obs, int)
        part = splits.split_cells(codes, test_size, rng)
    else:
        position, adjacency = position_of(adata), adjacency_of(adata, neighbors_key)
        part = np.zeros(adata.n_obs, np.int8)
        for name in np.unique(samples):
            rows = np.flatnonzero(samples == name)
            part[rows] = splits.split_blocks(
                position[rows],
                adjacency[rows][:, rows],
                test_size=test_size,
                n_blocks=n_blocks,
                buffer_hops=buffer_hops,
                rng=rng,
            )
    names = ["train", "test", "buffer"]
    adata.obs[key_added] = pd.Categorical.from_codes(part, names if by == "block" else names[:2])
    log_written("pp.split", [f"obs[{key_added!r}]"])
    return adata if copy else None
