"""Events of cells in movies: divisions and deaths read from lineage, as a table and as a label of every cell and frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.cells.label_means import label_means

if TYPE_CHECKING:
    import pandas as pd

    from cellgraph_clr.cells.movie import Movie

__all__ = ["EVENTS", "event_table", "events_of_cells"]

EVENTS = ("none", "division", "death")


def event_table(movie: Movie) -> pd.DataFrame:
    """Return the events of a movie with tracks: event, frame (the last of the track), track, and position of the cell then.

    A division is the end of a track that is the parent of others, a death any other end before the last frame, unless the cell
    touches the border of the image in its last frame, when it may have left it. Positions x, y(, z) are centres of the masks in
    the unit of the movie, NaN without labels.

    Raises `OptionError` without tracks. O(tracks + voxels of the frames with an event). No event gives an empty table.
    """
    import pandas as pd

    if movie.tracks is None:
        raise OptionError(expected("a movie with tracks", "one without", "Pass `tracks=` to `cgc.read_movie`."))
    parents = set(movie.tracks["parent"]) - {0}
    ended = movie.tracks[movie.tracks["end"] < len(movie) - 1]
    rows = []
    for t, same in ended.groupby("end"):
        centres, cut = ({}, set()) if movie.labels is None else _centres(np.asarray(movie.labels[int(t)]))
        for track in same["track"]:
            kind = "division" if track in parents else "death"
            if movie.labels is not None and (track not in centres or (kind == "death" and track in cut)):
                continue
            centre = centres.get(track, np.full(movie.ndim, np.nan)) * movie.spacing
            rows.append((kind, int(t), int(track), *centre[::-1]))
    return pd.DataFrame(rows, columns=["event", "frame", "track", *"xyz"[: movie.ndim]])


def _centres(masks: np.ndarray) -> tuple[dict[int, np.ndarray], set[int]]:
    """Return the centre of every mask of a frame, in pixels, and the masks that touch the border of the image."""
    at = np.nonzero(masks)
    ids, centre = label_means(masks[at], np.stack(at))
    sides = [np.take(masks, [0, -1], axis=axis).ravel() for axis in range(masks.ndim)]
    return dict(zip(ids.tolist(), centre, strict=True)), set(np.concatenate(sides).tolist()) - {0}


def events_of_cells(movie: Movie, frame: np.ndarray, track: np.ndarray, *, window: int = 1) -> np.ndarray:
    """Return the event (n,) of cells given by frame and track: "division" or "death" in the last `window` frames of a track.

    Others are "none". Raises `OptionError` without tracks, or for a window below 1.
    """
    check_whole("window", window)
    events = event_table(movie).set_index("track")
    out = np.full(len(frame), "none", dtype=object)
    known = np.isin(track, events.index)
    end = events["frame"].reindex(track[known]).to_numpy()
    soon = np.zeros(len(frame), bool)
    soon[known] = (frame[known] > end - window) & (frame[known] <= end)
    out[soon] = events["event"].reindex(track[soon]).to_numpy()
    return out
