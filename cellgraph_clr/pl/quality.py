"""Tables as pictures: quality of labels, confusion of classes, composition of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, check_option, expected
from cellgraph_clr._core.errors import NoCellsError
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.adata.rows import noun_of_rows, truth_values
from cellgraph_clr.pl.canvas import finish, legend_beside, one_axes, plain
from cellgraph_clr.pl.colors import checked_cmap, palette_colors
from cellgraph_clr.pl.curves import learned_from
from cellgraph_clr.pl.door import drawn

if TYPE_CHECKING:
    import os
    from typing import Any

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["composition", "confusion", "label_qc"]

FLAGS = ("touches_border", "is_fragmented", "has_holes", "is_tiny", "is_huge", "is_thin")
MOST_CELLS_WITH_TEXT = 400  # of a table whose numbers are written in


@drawn
def label_qc(
    table: Any,
    *,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw how many cells have each flag of label quality.

    Parameters
    ----------
    table : object
        Of `im.label_qc`, the AnnData it was written to, or labels in any form that `im.label_qc` takes.
    title : str or None, default None
        None gives the number of cells.
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
    MissingKeyError, NoCellsError
        If there are no flags; for no cells.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> quality = cgc.im.label_qc(cgc.datasets.colon_glands().nuclei)
    >>> axes = cgc.pl.label_qc(quality, save="quality.png")
    """
    if not hasattr(table, "columns") and not hasattr(table, "obs"):  # labels
        from cellgraph_clr import im

        table = im.label_qc(table)
    frame = table.obs if hasattr(table, "obs") else table
    remedy = "Make them by `cgc.im.label_qc(labels, adata=adata)`."
    for name in FLAGS:
        check_key(name, list(map(str, frame.columns)), where="the table", remedy=remedy)
    if len(frame) == 0:
        raise NoCellsError(expected("at least one cell", "an empty table", "Check the filter before."))
    count = frame[list(FLAGS)].astype(bool).sum().to_numpy()[::-1]
    ax = one_axes(ax, (5.5, 3), figsize)
    names = [name.removeprefix("is_").replace("_", " ") for name in FLAGS][::-1]
    bars = ax.barh(names, 100 * count / len(frame), color="#0072b2")
    ax.bar_label(bars, [str(int(c)) for c in count], padding=3, fontsize=9)
    ax.set(xlabel="% of cells", xlim=(0, max(5.0, 115 * float(count.max()) / len(frame))))
    ax.set_title(f"quality of the labels of {len(frame)} cells" if title is None else title, fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)
    finish(ax, show=show, save=save)
    return ax


@drawn
def confusion(
    adata: AnnData,
    truth_key: str,
    pred_key: str,
    *,
    rows: np.ndarray | None = None,
    normalize: bool = True,
    cmap: str | Colormap = "Blues",
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw how cells of every class (rows) are classified or clustered (columns).

    Parameters
    ----------
    adata : AnnData
        With both columns in `obs`.
    truth_key, pred_key : str
        Categories; cells without a true class are left out, "unassigned" predictions are a column.
    rows : numpy.ndarray or None, default None
        (n,) bool, cells to use. None takes those that `tl.classify` did not learn from.
    normalize : bool, default True
        Show shares of each row, with the number of its cells beside its name; otherwise counts.
    cmap : str or Colormap, default "Blues"
        Colour map.
    title : str or None, default None
        None gives the number of cells.
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
        The axes. Columns are in the order of the rows for equal names, others follow by where most of them are.

    Raises
    ------
    LabelKeyError, MissingKeyError
        For missing columns, or no cell with a class.
    ShapeError
        For other `rows`.
    NoCellsError
        If no cell is left: all with a true class were learned from.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(150, random_state=0).adata()
    >>> known = np.arange(adata.n_obs) % 2 == 0
    >>> adata.obs["type"] = np.where(known, adata.obs["true_niche"].astype(str), "unassigned")
    >>> cgc.tl.classify(adata, "type", use_rep="X", method="trees", n_trees=50)
    >>> axes = cgc.pl.confusion(adata, "true_niche", "type_pred")
    """
    import matplotlib.pyplot as plt

    codes, classes = label_codes(adata, truth_key, as_listed=True)
    check_key(pred_key, list(adata.obs.columns), where="adata.obs")
    known, noun = codes >= 0, noun_of_rows(adata)
    known &= ~learned_from(adata, pred_key) if rows is None else truth_values(rows, adata.n_obs)
    if not known.any():
        remedy = "Hold labelled cells out, or choose cells by `rows=`."
        raise NoCellsError(expected("cells with a true class that were not learned from", "none", remedy))
    predicted = adata.obs[pred_key].astype(object).fillna("unassigned").astype(str).to_numpy()[known]
    found = sorted(set(predicted))
    table = np.zeros((len(classes), len(found)))
    np.add.at(table, (codes[known], np.searchsorted(found, predicted)), 1)
    same = [found.index(c) for c in classes if c in found]
    rest = sorted((i for i in range(len(found)) if i not in same), key=lambda i: int(table[:, i].argmax()))
    table, found = table[:, same + rest], [found[i] for i in same + rest]
    shown = table / np.maximum(table.sum(axis=1, keepdims=True), 1) if normalize else table
    side = (2.5 + 0.32 * len(found), 1.6 + 0.3 * len(classes))
    ax = one_axes(ax, side, figsize)
    picture = ax.imshow(shown, cmap=checked_cmap(cmap), vmin=0, vmax=1 if normalize else None, aspect="auto")
    ax.set_xticks(range(len(found)), [plain(f) for f in found], rotation=90, fontsize=8)
    counts = [f" ({n:,.0f})" if normalize else "" for n in table.sum(axis=1)]  # a share says nothing of how many
    ax.set_yticks(range(len(classes)), [plain(c) + n for c, n in zip(classes, counts, strict=True)], fontsize=8)
    ax.set(xlabel=pred_key, ylabel=truth_key)
    if table.size <= MOST_CELLS_WITH_TEXT:
        for (i, j), value in np.ndenumerate(shown):
            if table[i, j]:
                text = f"{value:.2f}".removeprefix("0") if normalize and value < 1 else f"{value:g}"
                dark = value > 0.6 * float(shown.max())
                ax.text(j, i, text, ha="center", va="center", fontsize=6.5, color="white" if dark else "black")
    plt.colorbar(picture, ax=ax, label="share of the row" if normalize else noun, shrink=0.7)
    right = np.mean([classes[c] == p for c, p in zip(codes[known], predicted, strict=True)])
    text = f"{int(known.sum())} {noun}{f', {right:.1%} as in {truth_key}' if same else ''}"
    ax.set_title(text if title is None else title, fontsize=10)
    finish(ax, show=show, save=save)
    return ax


@drawn
def composition(
    adata: AnnData,
    groupby: str,
    label_key: str,
    *,
    normalize: bool = True,
    palette: Any = None,
    orientation: str = "horizontal",
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw what the clusters or samples are made of: one stacked bar a group, by the categories of another column.

    Parameters
    ----------
    adata : AnnData
        With both columns in `obs`.
    groupby : str
        Column of groups, e.g. clusters; cells without one are left out.
    label_key : str
        Column of categories; colours as in `pl.spatial`.
    normalize : bool, default True
        Bars of shares; otherwise of numbers of cells (or windows).
    palette : object, default None
        As in `pl.spatial`.
    orientation : str, default "horizontal"
        "horizontal" or "vertical" bars.
    title : str or None, default None
        As in `pl.spatial`.
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
    LabelKeyError, MissingKeyError, OptionError
        For missing columns or columns of numbers, no cell in a group, or a wrong option.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> axes = cgc.pl.composition(adata, "true_type", "true_niche")
    """
    from cellgraph_clr.pl.cells import dot

    check_option("orientation", orientation, ("horizontal", "vertical"))
    codes, groups = label_codes(adata, groupby, as_listed=True)
    of, names = label_codes(adata, label_key, as_listed=True)
    noun = noun_of_rows(adata)
    names = [*names, "unassigned"] if (of < 0).any() else names
    table = np.zeros((len(groups), len(names)))
    known = codes >= 0
    np.add.at(table, (codes[known], of[known]), 1)  # -1 is the last: unassigned
    shown = table / np.maximum(table.sum(axis=1, keepdims=True), 1) if normalize else table
    colors = _colors(adata, label_key, names, palette)
    flat = orientation == "horizontal"
    size = (6.0, 1.2 + 0.28 * len(groups)) if flat else (1.5 + 0.35 * len(groups), 4.5)
    ax = one_axes(ax, size, figsize)
    at, start = np.arange(len(groups)), np.zeros(len(groups))
    for values, color in zip(shown.T, colors, strict=True):
        if flat:
            ax.barh(at, values, left=start, color=color, height=0.85)
        else:
            ax.bar(at, values, bottom=start, color=color, width=0.85)
        start = start + values
    axis, label = (
        (f"share of {noun}" if normalize else noun),
        [f"{plain(g)} ({int(n)})" for g, n in zip(groups, table.sum(1), strict=True)],
    )
    if flat:
        ax.set_yticks(at, label, fontsize=8)
        ax.invert_yaxis()
        ax.set(xlabel=axis, ylabel=groupby)
    else:
        ax.set_xticks(at, label, rotation=90, fontsize=8)
        ax.set(ylabel=axis, xlabel=groupby)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(f"{label_key} in {groupby}" if title is None else title, fontsize=10)
    legend_beside(
        ax, [dot(n, c, marker="s") for n, c in zip(names, colors, strict=True) if table[:, names.index(n)].any()]
    )
    finish(ax, show=show, save=save)
    return ax


def _colors(adata: AnnData, key: str, names: list[str], palette: Any) -> list[str]:
    """Return the colours of names as `pl.spatial` shows them."""
    from cellgraph_clr.pl.colors import coloring

    found = coloring(adata, key, palette=palette)
    color = dict(zip(found.names, found.colors, strict=True)) if found.names else {}
    return [color.get(n, c) for n, c in zip(names, palette_colors(None, names), strict=True)]
