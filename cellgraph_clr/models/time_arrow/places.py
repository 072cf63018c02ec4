"""Places in movies: where events are looked for, cut out of frames or of their features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellgraph_clr._core.checks import check_finite, expected
from cellgraph_clr._core.errors import ArgumentKindError, MissingKeyError, NoCellsError, ShapeError
from cellgraph_clr.cells.events import events_of_cells
from cellgraph_clr.cells.label_means import label_means

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellgraph_clr.cells.movie import Movie

__all__ = ["cell_places", "cut_places", "grid_places", "planes_of"]


def planes_of(movie: Movie, size: int) -> int:
    """Return how many planes a place of `size` pixels has: as deep as it is wide, or all; an odd number, 1 in 2D."""
    if movie.ndim == 2:
        return 1
    depth = min(round(size * movie.spacing[-1] / movie.spacing[0]), movie.frames.shape[2])
    return max(1, depth - 1 + depth % 2)


def cell_places(movie: Movie, *, window: int = 1) -> pd.DataFrame:
    """Return the cells of all frames but the last: frame, (z,) y, x (voxels, the centre of the mask), cell_id; with tracks event.

    Raises `OptionError` without labels, `NoCellsError` without cells.
    """
    parts = []
    for t in range(len(movie) - 1):
        labels = np.asarray(movie.label_image(t).labels)
        at = np.nonzero(labels)
        ids, centre = label_means(labels[at], np.stack(at))
        place = {"frame": t, **dict(zip(_axes(movie.ndim), centre.T, strict=True)), "cell_id": ids.astype(np.int64)}
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
    """Return places that cover all frames but the last, half a place apart: frame, (z,) y, x (voxels)."""
    sizes = (planes_of(movie, size), size, size)[-movie.ndim :]
    along = [
        np.unique(np.linspace(k // 2, n - k + k // 2, max(1, round(2 * (n / k - 1)) + 1)).round())
        for n, k in zip(movie.frames.shape[2:], sizes, strict=True)
    ]
    at = {axis: a.ravel() for axis, a in zip(_axes(movie.ndim), np.meshgrid(*along, indexing="ij"), strict=True)}
    parts = [pd.DataFrame({"frame": t, **at}) for t in range(len(movie) - 1)]
    return pd.concat(parts, ignore_index=True)


def cut_places(
    places: pd.DataFrame,
    frame: Callable[[int], np.ndarray],
    n_frames: int,
    *,
    size: int,
    n_planes: int = 1,
    flat: bool = True,
) -> np.ndarray:
    """Return (n, 2, c, size, size) float16: every place in its frame and in the next.

    Parameters
    ----------
    places : frame, (z,) y, x in voxels, inside the image; what of them reaches beyond is repeated from its edge.
    frame : (c, [z,] y, x) pixels or features of a frame; each is asked for once.
    n_frames : of the movie.
    size : side of a place.
    n_planes : planes of a place, in 3D.
    flat : in 3D, take the highest value of the planes; else all are kept, (n, 2, c, n_planes, size, size).

    Raises
    ------
    ArgumentKindError, MissingKeyError, NonFiniteError, ShapeError
        For no table, or one without these columns, or of what are no numbers; for a frame that has none after it, and a place
        outside the image.
    """
    _check_columns(places, 2)
    t = _numbers(places, ("frame",))[:, 0]
    if len(t) and (t.min() < 0 or t.max() > n_frames - 2):
        remedy = "An event is seen from its frame and the next."
        raise ShapeError(expected(f"frames 0 to {n_frames - 2}", f"{t.min():g} to {t.max():g}", remedy))
    out: np.ndarray | None = None
    before: tuple[int, np.ndarray] | None = None
    for now in np.unique(t):
        pair = [before[1] if before is not None and before[0] == now else frame(int(now)), frame(int(now) + 1)]
        before = (int(now) + 1, pair[1])
        sides = (n_planes, size, size)[-(pair[0].ndim - 1) :]
        if out is None:
            _check_columns(places, len(sides))
            at = _numbers(places, _axes(len(sides))).round().astype(int)
            _check_inside(at, pair[0].shape[1:])
            kept = sides[-2:] if flat else sides
            out = np.empty((len(t), 2, len(pair[0]), *kept), np.float16)
        padded = [np.pad(p, [(0, 0), *[(k // 2, k // 2) for k in sides]], mode="edge") for p in pair]
        for row in np.flatnonzero(t == now):
            box = tuple(slice(a, a + k) for a, k in zip(at[row], sides, strict=True))
            for i, p in enumerate(padded):
                piece = p[(slice(None), *box)]
                out[row, i] = piece.max(axis=1) if flat and len(sides) == 3 else piece
    return np.zeros((0, 2, 0, size, size), np.float16) if out is None else out


def _axes(ndim: int) -> tuple[str, ...]:
    return ("z", "y", "x")[-ndim:]


def _numbers(places: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Return columns (n, k) float64; raises `ArgumentKindError` and `NonFiniteError` for what are no numbers."""
    try:
        values = places[list(names)].to_numpy(np.float64)
    except (TypeError, ValueError):
        found = ", ".join(f"{name}: {places[name].dtype}" for name in names)
        raise ArgumentKindError(expected("numbers in the table of places", found, "Convert these columns.")) from None
    check_finite(values, what="places", names=list(names), remedy="Leave these rows out.")
    return values


def _check_inside(at: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise `ShapeError` unless places (n, d), in whole voxels, lie in an image of this shape."""
    outside = np.flatnonzero(((at < 0) | (at >= np.array(shape))).any(axis=1))
    if len(outside):
        found = f"{tuple(at[outside[0]].tolist())} in row {outside[0]}, and {len(outside) - 1} others"
        raise ShapeError(
            expected(f"places in an image of {shape}", found, "Positions are in voxels, not in physical units.")
        )


def _check_columns(places: pd.DataFrame, ndim: int) -> None:
    """Raise `MissingKeyError` unless places have their frame and a position in so many dimensions."""
    if not isinstance(places, pd.DataFrame):
        raise ArgumentKindError(
            expected("a table of places (pandas)", type(places).__name__, "With the columns frame, y and x.")
        )
    names = ("frame", *_axes(ndim))
    if any(c not in places.columns for c in names):
        raise MissingKeyError(expected(f"places with the columns {', '.join(names)}", list(places.columns), "Rename."))
