"""Learned shape and texture of cells, and features beside those of the neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import MOST_HOPS, check_key_added, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.options import shows
from cellgraph_clr._core.outputs import check_output
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.images_of_cells import rows_of_labels
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.reading import adjacency_of, check_edges, representation
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.models.morpho.config import MorphoFeaturesConfig
from cellgraph_clr.tl.common import check_model_alone, trained_with
from cellgraph_clr.training.runtime import Runtime

if TYPE_CHECKING:
    import os

    from anndata import AnnData

    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.models.morpho.model import MorphoFeatures

__all__ = ["morpho_context", "morpho_features"]


@shows(MorphoFeaturesConfig, Runtime, without=("n_processes",))
@checked
def morpho_features(
    adata: AnnData,
    labels: LabelImage | np.ndarray | str | os.PathLike[str],
    image: np.ndarray | str | os.PathLike[str] | None = None,
    nuclei: LabelImage | np.ndarray | None = None,
    *,
    library_id: str | None = None,
    model: MorphoFeatures | None = None,
    key_added: str = "X_morpho",
    checkpoint: str | os.PathLike[str] | None = None,
    random_state: RandomState = 0,
    device: str = "auto",
    progress: bool | None = None,
    copy: bool = False,
    **config: Any,
) -> AnnData | None:
    """Learn shape and texture of the cells of a label image, without labels of their kind, and write them beside the cells.

    Parameters
    ----------
    adata : AnnData
        Cells of these labels, matched by `obs["cell_id"]`.
    labels : LabelImage or numpy.ndarray or str or path-like
        As in `from_labels` and `MorphoFeatures.fit`.
    image : numpy.ndarray or str or path-like or None, default None
        As in `from_labels` and `MorphoFeatures.fit`.
    nuclei : LabelImage or numpy.ndarray or None, default None
        As in `from_labels` and `MorphoFeatures.fit`.
    library_id : str or None, default None
        The sample of `adata` that the labels are of; needed when it holds several. Cells of others keep what they have.
    model : MorphoFeatures or None, default None
        A fitted `MorphoFeatures` to apply instead of training one; further options must then be left alone.
    key_added : str, default "X_morpho"
        `obsm` key, a DataFrame with columns "cell_shape_0", …; NaN for cells that are not in the labels, and in the
        groups of nuclei for cells without one. Groups left out are named in `uns["cellgraph_clr"]["runs"][key_added]`.
    checkpoint : str or path-like or None, default None
        Folder that runs are saved to and go on from, one file a group.
    random_state : int, numpy.random.Generator or None, default 0
        Of `MorphoFeatures`.
    device : str, default "auto"
        Of `MorphoFeatures`.
    progress : bool or None, default None
        Of `MorphoFeatures`.
    copy : bool, default False
        Return a new AnnData.
    **config : object
        Of `MorphoFeatures`.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    MissingKeyError, OptionError, LabelImageError, NoCellsError, ShapeError
        If no cell of `adata` is in the labels, several samples are not told apart, options are wrong, and as
        `MorphoFeatures.fit` and `MorphoFeatures.transform`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cells = cgc.datasets.shapes(12, random_state=0).image
    >>> adata = cgc.from_labels(cells)
    >>> cgc.tl.morpho_features(adata, cells, kinds=("shape",), n_steps=2, n_features=4, n_points=64, progress=False)
    >>> adata.obsm["X_morpho"].shape
    (12, 4)
    """
    import pandas as pd

    from cellgraph_clr.io.labels import as_label_image
    from cellgraph_clr.io.matched_labels import labels_of_cells
    from cellgraph_clr.models.morpho.model import MorphoFeatures

    check_key_added(key_added, "obsm")
    if model is not None:
        check_model_alone([*config, *trained_with(checkpoint, device)])
    if checkpoint is not None:
        check_output(checkpoint, "folder")
    adata = own_or_copy(adata, copy=copy)
    group, picture = labels_of_cells(adata, labels, image, library_id=library_id)
    nuclei = None if nuclei is None else as_label_image(nuclei, warn=False).labels
    if model is None:
        model = MorphoFeatures(random_state=random_state, device=device, progress=progress, **config)
        model.fit(picture, nuclei=nuclei, checkpoint=checkpoint)
    found = model.transform(picture, nuclei=nuclei)
    rows = rows_of_labels(adata, found.index.to_numpy(), group)
    old = adata.obsm.get(key_added)
    table = pd.DataFrame(np.nan, index=adata.obs_names, columns=found.columns, dtype=np.float32)
    if isinstance(old, pd.DataFrame) and list(old.columns) == list(found.columns):
        table = old.copy()
    table.iloc[rows] = found.loc[cell_ids(adata)[rows]].to_numpy()
    run = {"function": "tl.morpho_features", "config": model.options, "seed": model.seed_}
    run |= {"groups": model.groups_, "missing": model.missing_}
    adata.obsm[key_added] = table
    record_run(adata, key_added, run)
    log_written("tl.morpho_features", [f"obsm[{key_added!r}]"])
    return adata if copy else None


@checked
def morpho_context(
    adata: AnnData,
    *,
    use_rep: str | None = "X_morpho",
    mode: Literal["concat", "mean"] = "concat",
    n_hops: int = 1,
    weights: str | None = None,
    n_features: int | None = None,
    neighbors_key: str = "spatial",
    key_added: str = "X_morphocontext",
    copy: bool = False,
) -> AnnData | None:
    """Describe cells by their own features and those of their neighbours (MorphoContextFeatures).

    Parameters
    ----------
    adata : AnnData
        With a spatial graph; the published form uses the contact graph.
    use_rep : str or None, default "X_morpho"
        `obsm` key of the features; None is `X`.
    mode : {"concat", "mean"}, default "concat"
        "concat" sets own features beside the neighbours' mean; "mean" averages a cell together with its neighbours.
    n_hops : int, default 1
        Neighbours up to this many steps away, all weighted alike (1: direct neighbours, or by `weights`).
    weights : str or None, default None
        As in `gr.aggregate_neighbors`; direct neighbours only.
    n_features : int or None, default None
        Agglomerate the result to this many columns (the published form has 200); None keeps all.
    neighbors_key : str, default "spatial"
        The graph.
    key_added : str, default "X_morphocontext"
        `obsm` key of the result, float32.
    copy : bool, default False
        Return a new AnnData.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    NoGraphError, MissingKeyError, NonFiniteError, OptionError
        For missing parts, NaN, wrong options.

    Notes
    -----
    Cells without neighbours have a neighbour mean of zero ("concat") or their own features ("mean").
    Source: Zinchenko et al. 2023, MorphoContextFeatures; both readings of their text are offered.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> cgc.tl.morpho_context(adata, use_rep=None)  # the features in X
    >>> adata.obsm["X_morphocontext"].shape == (adata.n_obs, 2 * adata.n_vars)
    True
    """
    from scipy.sparse import eye

    from cellgraph_clr.graphs.aggregation import row_normalized
    from cellgraph_clr.graphs.neighbors import hop_relation

    check_key_added(key_added, "obsm")
    check_option("mode", mode, ("concat", "mean"))
    check_whole("n_hops", n_hops, high=MOST_HOPS)
    if weights is not None and n_hops > 1:
        raise OptionError(expected("`weights` with n_hops = 1", n_hops, "Leave `weights` out for several hops."))
    adata = own_or_copy(adata, copy=copy)
    values, _ = representation(adata, use_rep or "X")
    adjacency = adjacency_of(adata, neighbors_key, weights)
    check_edges(adjacency.nnz, adata.n_obs, neighbors_key)
    if n_hops > 1:
        adjacency = hop_relation(adjacency, n_hops)
    if mode == "concat":
        out = np.concatenate([values, row_normalized(adjacency) @ values], axis=1)
    else:
        own = eye(adata.n_obs, format="csr", dtype=np.float32)
        scale = float(adjacency.data.mean()) if adjacency.nnz else 1.0  # a cell weighs as much as a mean neighbour
        out = row_normalized((adjacency + scale * own).tocsr()) @ values
    if n_features is not None:
        check_whole("n_features", n_features, high=out.shape[1])
        from sklearn.cluster import FeatureAgglomeration

        out = FeatureAgglomeration(n_clusters=n_features).fit_transform(out)
    adata.obsm[key_added] = np.ascontiguousarray(out, np.float32)
    run = {"function": "tl.morpho_context", "mode": mode, "n_hops": n_hops, "weights": weights, "use_rep": use_rep}
    record_run(adata, key_added, {**run, "n_features": n_features, "neighbors_key": neighbors_key})
    log_written("tl.morpho_context", [f"obsm[{key_added!r}]"])
    return adata if copy else None
