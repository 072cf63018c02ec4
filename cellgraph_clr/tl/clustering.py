"""Clusters of an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_key_added, check_option, check_whole, expected
from cellgraph_clr._core.errors import NoCellsError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.provenance import record_run, recorded_run
from cellgraph_clr.adata.reading import searched
from cellgraph_clr.analysis.clustering import SELECTIONS, gaussian_mixture, leiden

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["cluster"]


@checked
def cluster(
    adata: AnnData,
    *,
    method: Literal["leiden", "gmm"] = "leiden",
    n_clusters: int | Literal["auto"] = "auto",
    select: Literal["bic", "stability"] = "bic",
    use_rep: str | None = None,
    resolution: float = 1.0,
    n_neighbors: int = 15,
    n_fit: int = 100_000,
    key_added: str | None = None,
    random_state: RandomState = 0,
    copy: bool = False,
) -> AnnData | None:
    """Cluster cells by an embedding.

    Parameters
    ----------
    adata : AnnData
        With the embedding.
    method : {"leiden", "gmm"}, default "leiden"
        "leiden" (scanpy's, igraph flavour, on a nearest-neighbour graph of the embedding) or "gmm" (Gaussian mixture).
    n_clusters : int or {"auto"}, default "auto"
        "auto": Leiden at `resolution`; GMM by `select` among 2 … 20. A number: Leiden's resolution is searched for it
        (`resolution` is where the search starts), GMM fits it.
    select : {"bic", "stability"}, default "bic"
        How GMM chooses the number: "bic" (lowest Bayesian information criterion, as many Gaussians as the density asks
        for) or "stability" (the largest number whose clusters come back when learned from halves of the cells).
    use_rep : str or None, default None
        Representation; None takes "X_context" (`tl.context`: niches) where it exists, else "X_cellgraph".
    resolution : float, default 1.0
        Of Leiden: the higher, the more clusters.
    n_neighbors : int, default 15
        Nearest neighbours in the embedding that the graph of Leiden joins.
    n_fit : int, default 100000
        With more cells than this, the clusters are learned on a random subset of this size; the others are assigned in
        blocks, GMM by probability, Leiden by a vote of the `n_neighbors` nearest. Memory beyond the embedding stays
        flat.
    key_added : str or None, default None
        `obs` column, categorical, in place of one of this name; None is the name of the method. GMM also writes
        `obsm[key + "_proba"]`.
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
    NoCellsError
        For fewer than three cells.
    MissingKeyError, NonFiniteError, OptionError
        For a missing or NaN embedding, wrong options, or a number of clusters that no resolution gives.
    CellGraphError
        For an embedding on a scale at which float32 has no distances, or a mixture no covariances: scale it before.

    Warns
    -----
    UserWarning
        If `key_added` is None and a column of the name of the method, which this function did not write, is replaced.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> cgc.gr.delaunay_graph(adata)
    >>> cgc.tl.embed(adata, n_steps=5, n_dims=8, progress=False)
    >>> cgc.tl.cluster(adata, method="gmm", n_clusters=2, key_added="compartment")
    >>> adata.obs["compartment"].nunique()
    2
    """
    import pandas as pd

    check_option("method", method, ("leiden", "gmm"))
    if n_clusters != "auto":
        check_whole("n_clusters", n_clusters, high=adata.n_obs)
    check_option("select", select, SELECTIONS)
    check_in_range("resolution", resolution, low=0, low_open=True)
    check_whole("n_neighbors", n_neighbors, low=2)
    check_whole("n_fit", n_fit, low=n_neighbors + 2)
    if adata.n_obs < 3:
        raise NoCellsError(expected("at least three cells to cluster", adata.n_obs, "Check the selection before."))
    check_key_added(key_added or method, "obs")
    adata = own_or_copy(adata, copy=copy)
    key = key_added or method
    if key_added is None and key in adata.obs and recorded_run(adata, key).get("function") != "tl.cluster":
        warn(f"obs[{key!r}], which `cgc.tl.cluster` did not write, is replaced. Name another column by `key_added`.")
    use_rep, vectors, _ = searched(adata, use_rep)
    seed = as_seed(random_state)
    run: dict[str, Any] = {"function": "tl.cluster", "method": method, "use_rep": use_rep, "seed": seed}
    if method == "gmm":
        most = min(20, adata.n_obs // (2 if select == "stability" else 1))
        numbers = tuple(range(2, max(most, 2) + 1)) if n_clusters == "auto" else int(n_clusters)
        mixture = gaussian_mixture(vectors, n_clusters=numbers, select=select, n_fit=n_fit, random_state=seed)
        labels = mixture.labels.astype(str)
        columns = [str(i) for i in range(mixture.proba.shape[1])]
        adata.obsm[f"{key}_proba"] = pd.DataFrame(mixture.proba, index=adata.obs_names, columns=columns)
        run[select] = mixture.scores
    else:
        labels, run["resolution"] = leiden(
            vectors, n_clusters, resolution=resolution, n_neighbors=n_neighbors, n_fit=n_fit, random_state=seed
        )
    adata.obs[key] = pd.Categorical(labels, categories=sorted(set(labels), key=int))
    record_run(adata, key, run)
    log_written("tl.cluster", [f"obs[{key!r}]"])
    return adata if copy else None
