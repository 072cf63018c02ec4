"""Cells like a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key_added, check_option, check_whole, expected
from cellgraph_clr._core.errors import EmptyQueryError, ShapeError
from cellgraph_clr._core.log import log_written
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.queries import Query, query_vectors
from cellgraph_clr.adata.reading import representation, searched, warn_of_other_vectors
from cellgraph_clr.adata.results import forget_column
from cellgraph_clr.adata.samples import sample_column, sample_of
from cellgraph_clr.analysis.index import VectorIndex
from cellgraph_clr.analysis.retrieval import (
    compared_directions,
    nearest,
    query_similarity,
    top_k,
)

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["build_index", "retrieve"]


@checked
def retrieve(
    adata: AnnData,
    query: Query,
    *,
    reference: AnnData | None = None,
    use_rep: str | None = None,
    k: int = 50,
    aggregate: Literal["mean", "max", "each"] = "mean",
    exclude_query: bool = True,
    key_added: str = "retrieval",
) -> pd.DataFrame:
    """Find the cells most like a query, and return them ranked.

    Parameters
    ----------
    adata : AnnData
        Where the query is.
    query : Query
        A bool mask (n,), cell ids, `obs_names`, a mapping such as {"cell_type": "neuron"}, or float vector(s) of
        `use_rep`.
    reference : AnnData or None, default None
        Where to search; None searches `adata`.
    use_rep : str or None, default None
        Representation; similarity is the cosine about the mean of the cells searched. None takes "X_context"
        (`tl.context`) where it exists, else "X_cellgraph". Columns are standardised over the reference, but for those of
        `tl.context` and `tl.embed` (with `n_own`), whose scales are weights.
    k : int, default 50
        Cells returned (fewer when there are fewer).
    aggregate : {"mean", "max", "each"}, default "mean"
        "mean" compares with the mean direction of the query, "max" with its nearest member; "each" answers every member
        by itself, `k` cells each.
    exclude_query : bool, default True
        Leave the query's own cells out (they are in `adata`; a reference keeps all of its cells).
    key_added : str, default "retrieval"
        `obs` columns written where it was searched: f"{key_added}_score" (cosine, every cell) and f"{key_added}_rank"
        (1 … k, 0 for cells not returned); f"{key_added}_query" marks the cells of the query where they are among those
        searched.

    Returns
    -------
    pandas.DataFrame
        DataFrame indexed by `obs_names`: rank, cell_id, library_id (where known), score, and x, y(, z) in the unit of
        positions; for "each" with a first column `query`, the name of the member (or the number of the vector), and the
        `obs` columns hold the best score and rank over members.

    Raises
    ------
    EmptyQueryError
        If the query matches no cell (absent ids are listed with the nearest ones), or excludes all.
    MissingKeyError, NonFiniteError, ShapeError, OptionError
        For a missing or NaN representation, other widths, positions that are not two or three columns, wrong options.

    Warns
    -----
    UserWarning
        If the vectors of the reference were made by another model, as far as it is recorded.

    Notes
    -----
    Exact: one matrix product over all cells, in blocks of 16 MiB; O(n d) for a query, and for each of its members with "max"
    and "each". Vectors of unit length take 4 n d bytes. No cell in `adata` is an empty query. Many queries one after the
    other: `tl.build_index`. Cells of one sample are often most like one another, by `X_context` above all: for those of other
    samples, exclude it (``adata[adata.obs["library_id"] != "a"]`` as `reference`), or make the context with `batch_key`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> cgc.gr.delaunay_graph(adata)
    >>> cgc.tl.embed(adata, n_steps=5, n_dims=8, progress=False)
    >>> hits = cgc.tl.retrieve(adata, [5, 46], k=3)  # cells like cells 5 and 46
    >>> hits["rank"].tolist()
    [1, 2, 3]
    """
    check_key_added(key_added, "obs")
    target = adata if reference is None else reference
    check_writable(target)
    position = position_of(target, whole=False) if "spatial" in target.obsm else None
    use_rep, vectors, weighted = searched(target, use_rep)
    own = vectors if reference is None else representation(adata, use_rep)[0]
    if own.shape[1] != vectors.shape[1]:
        raise ShapeError(expected(f"a reference of width {own.shape[1]}", vectors.shape[1], "Embed both by one model."))
    check_whole("k", k)
    chosen, rows = query_vectors(adata, query, own)
    if len(rows):
        warn_of_other_vectors(adata, target, use_rep)
    if reference is None and exclude_query and len(rows) == adata.n_obs:
        raise EmptyQueryError(
            expected("cells outside the query to search", "a query of all cells", "Pass `exclude_query=False`.")
        )
    directions = compared_directions(vectors, weighted=weighted)
    wanted = compared_directions(chosen, vectors, weighted=weighted)
    allowed = np.ones(len(directions), bool)
    if reference is None and exclude_query:
        allowed[rows] = False
    check_option("aggregate", aggregate, ("mean", "max", "each"))
    scores = query_similarity(directions, wanted, aggregate="max" if aggregate == "each" else aggregate)
    if aggregate == "each":
        found, similarity = nearest(wanted, directions, min(int(k), int(allowed.sum())), allowed=allowed)
    else:
        found = top_k(scores, k, allowed=allowed)[None]
        similarity = scores[found]
    place = np.broadcast_to(np.arange(1, found.shape[1] + 1), found.shape)
    rank = np.full(len(directions), len(directions) + 1)
    np.minimum.at(rank, found, place)
    rank[rank > len(directions)] = 0
    table = _places(target, found.ravel(), position)
    table.insert(0, "rank", place.ravel())
    table["score"] = similarity.ravel()
    if aggregate == "each":
        names = adata.obs_names[rows] if len(rows) else np.arange(len(wanted))
        table.insert(0, "query", np.repeat(np.asarray(names), found.shape[1]))
    target.obs[f"{key_added}_score"] = scores.astype(np.float32)
    target.obs[f"{key_added}_rank"] = rank
    forget_column(target, f"{key_added}_region")
    if len(rows) and reference is None:
        target.obs[f"{key_added}_query"] = np.isin(np.arange(adata.n_obs), rows)
    else:  # the query is not among the cells searched
        forget_column(target, f"{key_added}_query")
    record_run(target, key_added, {"function": "tl.retrieve", "use_rep": use_rep, "k": int(k), "aggregate": aggregate})
    log_written("tl.retrieve", [f"obs['{key_added}_score']", f"obs['{key_added}_rank']"])
    return table


def _places(adata: AnnData, rows: np.ndarray, position: np.ndarray | None) -> pd.DataFrame:
    import pandas as pd

    xyz = position[rows] if position is not None else np.zeros((len(rows), 0))
    table = pd.DataFrame(xyz, columns=list("xyz")[: xyz.shape[1]], index=adata.obs_names[rows])
    if sample_column(adata) is not None:
        table.insert(0, "library_id", sample_of(adata, None)[rows])
    if "cell_id" in adata.obs:
        table.insert(0, "cell_id", adata.obs["cell_id"].to_numpy()[rows])
    return table


@checked
def build_index(adata: AnnData, *, use_rep: str | None = None, approximate: bool = False) -> VectorIndex:
    """Return an index of the cells by an embedding, for many queries or for another session.

    Parameters
    ----------
    adata : AnnData
        With the embedding.
    use_rep : str or None, default None
        Representation; as in `retrieve`.
    approximate : bool, default False
        A graph index (extra `ann`) that takes a small part of the time and misses a few cells; how many is measured and
        kept as `recall_`.

    Returns
    -------
    VectorIndex
        `VectorIndex` with ``.query(vectors, k)`` (names of rows, `obs_names`, and similarities), ``.save(path)`` and
        ``VectorIndex.load(path)``.

    Raises
    ------
    MissingKeyError, NonFiniteError, NoCellsError, MissingDependencyError
        For a missing or NaN representation, no cells, or `usearch` that is not installed.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> cgc.gr.delaunay_graph(adata)
    >>> cgc.tl.embed(adata, n_steps=5, n_dims=8, progress=False)
    >>> index = cgc.tl.build_index(adata)
    >>> names, similarity = index.query(adata.obsm["X_cellgraph"][:1], 3)
    >>> names.shape
    (1, 3)
    """
    _, vectors, weighted = searched(adata, use_rep)
    names = adata.obs_names.to_numpy().astype(str)
    return VectorIndex.build(vectors, names, approximate=approximate, standardize=not weighted)
