"""Regions like a query."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import (
    MOST_STEPS,
    check_in_range,
    check_key_added,
    check_option,
    check_whole,
    expected,
)
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.notices import warn
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.images_of_cells import image_numbers, images_of
from cellgraph_clr.adata.keys import graph_stem
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import record_run, unit_of
from cellgraph_clr.adata.queries import Query, query_rows
from cellgraph_clr.adata.reading import adjacency_of, check_edges, raw_values, searched
from cellgraph_clr.adata.results import forget_column
from cellgraph_clr.analysis import regions as region_search
from cellgraph_clr.analysis.outlines import Outlines, cell_reach
from cellgraph_clr.analysis.retrieval import compared_directions, query_similarity
from cellgraph_clr.tl.common import check_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csr_matrix

__all__ = ["retrieve_regions"]


@checked
def retrieve_regions(
    adata: AnnData,
    query: Query,
    *,
    min_cells: int = 5,
    max_cells: int | Literal["auto"] | None = "auto",
    use_rep: str | None = None,
    n_smooth: int = 1,
    min_similarity: float | Literal["auto"] = "auto",
    exclude_query: bool = True,
    neighbors_key: str = "spatial",
    key_added: str = "retrieval",
) -> pd.DataFrame:
    """Find connected neighbourhoods that resemble a query region, and return them ranked.

    Parameters
    ----------
    adata : AnnData
        With a spatial graph and an embedding.
    query : Query
        Cells of the region: a mask, ids, names or a category (see `retrieve`).
    min_cells : int, default 5
        Smallest region returned.
    max_cells : int or {"auto"} or None, default "auto"
        Regions grow from the most similar cells down until they would be larger; "auto" is twice the query (or
        `min_cells`), so that answers are of its kind; None returns whole connected components, however large.
    use_rep : str or None, default None
        Representation compared by cosine; None takes "X_context" (`tl.context`) where it exists, else "X_cellgraph".
        Columns are standardised, but for those of `tl.context` and `tl.embed` (with `n_own`), whose scales are weights.
    n_smooth : int, default 1
        Times the similarity is averaged over neighbours, so that single cells neither make nor break a region.
    min_similarity : float or {"auto"}, default "auto"
        Lowest (smoothed) similarity of a member; "auto" is what three quarters of the query's own cells reach, or where
        the most similar of three classes of the others begins (Otsu) if that is lower (never below 0).
    exclude_query : bool, default True
        The query's cells can be in no region, and a region more than half of whose cells have neighbors in the query
        is left out: it is the query's rim, not another place (but where the query is scattered, as a warning then says).
    neighbors_key : str, default "spatial"
        The graph that connects.
    key_added : str, default "retrieval"
        Writes `obs[f"{key_added}_score"]` (smoothed similarity of every cell), `obs[f"{key_added}_region"]` (1 … number
        of regions, by rank; 0 outside) and `obs[f"{key_added}_query"]`.

    Returns
    -------
    pandas.DataFrame
        DataFrame indexed by region (1 is the best): score (mean similarity), n_cells, size (sum of `volume` or `area`
        of its cells, in the unit of that feature; only where measured), x, y(, z) of its centre, extent_x, … in the
        unit of positions, library_id where known, and outline, in the unit of positions: a list of closed polygons (k,
        2), or in 3D a mesh (vertices (v, 3), triangles (t, 3)), around all points nearer to a cell of the region than
        to another (`analysis.outlines`). Empty when nothing is similar enough.

    Raises
    ------
    EmptyQueryError, NoGraphError, MissingKeyError, NonFiniteError, OptionError
        As `retrieve`; NoGraphError without a graph, or for a graph without edges.
    GeometryError, ShapeError, CellGraphError
        For positions that are too far apart or too near, or not two or three columns, for edges between samples or frames, and
        for vectors that are the same for all cells.

    Warns
    -----
    UserWarning
        If nothing is found, with the reason.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> cgc.tl.context(adata, learn=False, progress=False)
    >>> regions = cgc.tl.retrieve_regions(adata, adata.obs["true_niche"] == "niche 0", min_cells=3)
    >>> "score" in regions
    True
    """
    check_key_added(key_added, "obs")
    check_whole("min_cells", min_cells)
    check_whole("n_smooth", n_smooth, low=0, high=MOST_STEPS)
    if isinstance(max_cells, str):
        check_option("max_cells", max_cells, ("auto",))
    elif max_cells is not None:
        check_whole("max_cells", max_cells, low=min_cells)
    check_writable(adata)
    xyz = position_of(adata)
    use_rep, vectors, weighted = searched(adata, use_rep)
    rows = query_rows(adata, query)
    adjacency = adjacency_of(adata, neighbors_key)
    check_edges(adjacency.nnz, adata.n_obs, neighbors_key)
    image = _images_of_regions(adata, adjacency, neighbors_key)
    is_scattered = _warn_of_pieces(adjacency, rows)
    directions = compared_directions(vectors, weighted=weighted)
    if not directions.any():
        remedy = "Describe cells by what differs: `cgc.tl.context` or `cgc.tl.embed`."
        raise CellGraphError(
            expected("vectors that differ from cell to cell", f"the same for all in {use_rep!r}", remedy)
        )
    similarity = query_similarity(directions, directions[rows])
    scores = region_search.region_scores(similarity, adjacency, n_smooth=n_smooth)
    if min_similarity == "auto":
        threshold = region_search.similarity_threshold(scores, rows)
    else:
        check_in_range("min_similarity", min_similarity, low=-1, high=1)
        threshold = float(min_similarity)
    blocked = np.zeros(adata.n_obs, bool)
    blocked[rows] = exclude_query
    most = 2 * max(len(rows), int(min_cells)) if max_cells == "auto" else max_cells
    search = partial(
        region_search.find_regions,
        *(scores, adjacency),
        threshold=threshold,
        min_cells=min_cells,
        max_cells=most,
        blocked=blocked,
    )
    found = search(beside=None if is_scattered else adjacency @ blocked.astype(np.float32) > 0)
    member = np.zeros(adata.n_obs, np.int64)
    for number, region in enumerate(found, start=1):
        member[region.rows] = number
    table = _region_table(adata, found, adjacency, xyz, image)
    adata.obs[f"{key_added}_score"] = scores.astype(np.float32)
    adata.obs[f"{key_added}_region"] = member
    adata.obs[f"{key_added}_query"] = np.isin(np.arange(adata.n_obs), rows)
    forget_column(adata, f"{key_added}_rank")
    run = {
        "function": "tl.retrieve_regions",
        "use_rep": use_rep,
        "min_cells": int(min_cells),
        "max_cells": most,
        "n_smooth": int(n_smooth),
    }
    record_run(adata, key_added, {**run, "min_similarity": threshold})
    log_written("tl.retrieve_regions", [f"obs['{key_added}_{part}']" for part in ("score", "region", "query")])
    if not found:
        is_rim = bool(search())
        _warn_of_nothing(scores, adjacency, threshold=threshold, blocked=blocked, min_cells=min_cells, is_rim=is_rim)
    table.attrs |= {"unit": unit_of(adata), "min_similarity": threshold}
    return table


def _warn_of_pieces(adjacency: csr_matrix, rows: np.ndarray) -> bool:
    """Warn where the cells of a query are scattered, in pieces of fewer than three on average, and return whether they are."""
    from scipy.sparse.csgraph import connected_components

    n_pieces = int(connected_components(adjacency[rows][:, rows], directed=False, return_labels=False))
    is_scattered = n_pieces > 1 and 3 * n_pieces > len(rows)
    if is_scattered:
        warn(
            f"The {len(rows)} cells of the query lie in {n_pieces} pieces that no edge of the graph joins; what is found is like "
            "all of them together. Ask for one piece at a time, or for single cells by `cgc.tl.retrieve`."
        )
    return is_scattered


def _images_of_regions(adata: AnnData, adjacency: csr_matrix, neighbors_key: str) -> np.ndarray:
    """Return the number of the image of every cell. Raises `CellGraphError` for edges between images: regions lie in one."""
    image = image_numbers(adata)
    check_apart(adjacency, image, edges=f"edges of `adata.obsp['{graph_stem(neighbors_key)}_connectivities']`")
    return image


def _region_table(
    adata: AnnData,
    found: Sequence[region_search.Region],
    adjacency: csr_matrix,
    xyz: np.ndarray,
    image: np.ndarray,
) -> pd.DataFrame:
    """Return score, size, place and outline of every region, the best first."""
    import pandas as pd

    size_name = next((n for n in ("volume", "area") if n in adata.var_names), None)
    size = None if size_name is None else raw_values(adata, size_name)[0]
    images, outlines = images_of(adata), Outlines(xyz, image, cell_reach(xyz, adjacency))
    records = []
    anywhere = [region_search.Region(np.zeros(1, int), 0.0)]  # of which the columns are, where nothing was found
    for number, region in enumerate(found or anywhere, start=1):
        place = xyz[region.rows]
        record: dict[str, Any] = {"region": number, "score": region.score, "n_cells": len(region.rows)}
        if size is not None:
            record["size"] = float(size[region.rows].sum())
        if name := images[image[region.rows[0]]].name:
            record["library_id"] = name
        record |= {a: float(v) for a, v in zip("xyz", place.mean(axis=0), strict=False)}
        record |= {f"extent_{a}": float(v) for a, v in zip("xyz", np.ptp(place, axis=0), strict=False)}
        record["outline"] = outlines.of(region.rows)
        records.append(record)
    table = pd.DataFrame.from_records(records).set_index("region")
    return table if found else table[:0].copy()


def _warn_of_nothing(
    scores: np.ndarray, adjacency: csr_matrix, *, threshold: float, blocked: np.ndarray, min_cells: int, is_rim: bool
) -> None:
    """Warn that no region was found, and why; `is_rim`: what was found is the rim of the query."""
    from scipy.sparse.csgraph import connected_components

    alike = (scores >= threshold) & ~blocked
    if blocked.all():
        why = "the query holds all cells. Pass `exclude_query=False`."
    elif is_rim:
        why = "what is similar enough is the rim of the query itself. Ask for all of it, or lower `min_similarity`."
    elif not alike.any():
        best = float(scores[~blocked].max())
        why = f"no cell outside the query is similar enough: the best has {best:.2f}. Lower `min_similarity`."
    else:
        pieces = connected_components(adjacency[alike][:, alike], directed=False)[1]
        largest = int(np.bincount(pieces).max())
        found = f"{int(alike.sum())} cells are similar enough, but "
        if largest < min_cells:
            remedy = f"Lower `min_cells` to {largest}, or find single cells by `cgc.tl.retrieve`."
            why = f"{found}at most {largest} of them are connected. {remedy}"
        else:
            why = f"{found}regions reach `max_cells` before they have {min_cells} of them. Raise `max_cells`."
    text = f"No region of {min_cells} cells or more with a similarity of {threshold:.3g} or above: {why}"
    warn(text)
