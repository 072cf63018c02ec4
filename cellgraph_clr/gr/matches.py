"""Matches between the frames of a movie as features of every cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_finite, check_in_range, check_key, check_key_added, expected
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr.adata.provenance import record_run
from cellgraph_clr.adata.reading import raw_values
from cellgraph_clr.gr.common import cells_of, named
from cellgraph_clr.gr.temporal import check_frames, masks_of_samples
from cellgraph_clr.graphs.match_columns import match_features, split_scores
from cellgraph_clr.graphs.matches import Matches, match_masks, match_nearest, match_tracks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr.cells.table import CellTable

__all__ = ["TemporalMatches", "temporal_matches"]

SIZES = ("volume", "area")


class TemporalMatches(NamedTuple):
    """What `temporal_matches` returns with `copy=True`: a table of features, and the score of splitting (n,).

    Parameters
    ----------
    features : pandas.DataFrame
        (n, k) features of the matches of every cell.
    split_score : numpy.ndarray
        (n,) how much each cell looks like one that divides.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(6, 6, side=96, random_state=0)
    >>> adata = cgc.from_movie(movie)
    >>> matches = cgc.gr.temporal_matches(adata, labels=movie, copy=True)
    >>> matches._fields
    ('features', 'split_score')
    """

    features: pd.DataFrame
    split_score: np.ndarray


@checked
def temporal_matches(
    adata: AnnData,
    *,
    labels: Any = None,
    tracks: str | None = None,
    parents: Mapping[int, int] | None = None,
    size_key: str | None = None,
    features: Sequence[str] = (),
    min_overlap: float = 0.1,
    library_key: str | None = None,
    key_added: str = "X_matches",
    score_key: str = "split_score",
    copy: bool = False,
) -> TemporalMatches | None:
    """Describe every cell by its matches in the next frame and, apart, in the frame before: a cell that divides has two halves.

    Matches are masks that overlap, cells of one track, or, without either, cells that lie nearest; a cell whose mask overlaps
    none is matched with the nearest cell. Samples, and frames whose numbers do not follow one another, are never matched.

    Parameters
    ----------
    adata : AnnData
        With `obs["frame"]` (whole numbers; for `labels` they count its frames from 0).
    labels : object, default None
        Label images of all frames, (t, [z,] y, x), or the `Movie`; ids are those of `obs["cell_id"]`. For several
        samples a mapping from samples to these.
    tracks : str or None, default None
        `obs` column of integer track ids, 0 for none; instead of `labels`.
    parents : mapping of int to int or None, default None
        With `tracks`: track -> track it came from; matches mothers with daughters.
    size_key : str or None, default None
        Column of `X` with the areas or volumes, as measured before scaling. None takes "volume" or "area", else the
        voxels of the masks, else leaves sizes out.
    features : sequence of str, default ()
        Columns of `X`, as measured before scaling, of which the difference between best match and cell is added. With
        few labels they did not help.
    min_overlap : float, default 0.1
        With `labels`, the least Jaccard index of two masks that match.
    library_key : str or None, default None
        `obs` column of the samples; None as in `contact_graph`.
    key_added : str, default "X_matches"
        `obsm` key of a DataFrame, float32; its columns are those of `graphs.match_columns`, without NaN: cells of the
        last frame have `next_frame` 0 and 0 in all other columns of "next", those of the first frame likewise
        "previous".
    score_key : str, default "split_score"
        `obs` column of the score of splitting, 0 to 1, which needs no label: above one half where there are several
        matches, the higher the smaller the largest of them is beside the cell. NaN for cells of the last frame.
    copy : bool, default False
        Return both and leave `adata` alone.

    Returns
    -------
    TemporalMatches or None
        The TemporalMatches with `copy=True`, else None.

    Raises
    ------
    MissingKeyError
        If `obs["frame"]`, a column, or the labels of a sample are missing.
    OptionError
        If `tracks` and `labels` are both given, `parents` without tracks, or `min_overlap` is not between 0 and 1.
    ShapeError
        If a track has two cells in one frame, or frames and labels do not fit.
    NonFiniteError, CellGraphError
        If `features` hold NaN, or sizes are not above 0.
    NoCellsError
        Without cells.

    Notes
    -----
    O(voxels + n log n). Movies of a single frame give zeros.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(6, 6, side=96, random_state=0)
    >>> adata = cgc.from_movie(movie)
    >>> cgc.gr.temporal_matches(adata, labels=movie)
    >>> adata.obsm["X_matches"].shape[0] == adata.n_obs, "split_score" in adata.obs
    (True, True)
    """
    check_key_added(key_added, "obsm")
    check_key_added(score_key, "obs", beside=[tracks] if isinstance(tracks, str) else [])
    if tracks is not None and labels is not None:
        raise OptionError(expected("either `tracks` or `labels`", "both", "Pass the one to be trusted."))
    if tracks is not None and not isinstance(tracks, str):
        raise OptionError(expected("`tracks` as the name of a column", repr(tracks), "Name a column of `obs`."))
    if parents is not None and tracks is None:
        raise OptionError(expected("`tracks` beside `parents`", "none", "Name the column of the tracks."))
    check_in_range("min_overlap", min_overlap, low=0, high=1)
    result, run = matches_of(
        adata,
        labels=labels,
        tracks=tracks,
        parents=parents,
        size_key=size_key,
        features=features,
        min_overlap=min_overlap,
        library_key=library_key,
    )
    if copy:
        return result
    write_matches(adata, result, run, key_added=key_added, score_key=score_key)
    return None


def matches_of(
    adata: AnnData,
    *,
    labels: Any = None,
    tracks: str | None = None,
    parents: Mapping[int, int] | None = None,
    size_key: str | None = None,
    features: Sequence[str] = (),
    min_overlap: float = 0.1,
    library_key: str | None = None,
) -> tuple[TemporalMatches, dict[str, Any]]:
    """Return what `temporal_matches` writes, and the record of the run; nothing is written."""
    import pandas as pd

    check_frames(adata)
    _check_columns(adata, size_key, features)
    cells = cells_of(adata, library_key)
    matches, voxels = _matched(adata, cells, labels, tracks, parents, min_overlap)
    sizes, source = _sizes(adata, size_key, voxels)
    if tracks is None:
        matches = match_nearest(cells, matches, size=sizes)
    compared = np.stack([raw_values(adata, f)[0] for f in features], axis=1) if len(features) else None
    if compared is not None:
        check_finite(compared, what="features", names=features, remedy="Fill or drop them.")
    values, names = match_features(
        cells, matches, size=sizes, overlaps=labels is not None, features=compared, names=features
    )
    table = pd.DataFrame(values.astype(np.float32), index=adata.obs_names, columns=names)
    by = "labels" if labels is not None else "position" if tracks is None else f"tracks {tracks}"
    run: dict[str, Any] = {
        "function": "gr.temporal_matches",
        "matched_by": by,
        "size": source,
        "features": list(features),
    }
    run |= {"min_overlap": float(min_overlap)} if labels is not None else {}
    return TemporalMatches(table, split_scores(values, names)), {**run, **named(adata, library_key)}


def write_matches(
    adata: AnnData, result: TemporalMatches, run: Mapping[str, Any], *, key_added: str, score_key: str
) -> None:
    """Write matches, the score of splitting and the record of the run."""
    adata.obsm[key_added] = result.features
    adata.obs[score_key] = result.split_score
    record_run(adata, key_added, run)
    log_written("gr.temporal_matches", [f"obsm[{key_added!r}]", f"obs[{score_key!r}]"])


def _check_columns(adata: AnnData, size: str | None, features: Sequence[str]) -> None:
    """Raise `OptionError` for what is no name of a column of `X`, or no list of them, `MissingKeyError` for unknown ones."""
    if isinstance(features, str) or not isinstance(features, Sequence):
        raise OptionError(expected("`features` as a list of names", repr(features), "Pass ['area']."))
    for name in [*features, *([] if size is None else [size])]:
        if not isinstance(name, str):
            raise OptionError(expected("names of columns of `X`", repr(name), "Choose from `adata.var_names`."))
        check_key(name, list(adata.var_names), where="adata.var_names")


def _matched(
    adata: AnnData,
    cells: CellTable,
    labels: Any,
    tracks: str | None,
    parents: Mapping[int, int] | None,
    min_overlap: float,
) -> tuple[Matches, np.ndarray | None]:
    """Return the matches by tracks or masks, none without either, and the voxels of the masks."""
    if tracks is not None:
        check_key(tracks, list(adata.obs.columns), where="adata.obs", error=MissingKeyError)
        return match_tracks(cells, adata.obs[tracks].to_numpy(), parents=parents), None
    pairs, overlap = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    if labels is None:
        return Matches(pairs[0], overlap[0]), None
    voxels = np.full(len(cells), np.nan)
    for rows, masks in masks_of_samples(cells, labels):
        found, voxels[rows] = match_masks(cells.select(rows), masks, min_overlap=min_overlap)
        pairs.append(rows[found.pairs])
        overlap.append(found.overlap)
    return Matches(np.concatenate(pairs), np.concatenate(overlap)), np.where(np.isnan(voxels), 1.0, voxels)


def _sizes(adata: AnnData, size: str | None, voxels: np.ndarray | None) -> tuple[np.ndarray | None, str]:
    """Return the size of every cell and where it is from. Raises `CellGraphError` for sizes that are not above 0."""
    name = size or next((s for s in SIZES if s in adata.var_names), None)
    if name is None:
        return voxels, "none" if voxels is None else "voxels"
    values, _ = raw_values(adata, name)
    if not (np.isfinite(values) & (values > 0)).all():
        found = f"{int((~(values > 0)).sum())} others"
        remedy = "Name the column of areas or volumes as they were measured by `size_key=`."
        raise CellGraphError(expected(f"sizes above 0 in {name!r}", found, remedy))
    return values, name
