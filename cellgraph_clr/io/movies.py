"""Movies from TIFF, folders of frames and OME-Zarr, with labels and lineage in the form of the Cell Tracking Challenge."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import expected, listing, sample_name
from cellgraph_clr._core.errors import FileFormatError, MissingFileError, ShapeError
from cellgraph_clr.cells.blocks import array_like, is_chunked
from cellgraph_clr.cells.lazy_arrays import Squeezed
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.io.arrays import Pixels, array_shape, read_array
from cellgraph_clr.io.foreign import file_to_read, guarded
from cellgraph_clr.io.scales import settled_scale, warn_difference
from cellgraph_clr.io.tiff import RawImage
from cellgraph_clr.io.tracks import read_tracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

__all__ = ["from_movie", "read_movie"]

SUFFIXES = (".tif", ".tiff", ".npy")
SHOWN = 10  # missing frames that are named


class FrameFolder:
    """Frames in files of one folder, one file a frame, read when they are asked for; looks like an array (t, …)."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = list(files)
        first = self._read(0)
        self.shape = (len(self.files), *first.shape)
        self.dtype, self.ndim, self.chunks = first.dtype, first.ndim + 1, (1, *first.shape)

    def __getitem__(self, t: int) -> np.ndarray:
        frame = self._read(int(t))
        if frame.shape != self.shape[1:]:
            remedy = "Frames need one shape."
            raise ShapeError(expected(f"{self.files[t].name} of shape {self.shape[1:]}", frame.shape, remedy))
        return frame

    def _read(self, t: int) -> np.ndarray:
        return np.asarray(read_array(self.files[t]).data)


def _frames_of(folder: Path) -> FrameFolder:
    """Return the frames of a folder in the order of the last number in their names; refuses gaps and other shapes."""
    files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES]
    numbered: dict[int, list[Path]] = {}
    for file in files:
        number = re.findall(r"\d+", file.stem)
        if not number:
            remedy = "Keep other files elsewhere."
            raise FileFormatError(expected("file names with a frame number", f"{file.name!r}", remedy))
        numbered.setdefault(int(number[-1]), []).append(file)
    if not numbered:
        remedy = f"It needs {', '.join(SUFFIXES)} files."
        raise MissingFileError(expected(f"frames in {str(folder)!r}", "none", remedy))
    double = [f.name for same in numbered.values() if len(same) > 1 for f in same]
    if double:
        raise FileFormatError(expected("one file a frame", listing(double), "Keep channels in one file, or apart."))
    first, last = min(numbered), max(numbered)
    n_gaps = last - first + 1 - len(numbered)
    if n_gaps:
        gaps = list(
            islice((t for t in range(first, last) if t not in numbered), SHOWN)
        )  # numbers may be times: few are made
        more = f" and {n_gaps - SHOWN} more" if n_gaps > SHOWN else ""
        found = f"no frame {', '.join(map(str, gaps))}{more} in {str(folder)!r}"
        raise MissingFileError(expected(f"all frames from {first} to {last}", found, "Restore or renumber them."))
    frames = FrameFolder([numbered[t][0] for t in range(first, last + 1)])
    for file in frames.files:  # headers alone
        shape = array_shape(file_to_read(file))
        if shape != frames.shape[1:]:
            remedy = "Frames need one shape."
            raise ShapeError(expected(f"{file.name} of shape {frames.shape[1:]}, like the first", shape, remedy))
    return frames


def _read_stack(path: Any) -> tuple[RawImage, str | None]:
    """Return the frames of a file, folder or array, and their axes where the file says that one is time."""
    if not isinstance(path, (str, os.PathLike)):
        return RawImage(guarded(array_like(path), path), "", {}, None), None
    target = file_to_read(path)
    inside = target.is_dir() and not any((target / n).exists() for n in (".zgroup", ".zarray", ".zattrs", "zarr.json"))
    if inside and ".zarr" not in target.suffixes:
        return RawImage(_frames_of(target), "", {}, None), None
    raw = read_array(target)
    axes = raw.axes.upper()
    if "T" not in axes:  # pages without a name, or planes: the first axis is time
        return raw, None
    fixed = [i for i, a in enumerate(axes) if raw.data.shape[i] == 1 and a not in "TYX"]
    found = "".join(a for i, a in enumerate(axes) if i not in fixed)
    data = raw.data
    if fixed:
        data = Squeezed(data, fixed) if is_chunked(data) else data.squeeze(tuple(fixed))
    order = [found.index(a) for a in "TCZYX" if a in found]
    if order != sorted(order):
        data = np.transpose(np.asarray(data), order)
    raw.data = data
    return raw, "".join(found[i] for i in order).lower()


@checked
def read_movie(
    path: Any,
    labels: Any = None,
    tracks: str | os.PathLike[str] | pd.DataFrame | None = None,
    *,
    axes: str | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str | None = None,
    frame_interval: float | None = None,
    channels: Sequence[str] | None = None,
) -> Movie:
    """Return a movie from disk.

    Parameters
    ----------
    path : object
        .tif / .tiff, .npy, an OME-Zarr, or a folder with one file a frame, numbered; or an array.
    labels : object, default None
        Masks in one of these forms, on the same grid; ids are tracks where tracks are given.
    tracks : str or path-like or pandas.DataFrame or None, default None
        `man_track.txt` of the Cell Tracking Challenge (track begin end parent, no header), a .csv with these columns
        ("L B E P" or "start", "end" are understood), or a table.
    axes : str or None, default None
        Order of the axes, e.g. "tzyx"; None takes those of the file, or time first.
    spacing : float or sequence of float or None, default None
        As in `read_labels`.
    unit : str or None, default None
        As in `read_labels`.
    frame_interval : float or None, default None
        Seconds between frames; overrides what the file says.
    channels : sequence of str or None, default None
        As in `read_labels`.

    Returns
    -------
    Movie
        `Movie`. Folders and Zarr are read frame by frame when needed, large .npy are memory-mapped, TIFF files read as
        a whole.

    Raises
    ------
    MissingFileError
        If a file, or a frame between the first and the last of a folder, is not there.
    FileFormatError, ShapeError, LabelImageError, OptionError, MissingKeyError
        For files that cannot be read, frames of different shape, labels of other length or grid, wrong options or tracks.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> np.save("movie.npy", np.zeros((5, 32, 32), np.uint8))
    >>> cgc.read_movie("movie.npy", spacing=0.5, unit="micrometer", frame_interval=60)
    <Movie of 5 frames 32 x 32, one every 60 s, channels intensity>
    """
    raw, named = _read_stack(path)
    axes = axes or named
    ndim = 3 if "z" in (axes or "") or (axes is None and raw.data.ndim == 5) else 2
    masks = None if labels is None else _read_stack(labels)[0]
    sources = [raw] if masks is None else [raw, masks]
    known = next((r for r in sources if r.spacing and all(a in r.spacing for a in "zyx"[-ndim:])), None)
    if masks is not None and spacing is None:
        of_masks, of_frames = (Pixels(r.data, None, r.spacing, r.unit) for r in (masks, raw))
        warn_difference(of_masks, of_frames, ndim)
    found = None if known is None else [known.spacing[a] for a in "zyx"[-ndim:]]
    found_unit = None if known is None else known.unit
    sizes, name = settled_scale(spacing, unit, found=found, found_unit=found_unit, ndim=ndim)
    if channels is None and raw.channels and axes is not None and "c" in axes:
        channels = raw.channels if len(raw.channels) == raw.data.shape[axes.index("c")] else None
    table = read_tracks(tracks) if isinstance(tracks, (str, os.PathLike)) else tracks
    return Movie.build(
        raw.data,
        None if masks is None else masks.data,
        table,
        axes=axes,
        spacing=sizes,
        unit=name,
        frame_interval=raw.frame_interval if frame_interval is None else frame_interval,
        channels=channels,
    )


@checked
def from_movie(
    movie: Movie,
    *,
    features: Sequence[str] = ("shape", "intensity"),
    library_id: str | None = None,
    n_jobs: int | None = -1,
) -> AnnData:
    """Return the cells of all frames of a movie with labels as one AnnData.

    Parameters
    ----------
    movie : Movie
        With labels.
    features : sequence of str, default ("shape", "intensity")
        As in `from_labels`.
    library_id : str or None, default None
        Name of the movie, written to `obs["library_id"]`; movies with names are joined by `cgc.concat`.
    n_jobs : int or None, default -1
        Threads.

    Returns
    -------
    AnnData
        As `from_labels` of every frame: `obs["frame"]` counts from 0 and keeps graphs in space within frames,
        `obs["region"]` names it, `obs["track"]` is the id in the masks, and with tracks `obs["event"]` says what
        becomes of the cell (see `cells.events`). Frames without cells are left out.

    Raises
    ------
    OptionError
        Without labels.
    NoCellsError
        If no frame has a cell.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(6, 6, side=96, random_state=0)
    >>> adata = cgc.from_movie(movie)
    >>> int(adata.obs["frame"].max())
    5
    """
    from cellgraph_clr.io.samples import as_frames, concat_labelled

    width = len(str(len(movie) - 1))
    images = ((f"frame_{t:0{width}d}", movie.label_image(t), {"frame": t}) for t in range(len(movie)))
    library_id = sample_name(library_id)
    out = as_frames(concat_labelled(images, where="frame", features=features, n_jobs=n_jobs), library_id)
    out.obs["track"] = out.obs["cell_id"].to_numpy()
    if movie.tracks is not None:
        import pandas as pd

        from cellgraph_clr.cells.events import EVENTS, events_of_cells

        event = events_of_cells(movie, out.obs["frame"].to_numpy(), out.obs["track"].to_numpy())
        out.obs["event"] = pd.Categorical(event, categories=EVENTS)
    return out
