"""Figures of every plot: made by pyplot, sized to what they hold, shown and saved as scanpy does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.files import replacing
from cellgraph_clr._core.outputs import check_output
from cellgraph_clr._core.units import round_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "MOST_PANELS",
    "check_axes",
    "check_save",
    "finish",
    "legend_beside",
    "new_axes",
    "one_axes",
    "panel_axes",
    "picture_grid",
    "plain",
    "scale_bar",
]

MOST_PANELS = 36
LEGEND_ROW = 0.2  # inches


def new_axes(
    n: int, *, size: tuple[float, float], n_columns: int = 4, figsize: tuple[float, float] | None = None
) -> list[Axes]:
    """Return the axes of n panels of a new pyplot figure, each of `size` in inches unless `figsize` is that of the figure."""
    import matplotlib.pyplot as plt

    columns = min(n, max(int(n_columns), 1))
    rows = -(-n // columns)
    whole = figsize or (size[0] * columns, size[1] * rows)
    figure, axes = plt.subplots(rows, columns, figsize=whole, layout="compressed", squeeze=False)
    for ax in axes.flat[n:]:
        figure.delaxes(ax)
    figure.set_label("cellgraph_clr")  # ours to resize
    return list(axes.flat[:n])


def plain(text: str) -> str:
    """Return text whose dollar signs are drawn, and not read as mathematics."""
    return str(text).replace("$", r"\$")


def check_axes(ax: Axes | None) -> None:
    """Raise `OptionError` for what are no axes."""
    from matplotlib.axes import Axes as Kind

    if ax is not None and not isinstance(ax, Kind):
        raise OptionError(expected("`ax` as axes of matplotlib", type(ax).__name__, "Pass one of them, as `axes[0]`."))


def one_axes(ax: Axes | None, size: tuple[float, float], figsize: tuple[float, float] | None = None) -> Axes:
    """Return the axes given, or those of a new figure of one panel."""
    check_axes(ax)
    return ax if ax is not None else new_axes(1, size=size, figsize=figsize)[0]


def panel_axes(
    ax: Axes | None, n: int, *, size: tuple[float, float], n_columns: int, figsize: tuple[float, float] | None
) -> list[Axes]:
    """Return n axes; `ax` serves for one. Raises `OptionError` for several panels in one `ax`."""
    check_axes(ax)
    if ax is None:
        return new_axes(n, size=size, n_columns=n_columns, figsize=figsize)
    if n != 1:
        remedy = "Leave `ax` out, or choose one sample by `library_id=` and one `color`."
        raise OptionError(expected("one panel for `ax`", f"{n} panels", remedy))
    return [ax]


def picture_grid(names: Sequence[str], n_columns: int, *, figsize: tuple[float, float] | None = None) -> np.ndarray:
    """Return axes (rows, n_columns) without frames of a new figure, the name of every row at its left."""
    import matplotlib.pyplot as plt

    longest = max((len(line) for name in names for line in str(name).split("\n")), default=0)
    left, top = 0.4, 0.4  # inches: names of rows, and the title of the figure
    row = max(1.75, 0.08 * longest)
    width, height = figsize or (1.55 * n_columns + left + 0.1, row * len(names) + top)
    place = {"left": left / width, "right": 1 - 0.1 / width, "top": 1 - (top + 0.2) / height, "bottom": 0.05 / height}
    _, axes = plt.subplots(
        len(names),
        n_columns,
        figsize=(width, height),
        squeeze=False,
        gridspec_kw={**place, "wspace": 0.06, "hspace": 0.25},
    )
    for ax in axes.flat:
        ax.set_axis_off()
        ax.set_xticks([])  # ticks that are not drawn are still laid out
        ax.set_yticks([])
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.text(-0.06, 0.5, plain(name), transform=ax.transAxes, rotation=90, ha="right", va="center", fontsize=9)
    return np.asarray(axes)


def legend_beside(ax: Axes, handles: Sequence[Any], *, title: str | None = None) -> None:
    """Draw a legend right of the axes, in as many columns as its entries need beside the height of the axes."""
    if len(handles) == 0:
        return
    figure = ax.get_figure(root=True)
    assert figure is not None
    height = figure.get_size_inches()[1] * ax.get_position().height
    most = max(int(height / LEGEND_ROW) - (title is not None), 4)
    ax.legend(
        handles=list(handles),
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        ncols=-(-len(handles) // most),
        title=title,
        fontsize=9,
        handlelength=1.2,
        columnspacing=1.2,
    )


def scale_bar(
    ax: Axes, unit: str | None, *, share: float = 0.25, step: float = 1.0, on_image: bool = True, on_white: bool = False
) -> None:
    """Draw a bar of a round length at the lower left (below the axes without an image), up to `share` of the width of the axes.

    White with a dark rim `on_image`, else black with a white one, as on an image that is `on_white`. `step` is the size of
    one unit of the axes in `unit`; None is a unit that is not known.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.patheffects import withStroke
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    low, high = ax.get_xlim()
    color, rim = ("white", "black") if on_image and not on_white else ("black", "white")
    length, text = round_length(share * abs(high - low) * step, unit)
    thick = 0.008 * abs(np.subtract(*ax.get_ylim()))
    bar = AnchoredSizeBar(
        ax.transData,
        length / step,
        text,
        "lower left" if on_image else "upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes,
        borderpad=0.1,
        pad=0.3,
        sep=2,
        frameon=False,
        color=color,
        size_vertical=thick,
        fontproperties=FontProperties(size=8, weight="bold"),
    )
    for artist in (*bar.size_bar.get_children(), *bar.txt_label.get_children()):
        artist.set_path_effects([withStroke(linewidth=2, foreground=rim)])
    bar.set_zorder(10)
    ax.add_artist(bar)


def check_save(save: str | os.PathLike[str] | None) -> None:
    """Raise `OptionError` for a name that is none of a picture, and `OutputError` where it cannot be written."""
    if save is None:
        return
    if not isinstance(save, (str, os.PathLike)):
        remedy = "End it in .png, .pdf or .svg."
        raise OptionError(expected("`save` as the name of a picture", type(save).__name__, remedy))
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.get_supported_filetypes())
    if Path(save).suffix.lower().removeprefix(".") not in known:
        remedy = f"End it in .png, .pdf or .svg ({', '.join(known)} are known)."
        raise OptionError(expected("`save` as the name of a picture", f"{os.fspath(save)!r}", remedy))
    check_output(save)


def finish(ax: Axes, *, show: bool | None, save: str | os.PathLike[str] | None) -> None:
    """Make room for what lies outside the axes of a figure of ours; write it (beside, then renamed); show it."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    check_save(save)
    if figure.get_label() == "cellgraph_clr":
        _fit(figure)
    if save is not None:
        with replacing(save) as beside:
            figure.savefig(beside, dpi=150, bbox_inches="tight")
    if show:
        import matplotlib.pyplot as plt

        plt.show()


def _fit(figure: Figure) -> None:
    """Widen a figure by its legends, and again while an artist does not fit."""
    beside = [(ax.get_legend(), ax.get_subplotspec()) for ax in figure.axes]
    for legend, spec in beside:
        if legend is not None and spec is not None:
            legend.set_in_layout(False)  # a wide one would leave no room for the axes
    figure.draw_without_rendering()
    widths: dict[int, float] = {}
    for (legend, spec), ax in zip(beside, figure.axes, strict=True):
        if legend is not None and spec is not None:
            legend.set_in_layout(True)
            if legend.get_bbox_to_anchor().x0 >= ax.get_window_extent().x1:
                width = legend.get_window_extent().width / figure.dpi
                widths[spec.colspan.start] = max(widths.get(spec.colspan.start, 0.0), width)
    size = figure.get_size_inches()
    figure.set_size_inches(size[0] + sum(widths.values()), size[1])
    for _ in range(3):
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
        size = figure.get_size_inches()
        over = np.array([max(-box.x0, 0) + max(box.x1 - size[0], 0), max(-box.y0, 0) + max(box.y1 - size[1], 0)])
        if (over < 0.02).all():
            return
        figure.set_size_inches(*(size + 2.2 * over + 0.05))
