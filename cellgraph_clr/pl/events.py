"""Events in movies: errors over time, and where a model sees the direction of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, check_option, check_whole
from cellgraph_clr.pl.canvas import finish, legend_beside, one_axes, scale_bar
from cellgraph_clr.pl.door import drawn

if TYPE_CHECKING:
    import os

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

    from cellgraph_clr.cells.movie import Movie
    from cellgraph_clr.models.time_arrow.model import TimeArrow

__all__ = ["arrow_attribution", "event_errors"]

SIDE = 48  # pixels of an inset
FAINT = 0.1  # of the strongest evidence, below which a place gets no inset


@drawn
def event_errors(
    table: pd.DataFrame,
    *,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw events by frame: found and missed ones upwards, false alarms downwards.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `metrics.errors_over_time`.
    title : str or None, default None
        None counts events and false alarms.
    figsize : tuple of float, float or None, default None
        As in `pl.spatial`.
    ax : matplotlib.axes.Axes or None, default None
        As in `pl.spatial`.
    show : bool or None, default None
        As in `pl.spatial`.
    save : str or path-like or None, default None
        As in `pl.spatial`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    MissingKeyError
        For another table.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(8, 14, side=128, random_state=0)
    >>> adata = cgc.from_movie(movie)
    >>> adata.obs["marked"] = adata.obs["event"].astype(str).where(adata.obs["frame"] < 9, "unassigned")
    >>> found = cgc.tl.detect_events(adata, movie, label_key="marked")
    >>> frame = adata.obs["frame"].to_numpy()
    >>> true = (adata.obs["event"] == "division").to_numpy()
    >>> called = (adata.obs["event_pred"] == "division").to_numpy()
    >>> axes = cgc.pl.event_errors(cgc.metrics.errors_over_time(frame, true, called))
    """
    from matplotlib.ticker import MaxNLocator

    for name in ("events", "found", "false_alarms", "missed"):
        check_key(name, list(table.columns), where="the table", remedy="Pass that of `cgc.metrics.errors_over_time`.")
    ax = one_axes(ax, (7, 3.5), figsize)
    frame = table.index.to_numpy()
    ax.bar(frame, table["found"], width=0.9, color="#009e73", label="found")
    ax.bar(frame, table["missed"], width=0.9, bottom=table["found"], color="#e69f00", label="missed")
    ax.bar(frame, -table["false_alarms"], width=0.9, color="#cc79a7", label="false alarms")
    ax.axhline(0, color="black", linewidth=0.8)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(lambda v, _: f"{abs(v):g}")
    ax.set_xlabel("frame")
    ax.set_ylabel("events")
    total = table.sum()
    text = f"{total['found']} of {total['events']} events found, {total['false_alarms']} false alarms"
    ax.set_title(text if title is None else title, fontsize=10)
    legend_beside(ax, ax.get_legend_handles_labels()[0])
    finish(ax, show=show, save=save)
    return ax


@drawn
def arrow_attribution(
    movie: Movie,
    model: TimeArrow,
    t: int,
    *,
    n_insets: int = 8,
    channel: int | str = 0,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw where in a frame the direction of time is seen, and its strongest places with the frame after.

    Parameters
    ----------
    movie : Movie
        The movie; of volumes the highest value along z is drawn.
    model : TimeArrow
        A fitted `TimeArrow`.
    t : int
        Frame.
    n_insets : int, default 8
        At most so many places of 48 pixels, strongest first, that do not overlap.
    channel : int or str, default 0
        Name or number of the channel shown.
    title : str or None, default None
        Of the frame; None says how well the model tells the order of frames it has not seen.
    figsize : tuple of float, float or None, default None
        As in `pl.spatial`.
    show : bool or None, default None
        As in `pl.spatial`.
    save : str or path-like or None, default None
        As in `pl.spatial`.

    Returns
    -------
    numpy.ndarray
        The axes: the frame, then two for every inset (frame t above, the later one below).

    Raises
    ------
    ShapeError, CellGraphError, OptionError
        As `TimeArrow.attribution`; for `n_insets` below 1.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> movie = cgc.datasets.event_movie(6, 8, side=96, random_state=0)
    >>> model = cgc.models.TimeArrow(n_steps=2, crop_px=32, n_features=4, validation=0, progress=False).fit(movie)
    >>> axes = cgc.pl.arrow_attribution(movie, model, 3, n_insets=2, save="arrow.png", show=False)
    """
    import matplotlib.pyplot as plt
    from scipy.ndimage import gaussian_filter

    check_whole("n_insets", n_insets)
    check_option("channel", channel, (*range(len(movie.channels)), *movie.channels))
    channel = movie.channels.index(channel) if isinstance(channel, str) else channel
    step = model.config.steps[0]
    heat = gaussian_filter(_flat(model.attribution(movie, t)), 2)
    early, late = _flat(movie.frame(t)[channel]), _flat(movie.frame(t + step)[channel])
    low, high = np.percentile(early, (1, 99.8))
    places = strongest(np.where(heat > FAINT * heat.max(), heat, 0), n_insets, SIDE)
    columns = max(-(-len(places) // 2), 1)
    figure = plt.figure(figsize=figsize or (5 + 1.4 * columns, 5), layout="constrained")
    grid = figure.add_gridspec(4, columns + 4)
    main = figure.add_subplot(grid[:, :4])
    main.imshow(early, cmap="gray", vmin=low, vmax=high)
    top = max(float(heat.max()), 1e-9)
    seen = main.imshow(heat, cmap="inferno", vmin=0, vmax=top, alpha=np.clip(heat / top, 0, 1) * 0.8)
    bar = figure.colorbar(seen, ax=main, orientation="horizontal", shrink=0.6, pad=0.02, ticks=[0, top])
    bar.ax.set_xticklabels(["none", "strongest"])
    bar.set_label("evidence for the direction of time", fontsize=8)
    scale_bar(main, movie.unit, step=movie.spacing[-1])
    told = (
        "" if model.accuracy_ is None else f"\nthe order of {model.accuracy_:.0%} of unseen pairs is told (chance 50 %)"
    )
    main.set_title(f"Grad-CAM of the time arrow, frame {t}{told}" if title is None else title, fontsize=10)
    main.set_axis_off()
    axes = [main]
    for i, (y, x) in enumerate(places):
        top, left = (int(np.clip(v - SIDE // 2, 0, max(n - SIDE, 0))) for v, n in zip((y, x), early.shape, strict=True))
        main.add_patch(_frame(left, top))
        main.text(left + 2, top + 10, str(i + 1), color="white", fontsize=7)
        row, column = 2 * (i // columns), 4 + i % columns
        for below, picture in enumerate((early, late)):
            ax = figure.add_subplot(grid[row + below, column])
            ax.imshow(picture[top : top + SIDE, left : left + SIDE], cmap="gray", vmin=low, vmax=high)
            ax.set_axis_off()
            ax.set_title(f"{i + 1}: frame {t}" if below == 0 else f"frame {t + step}", fontsize=7)
            axes.append(ax)
    finish(main, show=show, save=save)
    return np.array(axes, object)


def _flat(picture: np.ndarray) -> np.ndarray:
    """Return ([z,] y, x) as (y, x)."""
    return picture if picture.ndim == 2 else picture.max(axis=0)


def strongest(heat: np.ndarray, n: int, apart: int) -> list[tuple[int, int]]:
    """Return the pixels (y, x) of the n highest values, strongest first, no two within `apart` along both axes."""
    left = heat.copy()
    out = []
    for _ in range(n):
        y, x = np.unravel_index(int(left.argmax()), left.shape)
        if left[y, x] <= 0:
            break
        out.append((int(y), int(x)))
        left[max(y - apart + 1, 0) : y + apart, max(x - apart + 1, 0) : x + apart] = 0
    return out


def _frame(left: int, top: int) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((left - 0.5, top - 0.5), SIDE, SIDE, fill=False, edgecolor="white", linewidth=0.8)
