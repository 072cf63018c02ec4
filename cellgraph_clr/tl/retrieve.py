"""Cells and regions like a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_key, check_key_added, check_option, check_whole, expected
from cellgraph_clr._core.errors import EmptyQueryError, ShapeError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._query import Query, query_rows, query_vectors
from cellgraph_clr.adata.images_of_cells import images_of
from cellgraph_clr.adata.provenance import record_run, unit_of
from cellgraph_clr.adata.reading import adjacency_of, check_edges, raw_values
from cellgraph_clr.analysis import regions as region_search
from cellgraph_clr.analysis.index import VectorIndex
from cellgraph_clr.analysis.outlines import cell_reach, outline
from cellgraph_clr.analysis.retrieval import nearest, query_similarity, standardised_directions, top_k
from cellgraph_clr.tl.common import representation

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csr_matrix

__all__ = ["build_index", "retrieve", "retrieve_regions"]


def retrieve(
    adata: AnnData,
    query: Query,
    *,
    reference: AnnData | None = None,
    use_rep: str = "X_cellgraph",
    k: int = 50,
    aggregate: Literal["mean", "max", "each"] = "mean",
    exclude_query: bool = True,
    key_added: str = "retrieval",
) -> pd.DataFrame:
    """Find the cells most like a query, and return them ranked.

    Parameters
    ----------
    adata : where the query is.
    query : a bool mask (n,), cell ids, `obs_names`, a mapping such as {"cell_type": "neuron"}, or float vector(s) of
        `use_rep`.
    reference : where to search; None searches `adata`.
    use_rep : representation; columns are standardised over the reference, similarity is the cosine.
    k : cells returned (fewer when there are fewer).
    aggregate : "mean" compares with the mean direction of the query, "max" with its nearest member; "each" answers every
        member by itself, `k` cells each.
    exclude_query : leave the query's own cells out (they are in `adata`; a reference keeps all of its cells).
    key_added : `obs` columns written where it was searched: f"{key_added}_score" (cosine, every cell) and
        f"{key_added}_rank" (1 … k, 0 for cells not returned); f"{key_added}_query" marks the cells of the query where they
        are among those searched.

    Returns
    -------
    DataFrame indexed by `obs_names`: rank, cell_id, library_id (where known), score, and x, y(, z) in the unit of
    positions; for "each" with a first column `query`, the name of the member (or the number of the vector), and the `obs`
    columns hold the best score and rank over members.

    Raises
    ------
    EmptyQueryError
        If the query matches no cell (absent ids are listed with the nearest ones), or excludes all.
    MissingKeyError, NonFiniteError, ShapeError, OptionError
        For a missing or NaN representation, other widths, wrong options.

    Notes
    -----
    Exact: one matrix product over all cells, in blocks of 16 MiB; O(n d) for a query, and for each of its members with "max"
    and "each". Vectors of unit length take 4 n d bytes. No cell in `adata` is an empty query. Many queries one after the
    other: `tl.build_index`.
    """
    check_key_added(key_added, "obs")
    target = adata if reference is None else reference
    vectors, _ = representation(target, use_rep)
    own = vectors if reference is None else representation(adata, use_rep)[0]
    if own.shape[1] != vectors.shape[1]:
        raise ShapeError(expected(f"a reference of width {own.shape[1]}", vectors.shape[1], "Embed both by one model."))
    check_whole("k", k)
    chosen, rows = query_vectors(adata, query, own)
    if reference is None and exclude_query and len(rows) == adata.n_obs:
        raise EmptyQueryError(
            expected("cells outside the query to search", "a query of all cells", "Pass `exclude_query=False`.")
        )
    directions, wanted = standardised_directions(vectors), standardised_directions(chosen, vectors)
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
    table = _places(target, found.ravel())
    table.insert(0, "rank", place.ravel())
    table["score"] = similarity.ravel()
    if aggregate == "each":
        names = adata.obs_names[rows] if len(rows) else np.arange(len(wanted))
        table.insert(0, "query", np.repeat(np.asarray(names), found.shape[1]))
    target.obs[f"{key_added}_score"] = scores.astype(np.float32)
    target.obs[f"{key_added}_rank"] = rank
    _forget(target, key_added, "region")
    if len(rows) and reference is None:
        target.obs[f"{key_added}_query"] = np.isin(np.arange(adata.n_obs), rows)
    else:  # the query is not among the cells searched
        _forget(target, key_added, "query")
    record_run(target, key_added, {"function": "tl.retrieve", "use_rep": use_rep, "k": int(k), "aggregate": aggregate})
    log_written("tl.retrieve", [f"obs['{key_added}_score']", f"obs['{key_added}_rank']"])
    return table


def _forget(adata: AnnData, key: str, part: str) -> None:
    """Delete a column of the answer to an older question."""
    if f"{key}_{part}" in adata.obs:
        del adata.obs[f"{key}_{part}"]


def _places(adata: AnnData, rows: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    xyz = np.asarray(adata.obsm["spatial"])[rows] if "spatial" in adata.obsm else np.zeros((len(rows), 0))
    table = pd.DataFrame(xyz, columns=list("xyz")[: xyz.shape[1]], index=adata.obs_names[rows])
    if "library_id" in adata.obs:
        table.insert(0, "library_id", adata.obs["library_id"].astype(str).to_numpy()[rows])
    if "cell_id" in adata.obs:
        table.insert(0, "cell_id", adata.obs["cell_id"].to_numpy()[rows])
    return table


def build_index(adata: AnnData, *, use_rep: str = "X_cellgraph", approximate: bool = False) -> VectorIndex:
    """Return an index of the cells by an embedding, for many queries or for another session.

    Parameters
    ----------
    adata : with the embedding.
    use_rep : representation; columns are standardised over `adata`, similarity is the cosine.
    approximate : a graph index (extra `ann`) that takes a small part of the time and misses a few cells; how many is measured
        and kept as `recall_`.

    Returns
    -------
    `VectorIndex` with ``.query(vectors, k)`` (names of rows, `obs_names`, and similarities), ``.save(path)`` and
    ``VectorIndex.load(path)``.

    Raises
    ------
    MissingKeyError, NonFiniteError, NoCellsError, MissingDependencyError
        For a missing or NaN representation, no cells, or `usearch` that is not installed.
    """
    vectors, _ = representation(adata, use_rep)
    return VectorIndex.build(vectors, adata.obs_names.to_numpy().astype(str), approximate=approximate)


def retrieve_regions(
    adata: AnnData,
    query: Query,
    *,
    min_cells: int = 5,
    max_cells: int | Literal["auto"] | None = "auto",
    use_rep: str = "X_cellgraph",
    n_smooth: int = 1,
    min_similarity: float | Literal["auto"] = "auto",
    exclude_query: bool = True,
    neighbors_key: str = "spatial",
    key_added: str = "retrieval",
) -> pd.DataFrame:
    """Find connected neighbourhoods that resemble a query region, and return them ranked.

    Parameters
    ----------
    adata : with a spatial graph and an embedding.
    query : cells of the region: a mask, ids, names or a category (see `retrieve`).
    min_cells : smallest region returned.
    max_cells : regions grow from the most similar cells down until they would be larger; "auto" is twice the query, so that
        answers are of its kind; None returns whole connected components, however large.
    use_rep : representation compared by cosine, columns standardised.
    n_smooth : times the similarity is averaged over neighbours, so that single cells neither make nor break a region.
    min_similarity : lowest (smoothed) similarity of a member; "auto" is what three quarters of the query's own cells
        reach, or where the most similar of three classes of the others begins (Otsu) if that is lower (never below 0).
    exclude_query : the query's cells can be in no region.
    neighbors_key : the graph that connects.
    key_added : writes `obs[f"{key_added}_score"]` (smoothed similarity of every cell), `obs[f"{key_added}_region"]` (1 …
        number of regions, by rank; 0 outside) and `obs[f"{key_added}_query"]`.

    Returns
    -------
    DataFrame indexed by region (1 is the best): score (mean similarity), n_cells, size (sum of `volume` or `area` of its
    cells, in the unit of that feature; only where measured), x, y(, z) of its centre, extent_x, … in the unit of positions,
    library_id where known, and outline, in the unit of positions: a list of closed polygons (k, 2), or in 3D a mesh (vertices
    (v, 3), triangles (t, 3)), around all points nearer to a cell of the region than to another (`analysis.outlines`). Empty
    when nothing is similar enough.

    Raises
    ------
    EmptyQueryError, NoGraphError, MissingKeyError, NonFiniteError, OptionError
        As `retrieve`; NoGraphError without a graph, or for a graph without edges.

    Warns
    -----
    UserWarning
        If nothing is found, with the reason.
    """
    import pandas as pd

    check_key_added(key_added, "obs")
    check_whole("min_cells", min_cells)
    check_whole("n_smooth", n_smooth, low=0)
    if isinstance(max_cells, str):
        check_option("max_cells", max_cells, ("auto",))
    elif max_cells is not None:
        check_whole("max_cells", max_cells, low=min_cells)
    check_key("spatial", list(adata.obsm), where="adata.obsm", remedy="Set `adata.obsm['spatial']` to x, y(, z).")
    vectors, _ = representation(adata, use_rep)
    rows = query_rows(adata, query)
    adjacency = adjacency_of(adata, neighbors_key)
    check_edges(adjacency.nnz, adata.n_obs, neighbors_key)
    directions = standardised_directions(vectors)
    similarity = query_similarity(directions, directions[rows])
    scores = region_search.region_scores(similarity, adjacency, n_smooth=n_smooth)
    if min_similarity == "auto":
        threshold = region_search.similarity_threshold(scores, rows)
    else:
        check_in_range("min_similarity", min_similarity, low=-1, high=1)
        threshold = float(min_similarity)
    blocked = np.zeros(adata.n_obs, bool)
    blocked[rows] = exclude_query
    most = max(2 * len(rows), int(min_cells)) if max_cells == "auto" else max_cells
    found = region_search.find_regions(
        scores, adjacency, threshold=threshold, min_cells=min_cells, max_cells=most, blocked=blocked
    )
    member = np.zeros(adata.n_obs, np.int64)
    records = []
    size_name = next((n for n in ("volume", "area") if n in adata.var_names), None)
    size = None
    if size_name is not None:
        size, _ = raw_values(adata, size_name)
    xyz = np.asarray(adata.obsm["spatial"], float)
    images = images_of(adata)
    samples = np.empty(adata.n_obs, np.int64)
    for i, image in enumerate(images):
        samples[image.rows] = i
    reach = cell_reach(xyz, adjacency)
    for number, region in enumerate(found, start=1):
        member[region.rows] = number
        place = xyz[region.rows]
        record: dict[str, Any] = {"region": number, "score": region.score, "n_cells": len(region.rows)}
        if size is not None:
            record["size"] = float(size[region.rows].sum())
        if name := images[samples[region.rows[0]]].name:
            record["library_id"] = name
        record |= {a: float(v) for a, v in zip("xyz", place.mean(axis=0), strict=False)}
        record |= {f"extent_{a}": float(v) for a, v in zip("xyz", np.ptp(place, axis=0), strict=False)}
        record["outline"] = outline(xyz, samples, region.rows, reach)
        records.append(record)
    adata.obs[f"{key_added}_score"] = scores.astype(np.float32)
    adata.obs[f"{key_added}_region"] = member
    adata.obs[f"{key_added}_query"] = np.isin(np.arange(adata.n_obs), rows)
    _forget(adata, key_added, "rank")
    run = {
        "function": "tl.retrieve_regions",
        "use_rep": use_rep,
        "min_cells": int(min_cells),
        "max_cells": most,
        "n_smooth": int(n_smooth),
    }
    record_run(adata, key_added, {**run, "min_similarity": threshold})
    log_written("tl.retrieve_regions", [f"obs['{key_added}_{part}']" for part in ("score", "region", "query")])
    if not records:
        _warn_of_nothing(scores, adjacency, threshold=threshold, blocked=blocked, min_cells=min_cells)
    table = pd.DataFrame.from_records(records, columns=None if records else ["region", "score", "n_cells"])
    table = table.set_index("region")
    table.attrs |= {"unit": unit_of(adata), "min_similarity": threshold}
    return table


def _warn_of_nothing(
    scores: np.ndarray, adjacency: csr_matrix, *, threshold: float, blocked: np.ndarray, min_cells: int
) -> None:
    """Warn that no region was found, and why."""
    import warnings

    from scipy.sparse.csgraph import connected_components

    alike = (scores >= threshold) & ~blocked
    if blocked.all():
        why = "the query holds all cells. Pass `exclude_query=False`."
    elif not alike.any():
        best = float(scores[~blocked].max())
        why = f"no cell outside the query is similar enough: the best has {best:.2f}. Lower `min_similarity`."
    else:
        pieces = connected_components(adjacency[alike][:, alike], directed=False)[1]
        largest = int(np.bincount(pieces).max())
        why = (
            f"{int(alike.sum())} cells are similar enough, but at most {largest} of them are connected. Lower `min_cells` "
            f"to {largest}, or find single cells by `cgc.tl.retrieve`."
        )
    text = f"No region of {min_cells} cells or more with a similarity of {threshold:.2f} or above: {why}"
    warnings.warn(text, UserWarning, stacklevel=3)
