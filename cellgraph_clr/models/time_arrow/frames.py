"""Frames as `TimeArrow` sees them: normalised, cut into tiles, and split by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import NoCellsError, ShapeError
from cellgraph_clr.cells.movie import check_movie

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellgraph_clr.cells.movie import Movie

__all__ = ["check_movies", "dense_by_tiles", "normalised", "stacked_frames", "time_ranges"]

SEEN = 4  # pairs of frames that are held out at least
LOW, HIGH = 1.0, 99.8  # percentiles that become 0 and 1


def check_movies(movies: Movie | Sequence[Movie], *, size: int, reach: int) -> list[Movie]:
    """Return the movies as a list.

    Raises `OptionError` for anything but movies, `ShapeError` for movies of fewer than 1 + `reach` frames, smaller than `size`,
    or that differ in dimension or channels, and `NoCellsError` for an empty list.
    """
    several: list[Any] = list(movies) if isinstance(movies, (list, tuple)) else [movies]
    if not several:
        raise NoCellsError(expected("at least one movie", "an empty list", "Pass movies."))
    for i, movie in enumerate(several):
        check_movie(movie)
        if len(movie) <= reach:
            remedy = "Time needs more frames; or lower `steps`."
            raise ShapeError(expected(f"movies of at least {reach + 1} frames", f"{len(movie)} in movie {i}", remedy))
        shape = movie.frames.shape
        if min(shape[-2:]) < size:
            remedy = "Lower `crop_px`."
            raise ShapeError(expected(f"frames of at least {size} pixels a side", f"{shape[-2:]} in movie {i}", remedy))
        first = several[0].frames.shape
        if len(shape) != len(first) or shape[1] != first[1]:
            found = f"{len(shape) - 2}D, {shape[1]} channels in movie {i}"
            raise ShapeError(expected(f"movies in {len(first) - 2}D of {first[1]} channels", found, "Learn apart."))
    return several


def normalised(frame: np.ndarray) -> np.ndarray:
    """Return a frame (c, [z,] y, x) float32 whose 1 and 99.8 percentiles are 0 and 1 in every channel, clipped at -1 and 5."""
    flat = frame.reshape(len(frame), -1)
    low, high = np.percentile(flat, (LOW, HIGH), axis=1)
    shape = (-1, *(1,) * (frame.ndim - 1))
    spread = np.maximum(high - low, 1e-6 * np.maximum(np.abs(high), 1)).reshape(shape)
    return np.clip((frame - low.reshape(shape)) / spread, -1, 5).astype(np.float32)


def stacked_frames(movie: Movie, multiple: int) -> np.ndarray:
    """Return all frames (t, c, [z,] y, x) float16, normalised; z is filled by 0 up to a multiple."""
    frames = np.stack([normalised(movie.frame(t)) for t in range(len(movie))]).astype(np.float16)
    if frames.ndim == 4 or frames.shape[2] % multiple == 0:
        return frames
    more = -frames.shape[2] % multiple
    return np.pad(frames, [(0, more if axis == 2 else 0) for axis in range(frames.ndim)])


def time_ranges(n_frames: int, share: float, held_out: str, reach: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the frames (first, last not included) to learn from and those held out, one stretch each.

    With a share above 0 the stretch held out has room for a pair, and for four where that leaves half of the frames. Raises
    `ShapeError` when nothing is left to learn from.
    """
    n_out = max(round(share * n_frames), reach + 1, min(reach + SEEN, n_frames // 2)) if share > 0 else 0
    if n_frames - n_out <= reach:
        found = f"{n_frames - n_out} of {n_frames} frames to learn from"
        raise ShapeError(expected(f"more than {reach} frames beside those held out", found, "Lower `validation`."))
    if held_out == "first":
        return (n_out, n_frames), (0, n_out)
    return (0, n_frames - n_out), (n_frames - n_out, n_frames)


def dense_by_tiles(
    frame: np.ndarray,
    dense: Callable[[np.ndarray], np.ndarray],
    n_features: int,
    *,
    multiple: int,
    halo: int,
    tile: int,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Return the features (n_features, [z,] y, x) of a frame (c, [z,] y, x), worked out in tiles of y and x.

    Parameters
    ----------
    frame : normalised.
    dense : features of a padded piece (c, [z,] y, x) whose sides are multiples of `multiple`.
    halo : pixels around a tile that its features depend on, a multiple of `multiple`.
    tile : pixels of a tile along y and x, a multiple of `multiple`.
    out : array to write to; None makes one, float32.

    Notes
    -----
    Beside the frame and `out`, memory is that of one tile with its halo. The frame is padded by 0 at its end to whole multiples,
    as it would be without tiles, so that tiles equal the whole frame to rounding.
    """
    shape = np.array(frame.shape[1:])
    padded = -(-shape // multiple) * multiple
    result = np.empty((n_features, *shape), np.float32) if out is None else out
    height, width = shape[-2:]
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            low = np.maximum([top - halo, left - halo], 0)
            high = np.minimum([top + tile + halo, left + tile + halo], padded[-2:])
            piece = frame[..., low[0] : min(high[0], height), low[1] : min(high[1], width)]
            full = (len(frame), *padded[:-2], *(high - low))
            padding = [(0, int(b - a)) for a, b in zip(piece.shape, full, strict=True)]
            found = dense(np.pad(piece, padding))
            down, right = min(top + tile, height), min(left + tile, width)
            inside = found[..., top - low[0] : down - low[0], left - low[1] : right - low[1]]
            if frame.ndim == 4:
                inside = inside[:, : shape[0]]
            result[..., top:down, left:right] = inside
    return result
