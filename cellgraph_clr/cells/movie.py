"""`Movie`: frames with spacing and time, labels and lineage where there are some, checked once at the door."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, check_option, expected
from cellgraph_clr._core.errors import MissingKeyError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.units import PIXEL, canonical_unit
from cellgraph_clr.cells.given import given_image, given_labels
from cellgraph_clr.cells.label_image import LabelImage, check_spacing, check_unit_alone
from cellgraph_clr.cells.lazy_arrays import OneChannelFrames
from cellgraph_clr.cells.lineage import TRACK_COLUMNS, check_lineage, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["Movie", "check_movie"]

AXES = ("tyx", "tcyx", "tzyx", "tczyx")


@dataclass(frozen=True, slots=True, eq=False)
class Movie:
    """Frames of one field over time.

    Made by `build` or `cgc.read_movie`.

    Parameters
    ----------
    frames : object
        (t, c, [z,] y, x) intensities of any real dtype; NumPy, memory map, Zarr, dask or a folder of frames, read frame
        by frame.
    spacing : tuple of float
        Size of a pixel or voxel along z, y, x in `unit`.
    unit : str, default PIXEL
        "micrometer", "pixel", ….
    frame_interval : float or None, default None
        Seconds between frames; None when it is not known.
    labels : object, default None
        (t, [z,] y, x) integers, 0 is background, or None; ids are tracks where `tracks` are given.
    tracks : pandas.DataFrame or None, default None
        One line a track with the columns track, begin, end (frames, both included) and parent (0: none), or None.
    channels : tuple of str, default ()
        One name per channel.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> cgc.Movie.build(np.zeros((4, 16, 16)), axes="tyx", spacing=0.5, unit="micrometer")
    <Movie of 4 frames 16 x 16, channels intensity>
    """

    frames: Any
    spacing: tuple[float, ...]
    unit: str = PIXEL
    frame_interval: float | None = None
    labels: Any = None
    tracks: pd.DataFrame | None = None
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that frames have channels, and the spacing their axes."""
        n_axes = getattr(self.frames, "ndim", 0)
        if n_axes not in (4, 5):
            remedy = "Make one: `cgc.Movie.build(frames, labels)`, or `cgc.read_movie`."
            raise ShapeError(
                expected("frames (t, c, [z,] y, x)", getattr(self.frames, "shape", type(self.frames)), remedy)
            )
        object.__setattr__(self, "spacing", check_spacing(self.spacing, n_axes - 2))

    @classmethod
    @checked
    def build(
        cls,
        frames: Any,
        labels: Any = None,
        tracks: pd.DataFrame | None = None,
        *,
        axes: str | None = None,
        spacing: float | Sequence[float] | None = None,
        unit: str = PIXEL,
        frame_interval: float | None = None,
        channels: Sequence[str] | None = None,
    ) -> Movie:
        """Return a checked movie.

        Parameters
        ----------
        frames : object
            An array whose axes are `axes`.
        labels : object, default None
            (t, [z,] y, x).
        tracks : pandas.DataFrame or None, default None
            As in `Movie`.
        axes : str or None, default None
            "tyx", "tcyx", "tzyx" or "tczyx"; None takes the first, second and last by the number of axes.
        spacing : float or sequence of float or None, default None
            As in `Movie`; 1 pixel, and names by number, when not given.
        unit : str, default PIXEL
            As in `Movie`; 1 pixel, and names by number, when not given.
        frame_interval : float or None, default None
            As in `Movie`; 1 pixel, and names by number, when not given.
        channels : sequence of str or None, default None
            As in `Movie`; 1 pixel, and names by number, when not given.

        Returns
        -------
        Movie
            The checked movie.

        Raises
        ------
        ShapeError
            If axes, labels or names do not fit the frames.
        OptionError
            For a wrong spacing, frame interval or name of axes.
        LabelImageError
            If labels are no integers, or frames no real numbers.
        MissingKeyError, ShapeError, OptionError
            For tracks without the columns, that end outside the movie, or as `check_lineage`.
        NoCellsError
            For an empty movie.

        Examples
        --------
        >>> import numpy as np
        >>> import cellgraph_clr as cgc
        >>> cgc.Movie.build(np.zeros((4, 16, 16)), axes="tyx", spacing=0.5, unit="micrometer")
        <Movie of 4 frames 16 x 16, channels intensity>
        """
        frames = given_image(frames)
        names = {3: "tyx", 4: "tcyx", 5: "tczyx"}
        if axes is None and frames.ndim not in names:
            raise ShapeError(expected("a movie of 3 to 5 axes (t, [c], [z], y, x)", f"{frames.ndim}", "Pick a field."))
        axes = axes or names[frames.ndim]
        check_option("axes", axes, AXES)
        if frames.ndim != len(axes):
            raise ShapeError(expected(f"frames with the axes {axes}", f"shape {frames.shape}", "Pass other `axes`."))
        if 0 in frames.shape:
            raise NoCellsError(expected("at least one frame", f"shape {frames.shape}", "Check the file."))
        if "c" not in axes:
            frames = OneChannelFrames(frames)
        ndim = len(frames.shape) - 2
        n_channels = frames.shape[1]
        numbered = ["intensity"] if n_channels == 1 else [f"channel_{i}" for i in range(n_channels)]
        given = tuple(numbered if channels is None else channels)
        if len(given) != n_channels:
            raise ShapeError(expected(f"{n_channels} names of channels", len(given), "Name every channel."))
        if frame_interval is not None:
            check_in_range("frame_interval", frame_interval, low=0, low_open=True)
        if labels is not None:
            labels = given_labels(labels)
            wanted = (frames.shape[0], *frames.shape[2:])
            if tuple(labels.shape) != wanted:
                remedy = "Frames and labels need one length and one grid."
                raise ShapeError(expected(f"labels of shape {wanted}", tuple(labels.shape), remedy))
        if spacing is None:
            check_unit_alone(unit)
        size = check_spacing(1.0 if spacing is None else spacing, ndim)
        return cls(frames, size, canonical_unit(unit), frame_interval, labels, _checked(tracks, frames.shape[0]), given)

    def __len__(self) -> int:
        """Return the number of frames."""
        return int(self.frames.shape[0])

    def __repr__(self) -> str:
        """Return one sentence."""
        shape = " x ".join(str(n) for n in self.frames.shape[2:])
        every = "" if self.frame_interval is None else f", one every {self.frame_interval:g} s"
        more = [name for name, part in (("labels", self.labels), ("tracks", self.tracks)) if part is not None]
        return f"<Movie of {len(self)} frames {shape}{every}, channels {', '.join([*self.channels, *more])}>"

    @property
    def ndim(self) -> int:
        """2 or 3.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> cgc.datasets.movie(6, 5, random_state=0).ndim
        2
        """
        return len(self.spacing)

    def cut(self, first: int, last: int) -> Movie:
        """Return the frames from `first` on and before `last` as a movie; tracks are cut at its ends.

        In memory where the frames are; else they are read. Raises `OptionError` for frames that are not there or in no order.

        Parameters
        ----------
        first : int
            First frame kept.
        last : int
            The frame after the last one kept.

        Returns
        -------
        Movie
            The frames from `first` on and before `last` as a movie.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.movie(6, 5, random_state=0)
        >>> len(movie), len(movie.cut(1, 4))
        (5, 3)
        """
        check_in_range("first", first, low=0, high=len(self) - 1)
        check_in_range("last", last, low=first + 1, high=len(self))
        span = range(first, last)
        inside = None
        if self.tracks is not None:
            kept = self.tracks[(self.tracks["begin"] < last) & (self.tracks["end"] >= first)]
            begin, end = kept["begin"].clip(lower=first) - first, kept["end"].clip(upper=last - 1) - first
            inside = kept.assign(begin=begin, end=end).reset_index(drop=True)
        masks = None if self.labels is None else np.stack([np.asarray(self.labels[t]) for t in span])
        return replace(self, frames=np.stack([np.asarray(self.frames[t]) for t in span]), labels=masks, tracks=inside)

    def frame(self, t: int) -> np.ndarray:
        """Return frame t (c, [z,] y, x) float32.

        Parameters
        ----------
        t : int
            Number of the frame, from 0.

        Returns
        -------
        numpy.ndarray
            Frame t (c, [z,] y, x) float32.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.movie(6, 5, random_state=0)
        >>> movie.frame(0).shape  # one channel
        (1, 35, 35)
        """
        return np.asarray(self.frames[t], np.float32)

    def label_image(self, t: int) -> LabelImage:
        """Return the labels of frame t with its intensities. Raises `OptionError` without labels.

        Parameters
        ----------
        t : int
            Number of the frame, from 0.

        Returns
        -------
        LabelImage
            The labels of frame t with its intensities.

        Examples
        --------
        >>> import cellgraph_clr as cgc
        >>> movie = cgc.datasets.movie(6, 5, random_state=0)
        >>> cells = cgc.from_labels(movie.label_image(0))
        >>> cells.n_obs
        6
        """
        if self.labels is None:
            raise OptionError(expected("a movie with labels", "one without", "Pass `labels=` to `cgc.read_movie`."))
        return LabelImage.build(
            np.asarray(self.labels[t]),
            np.asarray(self.frames[t]),
            spacing=self.spacing,
            unit=self.unit,
            channels=self.channels,
        )


def _checked(tracks: pd.DataFrame | None, n_frames: int) -> pd.DataFrame | None:
    if tracks is None:
        return None
    if not hasattr(tracks, "columns"):
        remedy = f"Pass a DataFrame with the columns {', '.join(TRACK_COLUMNS)}."
        raise OptionError(expected("`tracks` as a table", type(tracks).__name__, remedy))
    absent = [c for c in TRACK_COLUMNS if list(tracks.columns).count(c) != 1]
    if absent:
        raise MissingKeyError(
            expected(f"tracks with the columns {', '.join(TRACK_COLUMNS)}", list(tracks.columns), "Rename.")
        )
    rows = [f"row {i} of `tracks`" for i in range(len(tracks))]
    whole = whole_numbers(tracks, rows)
    late = whole[(whole["end"] >= n_frames) | (whole["begin"] < 0) | (whole["begin"] > whole["end"])]
    if len(late):
        found = f"track {late['track'].iloc[0]} from {late['begin'].iloc[0]} to {late['end'].iloc[0]}"
        raise ShapeError(expected(f"tracks between frames 0 and {n_frames - 1}", found, "Is it of another movie?"))
    check_lineage(whole, rows, whole=False)  # of a movie that was cut
    return whole


def check_movie(movie: object) -> None:
    """Raise `OptionError` for anything but a `Movie`."""
    if not isinstance(movie, Movie):
        remedy = "Make one: `cgc.Movie.build`, or `cgc.read_movie`."
        raise OptionError(expected("a `Movie`", type(movie).__name__, remedy))
