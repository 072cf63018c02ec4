"""Learned embeddings of cells on their graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key_added
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.options import shows
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.models.cell_graph.config import CellGraphCLRConfig
from cellgraph_clr.tl.common import check_model_alone, trained_with
from cellgraph_clr.training.runtime import Runtime

if TYPE_CHECKING:
    import os

    from anndata import AnnData

    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr.models.cell_graph.model import CellGraphCLR

__all__ = ["embed"]


@shows(CellGraphCLRConfig, Runtime)
@checked
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
    adata : AnnData
        Features in `X` (or `use_rep`) and a spatial graph. Features are standardised inside; positions are not used. Long
        tails stay: `pp.scale_features(adata, impute="median")` takes them away, and is what the command
        `cellgraph-clr embed` does first.
    objective : str, default "infonce_p"
        "infonce_p", "infonce", "nt_xent", "composite_infonce", "supcon", "supcon_in", "mil_nce", "vicreg" or "infomax"
        (with `bound`).
    positives : str or tuple of str, default "both"
        "neighbors", "views", "both", an `obs` column (cells of one class), an `obsp` key (any relation), or a tuple of
        these.
    n_positives : int, default 5
        Positives per anchor.
    use_rep : str or None, default None
        `obsm` key of the features; None is `X`.
    neighbors_key : str, default "spatial"
        The graph: its `key_added`.
    library_key : str or None, default None
        `obs` column of samples; None as in `gr.contact_graph`.
    model : CellGraphCLR or None, default None
        A fitted `CellGraphCLR` to apply instead of training one; the training options must then be left alone.
    checkpoint : str or path-like or None, default None
        File that training is saved to and goes on from when it exists.
    key_added : str, default "X_cellgraph"
        `obsm` key of the embedding (n, n_dims + own) float32: the block "learned", and beside it "own", the inputs of the cell
        (`n_own`: 64 components at most; 0 leaves them out). To be compared by cosine as it is: the blocks have weights. The
        columns of both are kept as "blocks" in `uns["cellgraph_clr"]["runs"][key_added]`, with provenance and the figures of
        the last step.
    random_state : int, numpy.random.Generator or None, default 0
        As in `CellGraphCLR`; a given `model` has its own.
    device : str, default "auto"
        As in `CellGraphCLR`; a given `model` has its own.
    progress : bool or None, default None
        As in `CellGraphCLR`; a given `model` has its own.
    copy : bool, default False
        Return a new AnnData.
    **config : object
        Further fields of `CellGraphCLRConfig` (n_steps, n_dims, n_own, n_layers, encoder, …), and `precision` and
        `n_processes` of `CellGraphCLR`.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    NoGraphError, MissingKeyError, NonFiniteError, NoCellsError, OptionError, LabelKeyError, ModelFileError
        As `CellGraphCLR.fit` and `CellGraphCLR.transform`.

    Warns
    -----
    UserWarning
        If more than a fiftieth of the cells (10 at least) have no neighbor in the graph.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> cgc.tl.embed(adata, n_steps=5, n_dims=8, n_own=4, progress=False)
    >>> adata.obsm["X_cellgraph"].shape == (adata.n_obs, 12)
    True
    """
    from cellgraph_clr.models.cell_graph.model import CellGraphCLR

    check_key_added(key_added, "obsm")
    adata = own_or_copy(adata, copy=copy)
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
        changed = [*config, *(k for k, v in given.items() if v != defaults[k])]
        check_model_alone([*changed, *trained_with(checkpoint, device)])
    vectors = model.transform(adata, **keys)
    last = {k: v[-1] for k, v in model.history_.items() if v}
    run = {"function": "tl.embed", "config": model.options, "seed": model.seed_, **keys}
    run |= {"features": model.feature_names_, "blocks": model.blocks_, "last_step": last}
    adata.obsm[key_added] = vectors
    record_run(adata, key_added, run)
    log_written("tl.embed", [f"obsm[{key_added!r}]"])
    return adata if copy else None
