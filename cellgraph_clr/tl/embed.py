"""Learned embeddings, and features beside those of the neighbours."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellgraph_clr._core.checks import check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr.graphs.layout import adjacency_of, record_run
from cellgraph_clr.tl.common import representation

if TYPE_CHECKING:
    import os

    from anndata import AnnData

    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr.models.cellgraph_clr import CellGraphCLR

__all__ = ["embed", "morpho_context"]


def embed(
    adata: AnnData,
    *,
    objective: str = "infonce_p",
    positives: str | tuple[str, ...] = "both",
    n_positives: int = 5,
    use_rep: str | None = None,
    neighbors_key: str = "spatial",
    library_key: str | None = None,
    model: CellGraphCLR | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    key_added: str = "X_cellgraph",
    random_state: RandomState = 0,
    device: str = "auto",
    progress: bool | None = None,
    copy: bool = False,
    **config: Any,
) -> AnnData | None:
    """Learn an embedding of cells from features and graph, without labels.

    Parameters
    ----------
    adata : features in `X` (or `use_rep`) and a spatial graph. Features are standardised inside; positions are not used.
    objective : "infonce_p", "infonce", "nt_xent", "composite_infonce", "supcon", "supcon_in", "mil_nce" or "vicreg".
    positives : "neighbors", "views", "both", an `obs` column (cells of one class), an `obsp` key (any relation), or a tuple
        of these.
    n_positives : positives per anchor.
    use_rep, neighbors_key, library_key : where features, graph and samples are.
    model : a fitted `CellGraphCLR` to apply instead of training one; the training options must then be left alone.
    checkpoint : file that training is saved to and goes on from when it exists.
    key_added : `obsm` key of the embedding (n, n_dims) float32; provenance and the figures of the last step go to
        `uns["cellgraph_clr"]["runs"][key_added]`.
    random_state, device, progress : as in `CellGraphCLR`; a given `model` has its own.
    copy : return a new AnnData.
    **config : further fields of `CellGraphCLRConfig` (n_steps, n_dims, n_layers, encoder, temperature, …), and `precision` and
        `n_processes` of `CellGraphCLR`.

    Raises
    ------
    NoGraphError, MissingKeyError, NonFiniteError, NoCellsError, OptionError, LabelKeyError, ModelFileError
        As `CellGraphCLR.fit` and `.transform`.
    """
    from cellgraph_clr.models.cellgraph_clr import CellGraphCLR

    adata = adata.copy() if copy else adata
    keys: dict[str, Any] = {"use_rep": use_rep, "neighbors_key": neighbors_key, "library_key": library_key}
    if model is None:
        model = CellGraphCLR(
            objective=objective,
            positives=positives,
            n_positives=n_positives,
            random_state=random_state,
            device=device,
            progress=progress,
            **config,
        )
        model.fit(adata, checkpoint=checkpoint, **keys)
    else:
        defaults = {"objective": "infonce_p", "positives": "both", "n_positives": 5}
        given = {"objective": objective, "positives": positives, "n_positives": n_positives}
        changed = sorted([*config, *(k for k, v in given.items() if v != defaults[k])])
        changed += [n for n, v, d in (("checkpoint", checkpoint, None), ("device", device, "auto")) if v != d]
        if changed:
            raise OptionError(expected("no training options beside `model`", changed, "Set them when fitting."))
    adata.obsm[key_added] = model.transform(adata, **keys)
    last = {k: v[-1] for k, v in model.history_.items() if v}
    run = {"function": "tl.embed", "config": asdict(model.config), "seed": model.seed_, **keys}
    record_run(adata, key_added, {**run, "features": model.feature_names_, "last_step": last})
    log_written("tl.embed", [f"obsm[{key_added!r}]"])
    return adata if copy else None


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
    adata : with a spatial graph; the published form uses the contact graph.
    use_rep : `obsm` key of the features; None is `X`.
    mode : "concat" sets own features beside the neighbours' mean; "mean" averages a cell together with its neighbours.
    n_hops : neighbours up to this many steps away, all weighted alike (1: direct neighbours, or by `weights`).
    weights : as in `gr.aggregate_neighbors`; direct neighbours only.
    n_features : agglomerate the result to this many columns (the published form has 200); None keeps all.
    neighbors_key : the graph.
    key_added : `obsm` key of the result, float32.
    copy : return a new AnnData.

    Raises
    ------
    NoGraphError, MissingKeyError, NonFiniteError, OptionError
        For missing parts, NaN, wrong options.

    Notes
    -----
    Cells without neighbours have a neighbour mean of zero ("concat") or their own features ("mean").
    Source: Zinchenko et al. 2023, MorphoContextFeatures; both readings of their text are offered.
    """
    from scipy.sparse import eye

    from cellgraph_clr.graphs.neighbors import hop_relation, row_normalised

    check_option("mode", mode, ("concat", "mean"))
    check_whole("n_hops", n_hops)
    if weights is not None and n_hops > 1:
        raise OptionError(expected("`weights` with n_hops = 1", n_hops, "Leave `weights` out for several hops."))
    adata = adata.copy() if copy else adata
    values, _ = representation(adata, use_rep or "X")
    adjacency = adjacency_of(adata, neighbors_key, weights)
    if n_hops > 1:
        adjacency = hop_relation(adjacency, n_hops)
    if mode == "concat":
        out = np.concatenate([values, row_normalised(adjacency) @ values], axis=1)
    else:
        own = eye(adata.n_obs, format="csr", dtype=np.float32)
        scale = float(adjacency.data.mean()) if adjacency.nnz else 1.0  # a cell weighs as much as a mean neighbour
        out = row_normalised((adjacency + scale * own).tocsr()) @ values
    if n_features is not None:
        check_whole("n_features", n_features, high=out.shape[1])
        from sklearn.cluster import FeatureAgglomeration

        out = FeatureAgglomeration(n_clusters=n_features).fit_transform(out)
    adata.obsm[key_added] = np.ascontiguousarray(out, np.float32)
    run = {"function": "tl.morpho_context", "mode": mode, "n_hops": n_hops, "weights": weights, "use_rep": use_rep}
    record_run(adata, key_added, {**run, "n_features": n_features, "neighbors_key": neighbors_key})
    log_written("tl.morpho_context", [f"obsm[{key_added!r}]"])
    return adata if copy else None
