"""Features of every cell beside the statistics of its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, check_key_added
from cellgraph_clr._core.log import log_written
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.keys import PACKAGE_KEY
from cellgraph_clr.adata.reading import adjacency_of, check_edges, graph_keys, read_features
from cellgraph_clr.graphs.aggregation import aggregate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from anndata import AnnData

__all__ = ["aggregate_neighbors"]


@checked
def aggregate_neighbors(
    adata: AnnData,
    *,
    use_rep: str | None = None,
    n_hops: int = 1,
    aggregations: Sequence[str] = ("mean",),
    weights: str | None = None,
    neighbors_key: str = "spatial",
    key_added: str = "X_aggregated",
    copy: bool = False,
) -> np.ndarray | None:
    """Set the features of every cell beside the statistics of its neighbours.

    Parameters
    ----------
    adata : AnnData
        With a spatial graph.
    use_rep : str or None, default None
        `obsm` key of the features; None is `X`.
    n_hops : int, default 1
        Hops; the statistics of a hop are those of the means of the hop before.
    aggregations : sequence of str, default ("mean",)
        Any of mean, std, max, min, sum.
    weights : str or None, default None
        "contact_area", "distances" or an `obsp` key to weight neighbours by; None weights them alike.
    neighbors_key : str, default "spatial"
        The graph.
    key_added : str, default "X_aggregated"
        `obsm` key of the result, (n, f * (1 + n_hops * len(aggregations))) float32; column names in
        `uns[key_added]["names"]`.
    copy : bool, default False
        Return the matrix and leave `adata` alone.

    Returns
    -------
    numpy.ndarray or None
        The numpy.ndarray with `copy=True`, else None.

    Raises
    ------
    NoGraphError, MissingKeyError
        If graph, features or weights are missing, or the graph has no edges.
    NonFiniteError
        If features or weights hold NaN; the first edges are named.
    OptionError
        For wrong options.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> cgc.gr.aggregate_neighbors(adata, n_hops=1, aggregations=("mean",))
    >>> adata.obsm["X_aggregated"].shape[0] == adata.n_obs
    True
    """
    check_key_added(key_added, "obsm", beside=[PACKAGE_KEY, "spatialdata_attrs"])
    check_writable(adata)
    adjacency = adjacency_of(adata, neighbors_key, weights)
    check_edges(adjacency.nnz, adata.n_obs, neighbors_key)
    values, info = read_features(adata, use_rep)
    names = [i.name for i in info]
    check_finite(
        values,
        what="features",
        names=names,
        remedy="Fill or drop them; in `X`: `cgc.pp.scale_features(adata, impute='median')`.",
    )
    out = aggregate(values, adjacency, n_hops=n_hops, aggregations=aggregations)
    if copy:
        return out
    adata.obsm[key_added] = out
    columns = names + [f"{a}_{h}hop_{n}" for h in range(1, n_hops + 1) for a in aggregations for n in names]
    params = {"n_hops": int(n_hops), "aggregations": list(aggregations), "use_rep": use_rep or "X"}
    params |= {"weights": weights} if weights else {}
    params["connectivities_key"] = graph_keys(adata, neighbors_key)["connectivities"]
    adata.uns[key_added] = {"names": columns, "params": params}
    log_written("gr.aggregate_neighbors", [f"obsm[{key_added!r}]", f"uns[{key_added!r}]"])
    return None
