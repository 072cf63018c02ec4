"""Places in movies: where events are looked for, cut out of frames or of their features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import MissingKeyError, NoCellsError, ShapeError
from cellgraph_clr.cells.events import events_of_cells
from cellgraph_clr.cells.label_means import label_means

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellgraph_clr.cells.movie import Movie

__all__ = ["cell_places", "cut_places", "grid_places"]

COLUMNS = ("frame", "y", "x")


def cell_places(movie: Movie, *, window: int = 1) -> pd.DataFrame:
    """Return the cells of all frames but the last: frame, y, x (pixels, the centre of the mask), cell_id, and event with tracks.

    Raises `OptionError` without labels, `NoCellsError` without cells.
    """
    parts = []
    for t in range(len(movie) - 1):
        labels = np.asarray(movie.label_image(t).labels)
        at = np.nonzero(labels)
        ids, centre = label_means(labels[at], np.stack(at[-2:]))
        place = {"frame": t, "y": centre[:, 0], "x": centre[:, 1], "cell_id": ids.astype(np.int64)}
        parts.append(pd.DataFrame(place))
    places = pd.concat(parts, ignore_index=True)
    if len(places) == 0:
        raise NoCellsError(expected("labelled cells", "none in any frame", "Check the segmentation."))
    if movie.tracks is not None:
        places["event"] = events_of_cells(
            movie, places["frame"].to_numpy(), places["cell_id"].to_numpy(), window=window
        )
    return places


def grid_places(movie: Movie, *, size: int) -> pd.DataFrame:
    """Return places that cover all frames but the last, half a place apart: frame, y, x (pixels)."""
    height, width = movie.frames.shape[-2:]
    along = [
        np.unique(np.linspace(size / 2, n - size / 2, max(1, round(2 * (n / size - 1)) + 1))) for n in (height, width)
    ]
    y, x = (a.ravel() for a in np.meshgrid(*along, indexing="ij"))
    parts = [pd.DataFrame({"frame": t, "y": y, "x": x}) for t in range(len(movie) - 1)]
    return pd.concat(parts, ignore_index=True)


def cut_places(places: pd.DataFrame, frame: Callable[[int], np.ndarray], n_frames: int, *, size: int) -> np.ndarray:
    """Return (n, 2, c, size, size) float16: every place in its frame and in the next.

    Parameters
    ----------
    places : frame, y, x in pixels; what lies outside the image is repeated from its edge.
    frame : (c, y, x) pixels or features of a frame; each is asked for once.
    n_frames : of the movie.
    size : side of a place.

    Raises
    ------
    MissingKeyError, ShapeError
        Without these columns; for a frame that has none after it.
    """
    absent = [c for c in COLUMNS if c not in places.columns]
    if absent:
        raise MissingKeyError(
            expected(f"places with the columns {', '.join(COLUMNS)}", list(places.columns), "Rename.")
        )
    t = places["frame"].to_numpy()
    if len(t) and (t.min() < 0 or t.max() > n_frames - 2):
        remedy = "An event is seen from its frame and the next."
        raise ShapeError(expected(f"frames 0 to {n_frames - 2}", f"{t.min()} to {t.max()}", remedy))
    out: np.ndarray | None = None
    half = size // 2
    before: tuple[int, np.ndarray] | None = None
    for now in np.unique(t):
        pair = [before[1] if before is not None and before[0] == now else frame(int(now)), frame(int(now) + 1)]
        before = (int(now) + 1, pair[1])
        if out is None:
            out = np.empty((len(t), 2, len(pair[0]), size, size), np.float16)
        edge = ((0, 0), (half, half), (half, half))
        padded = [np.pad(p, edge, mode="edge") for p in pair]
        for row in np.flatnonzero(t == now):
            y, x = (round(float(places[a].iloc[row])) for a in ("y", "x"))
            for i, p in enumerate(padded):
                out[row, i] = p[:, y : y + size, x : x + size]
    return np.zeros((0, 2, 0, size, size), np.float16) if out is None else out
