"""Events in movies: errors over time, and where a model sees the direction of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, check_whole
from cellgraph_clr.pl.canvas import new_axes, save_figure

if TYPE_CHECKING:
    import os

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

    from cellgraph_clr.cells.movie import Movie
    from cellgraph_clr.models.time_arrow import TimeArrow

__all__ = ["arrow_attribution", "event_errors"]

SIDE = 48  # pixels of an inset


def event_errors(table: pd.DataFrame, *, ax: Axes | None = None, save: str | os.PathLike[str] | None = None) -> Axes:
    """Draw false alarms and missed events by frame beside all true events.

    Parameters
    ----------
    table : of `metrics.errors_over_time`.
    ax, save : draw into these axes; write the figure to this file.

    Raises
    ------
    MissingKeyError
        For another table.
    """
    from matplotlib.ticker import MaxNLocator

    for name in ("events", "found", "false_alarms", "missed"):
        check_key(name, list(table.columns), where="the table", remedy="Pass that of `cgc.metrics.errors_over_time`.")
    ax = new_axes(ax, (7, 3.5))
    frame = table.index.to_numpy()
    ax.bar(frame, table["events"], width=0.9, color="#dddddd", label="true events")
    ax.bar(frame, table["found"], width=0.9, color="#4c9f70", label="found")
    for name, marker, color in (("missed", "v", "#d7263d"), ("false_alarms", "x", "#1b4965")):
        some = table[name].to_numpy() > 0
        label = name.replace("_", " ")
        ax.plot(frame[some], table[name][some], marker, color=color, markersize=5, label=label)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("frame")
    ax.set_ylabel("places")
    total = table.sum()
    ax.set_title(f"{total['found']} of {total['events']} events found, {total['false_alarms']} false alarms")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    save_figure(ax, save)
    return ax


def arrow_attribution(
    movie: Movie,
    model: TimeArrow,
    t: int,
    *,
    n_insets: int = 8,
    channel: int = 0,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw where in a frame the direction of time is seen, and its strongest places with the frame after.

    Parameters
    ----------
    movie : in 2D.
    model : a fitted `TimeArrow`.
    t : frame.
    n_insets : places of 48 pixels, strongest first, that do not overlap.
    channel : shown.
    save : write the figure to this file.

    Returns
    -------
    The axes: the frame, then two for every inset (frame t above, the later one below).

    Raises
    ------
    ShapeError, CellGraphError, OptionError
        As `TimeArrow.attribution`; for `n_insets` below 1.
    """
    from matplotlib.figure import Figure
    from scipy.ndimage import gaussian_filter

    check_whole("n_insets", n_insets)
    step = model.config.steps[0]
    heat = gaussian_filter(model.attribution(movie, t), 2)
    early, late = movie.frame(t)[channel], movie.frame(t + step)[channel]
    low, high = np.percentile(early, (1, 99.8))
    columns = -(-n_insets // 2)
    figure = Figure(figsize=(5 + 1.4 * columns, 5), layout="constrained")
    grid = figure.add_gridspec(4, columns + 4)
    main = figure.add_subplot(grid[:, :4])
    main.imshow(early, cmap="gray", vmin=low, vmax=high)
    main.imshow(heat, cmap="inferno", alpha=np.clip(heat / max(float(heat.max()), 1e-9), 0, 1) * 0.8)
    main.set_title(f"frame {t}: where time is seen")
    main.set_axis_off()
    axes = [main]
    for i, (y, x) in enumerate(strongest(heat, n_insets, SIDE)):
        top, left = (int(np.clip(v - SIDE // 2, 0, max(n - SIDE, 0))) for v, n in zip((y, x), early.shape, strict=True))
        main.add_patch(_frame(left, top))
        main.text(left, top - 2, str(i + 1), color="white", fontsize=7)
        row, column = 2 * (i // columns), 4 + i % columns
        for below, picture in enumerate((early, late)):
            ax = figure.add_subplot(grid[row + below, column])
            ax.imshow(picture[top : top + SIDE, left : left + SIDE], cmap="gray", vmin=low, vmax=high)
            ax.set_axis_off()
            ax.set_title(f"{i + 1}: frame {t}" if below == 0 else f"frame {t + step}", fontsize=7)
            axes.append(ax)
    save_figure(main, save)
    return np.array(axes, object)


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
