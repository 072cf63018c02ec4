"""Graphs between the frames of a movie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.gr.common import SpatialGraph, cells_of, named, write_or_return
from cellgraph_clr.graphs import temporal
from cellgraph_clr.graphs.graph import CellGraph

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.cells.table import CellTable

__all__ = ["check_frames", "masks_of_samples", "temporal_graph"]


@checked
def temporal_graph(
    adata: AnnData,
    *,
    tracks: str | None = None,
    parents: Mapping[int, int] | None = None,
    labels: Any = None,
    min_overlap: float = 0.1,
    library_key: str | None = None,
    key_added: str = "temporal",
    copy: bool = False,
) -> SpatialGraph | None:
    """Join cells across frames: along given tracks, or where masks of consecutive frames overlap.

    Parameters
    ----------
    adata : AnnData
        With `obs["frame"]` (whole numbers; for `labels` they count its frames from 0).
    tracks : str or None, default None
        `obs` column of integer track ids, 0 for none; every cell is joined to the next appearance of its track. None takes
        `obs["track"]`, which `cgc.from_movie` writes, where no `labels` are given.
    parents : mapping of int to int or None, default None
        Track -> track it came from (as in the lineage of the Cell Tracking Challenge); joins mothers and daughters.
    labels : object, default None
        Label images of all frames, (t, [z,] y, x), or the `Movie`, instead of `tracks`; ids are those of
        `obs["cell_id"]`. For several samples a mapping from samples to these.
    min_overlap : float, default 0.1
        With `labels`, the least Jaccard index of two masks that makes an edge; it is kept in
        `obsp[f"{key_added}_overlap"]`.
    library_key : str or None, default None
        As in `contact_graph`. The graph is undirected; `obs["frame"]` tells which end is later.
    key_added : str, default "temporal"
        As in `contact_graph`. The graph is undirected; `obs["frame"]` tells which end is later.
    copy : bool, default False
        As in `contact_graph`. The graph is undirected; `obs["frame"]` tells which end is later.

    Returns
    -------
    SpatialGraph or None
        The SpatialGraph with `copy=True`, else None.

    Raises
    ------
    MissingKeyError
        If `obs["frame"]` or `obs[tracks]` is missing.
    OptionError
        If both of `tracks` and `labels` are given, or neither and there is no `obs["track"]`; or `min_overlap` is not between 0
        and 1.
    ShapeError
        If a track has two cells in one frame, or frames and labels do not fit.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(6, 6, side=96, random_state=0)
    >>> adata = cgc.from_movie(movie)
    >>> cgc.gr.temporal_graph(adata, labels=movie)
    >>> "temporal_connectivities" in adata.obsp
    True
    """
    if tracks is None and labels is None and "track" in adata.obs:
        tracks = "track"
    if (tracks is None) == (labels is None):
        found = "neither" if tracks is None else "both"
        raise OptionError(
            expected("either `tracks` or `labels`", found, "Pass the column of the tracks, or the masks.")
        )
    check_frames(adata)
    cells = cells_of(adata, library_key)
    params: dict[str, Any] = {"method": "temporal", **named(adata, library_key)}
    if tracks is not None:
        check_key(tracks, list(adata.obs.columns), where="adata.obs", error=MissingKeyError)
        graph = temporal.from_tracks(cells, adata.obs[tracks].to_numpy(), parents=parents)
        params["tracks"] = tracks
    else:
        graph = _overlaps(cells, labels, min_overlap)
        params["min_overlap"] = float(min_overlap)
    return write_or_return("gr.temporal_graph", adata, graph, key_added=key_added, params=params, copy=copy)


def check_frames(adata: AnnData) -> None:
    """Raise `MissingKeyError` without `obs["frame"]`."""
    remedy = "Set `adata.obs['frame']` to the frame numbers."
    check_key("frame", list(adata.obs.columns), where="adata.obs", remedy=remedy, error=MissingKeyError)


def masks_of_samples(cells: CellTable, labels: Any) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield the rows of every sample and its masks. Raises `MissingKeyError` for samples without, `OptionError` for no masks."""
    samples = np.unique(cells.sample)
    if len(samples) > 1 and not isinstance(labels, Mapping):
        found, remedy = f"one for {listing(samples)}", "Pass {sample: labels, …}."
        raise MissingKeyError(expected(f"labels for each of {len(samples)} samples", found, remedy))
    for sample in samples:
        given = labels
        if isinstance(labels, Mapping):
            by_name = {str(k): v for k, v in labels.items()}
            check_key(str(sample), list(by_name), where="labels", remedy="Give the labels of every sample.")
            given = by_name[str(sample)]
        if isinstance(given, Movie):
            given.label_image(0)  # which refuses a movie without labels
            given = given.labels
        if isinstance(given, (str, bytes)) or not hasattr(given, "__getitem__") or getattr(given, "ndim", 3) < 3:
            remedy = "Pass an array (t, [z,] y, x), a list of frames, or the `Movie`."
            raise OptionError(expected("label images of all frames", type(given).__name__, remedy))
        yield np.flatnonzero(cells.sample == sample), given


def _overlaps(cells: CellTable, labels: Any, min_overlap: float) -> CellGraph:
    """Return the edges of overlapping masks of every sample. Raises `MissingKeyError` for samples without labels."""
    edges, shares = [], []
    for rows, given in masks_of_samples(cells, labels):
        graph = temporal.from_overlap(cells.select(rows), given, min_overlap=min_overlap)
        edges.append(rows[graph.edges])
        shares.append(graph.edge_features["overlap"])
    return CellGraph.from_pairs(cells, np.concatenate(edges), {"overlap": np.concatenate(shares)})
