"""Graphs between the frames of a movie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.gr.common import SpatialGraph, cells_of, finish, named
from cellgraph_clr.graphs import temporal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from anndata import AnnData

__all__ = ["temporal_graph"]


def temporal_graph(
    adata: AnnData,
    *,
    tracks: str | None = None,
    parents: Mapping[int, int] | None = None,
    labels: Sequence[np.ndarray] | None = None,
    min_overlap: float = 0.1,
    library_key: str | None = None,
    key_added: str = "temporal",
    copy: bool = False,
) -> SpatialGraph | None:
    """Join cells across frames: along given tracks, or where masks of consecutive frames overlap.

    Parameters
    ----------
    adata : with `obs["frame"]` (whole numbers; for `labels` they count its frames from 0).
    tracks : `obs` column of integer track ids, 0 for none; every cell is joined to the next appearance of its track.
    parents : track -> track it came from (as in the lineage of the Cell Tracking Challenge); joins mothers and daughters.
    labels : label images of all frames, (t, [z,] y, x), instead of `tracks`; ids are those of `obs["cell_id"]`.
    min_overlap : with `labels`, the least Jaccard index of two masks that makes an edge; it is kept in
        `obsp[f"{key_added}_overlap"]`.
    library_key, key_added, copy : as in `contact_graph`. The graph is undirected; `obs["frame"]` tells which end is later.

    Raises
    ------
    MissingKeyError
        If `obs["frame"]` or `obs[tracks]` is missing.
    OptionError
        If neither or both of `tracks` and `labels` are given, or `min_overlap` is not between 0 and 1.
    ShapeError
        If a track has two cells in one frame, or frames and labels do not fit.
    """
    if (tracks is None) == (labels is None):
        found = "neither" if tracks is None else "both"
        raise OptionError(
            expected("either `tracks` or `labels`", found, "Pass the column of the tracks, or the masks.")
        )
    check_key(
        "frame",
        list(adata.obs.columns),
        where="adata.obs",
        remedy="Set `adata.obs['frame']` to the frame numbers.",
        error=MissingKeyError,
    )
    cells = cells_of(adata, library_key)
    params: dict[str, Any] = {"method": "temporal", **named(library_key)}
    if tracks is not None:
        check_key(tracks, list(adata.obs.columns), where="adata.obs", error=MissingKeyError)
        graph = temporal.from_tracks(cells, adata.obs[tracks].to_numpy(), parents=parents)
        params["tracks"] = tracks
    else:
        graph = temporal.from_overlap(cells, () if labels is None else labels, min_overlap=min_overlap)
        params["min_overlap"] = float(min_overlap)
    return finish("gr.temporal_graph", adata, graph, key_added=key_added, params=params, copy=copy)
