"""Which types lie next to which, as a heat map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected, listing
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from cellgraph_clr.adata.provenance import entries_of
from cellgraph_clr.pl.canvas import finish, one_axes, plain
from cellgraph_clr.pl.colors import GREY, checked_cmap
from cellgraph_clr.pl.door import drawn

if TYPE_CHECKING:
    import os
    from typing import Any

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

__all__ = ["interactions"]

DEFAULT_KEY = "interactions"  # where `tl.interactions` writes
MOST_PAIRS_WITH_TEXT = 625
STEEP = 0.6  # of the colour scale: from here text is white


@drawn
def interactions(
    adata: AnnData,
    key: str = "interactions",
    *,
    sample: str | None = None,
    limit: float | None = None,
    cmap: str | Colormap = "RdBu_r",
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> Axes:
    """Draw the log odds of contact between cell types: red touch more than random mixing of what is near, blue less.

    Parameters
    ----------
    adata : AnnData
        After `tl.interactions`.
    key : str, default "interactions"
        `uns` key of the table; or the column of types it was made of, where there is one such table.
    sample : str or None, default None
        What to draw: a sample, "pooled", a group, or a difference ("treated - control"). None takes "pooled", or the
        only sample.
    limit : float or None, default None
        Log odds at the ends of the colours; None takes the largest whose interval leaves out 0.
    cmap : str or Colormap, default "RdBu_r"
        Diverging colour map.
    title : str or None, default None
        None tells what is drawn.
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
        The axes. Pairs whose interval includes 0 are pale, hatched and without a number; those without an estimate are
        grey.

    Raises
    ------
    MissingKeyError
        Without a table under `key`, or for a sample that is not in it.
    OptionError, OutputError
        For options outside their range, and pictures that cannot be written.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> table = cgc.tl.interactions(adata, "true_niche")
    >>> axes = cgc.pl.interactions(adata)
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    if limit is not None and not (np.isfinite(limit) and limit > 0):
        raise OptionError(expected("`limit` above 0", repr(limit), "Pass the log odds at the ends of the colours."))
    table, types = _table_of(adata, key)
    rows, what = _chosen(table, sample)
    odds, uncertain = _squares(rows, types)
    sure = np.abs(odds[np.isfinite(odds) & ~uncertain])
    known = np.abs(odds[np.isfinite(odds)])
    most = limit or float(max((sure if len(sure) else known).max(initial=0.0), 0.1))
    side = 0.42 * len(types)
    ax = one_axes(ax, (3.6 + side, 2.2 + side), figsize)
    colors = checked_cmap(cmap).with_extremes(bad=GREY)
    picture = ax.imshow(np.ma.masked_invalid(odds), cmap=colors, vmin=-most, vmax=most)
    for i, j in np.argwhere(np.isfinite(odds)):
        if uncertain[i, j]:
            pale = Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=(1, 1, 1, 0.6), edgecolor="#888888", hatch="///", lw=0)
            ax.add_patch(pale)
        elif odds.size <= MOST_PAIRS_WITH_TEXT:
            color = "white" if abs(odds[i, j]) > STEEP * most else "black"
            ax.text(j, i, f"{odds[i, j]:+.1f}".replace("-", "−"), ha="center", va="center", fontsize=7, color=color)
    ax.set_xticks(range(len(types)), [plain(t) for t in types], rotation=90, fontsize=8)
    ax.set_yticks(range(len(types)), [plain(t) for t in types], fontsize=8)
    ax.set_xticks(np.arange(len(types) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(types) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=0.5)
    ax.tick_params(which="minor", length=0)
    label = "difference of log odds" if rows["level"].iloc[0] == "difference" else "log odds of contact"
    plt.colorbar(picture, ax=ax, label=label, shrink=0.7, extend="both" if known.max(initial=0.0) > most else "neither")
    ax.set_xlabel("hatched: the interval includes 0, or is not known (one sample); grey: too few cells", fontsize=8)
    ax.set_title(what if title is None else title, fontsize=10)
    finish(ax, show=show, save=save)
    return ax


def _table_of(adata: AnnData, key: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the table and the types under a key. Raises `MissingKeyError`."""
    remedy = "Call `cgc.tl.interactions` first."
    if key in adata.obs and not _is_entry(adata.uns.get(key)):
        key = _key_of_column(adata, key)
    check_key(key, list(adata.uns), where="adata.uns", remedy=remedy, error=MissingKeyError)
    entry = entries_of(adata, key)
    if "table" not in entry or "types" not in entry:
        raise MissingKeyError(expected(f"a table of interactions in `adata.uns[{key!r}]`", listing(entry), remedy))
    return entry["table"], [str(t) for t in entry["types"]]


def _is_entry(found: object) -> bool:
    return isinstance(found, Mapping) and "table" in found and "types" in found


def _key_of_column(adata: AnnData, column: str) -> str:
    """Return the `uns` key of the table of a column of types. Raises `MissingKeyError` for none, and several."""
    tables = {k: v.get("params", {}) for k, v in adata.uns.items() if _is_entry(v)}
    made = [k for k, params in tables.items() if isinstance(params, Mapping) and params.get("label_key") == column]
    if DEFAULT_KEY in made:
        return DEFAULT_KEY
    if len(made) == 1:
        return made[0]
    what = "`key` as the key of a table of interactions in `adata.uns`"
    found = f"{column!r}, a column of obs; tables of it: {listing([repr(k) for k in made])}; "
    remedy = "Name one, or call `cgc.tl.interactions` with this column first."
    raise MissingKeyError(expected(what, f"{found}in all: {listing([repr(k) for k in tables])}", remedy))


def _chosen(table: pd.DataFrame, sample: str | None) -> tuple[pd.DataFrame, str]:
    """Return the rows of what is asked for, and its name. Raises `MissingKeyError`, naming what there is."""
    level, name = table["level"].astype(str), table["sample"].astype(str)
    samples = list(name[level == "sample"].unique())
    wanted = sample
    if sample is None:
        wanted = "pooled" if (level == "pooled").any() else next(iter(samples), "pooled")
    check_key(str(wanted), [str(n) for n in name.unique()], where="the samples of the table", error=MissingKeyError)
    order = [k for k in ("pooled", "difference", "group", "sample") if ((level == k) & (name == wanted)).any()]
    rows = table[(level == order[0]) & (name == wanted)]
    if order[0] == "pooled":
        return rows, f"contacts beyond what is near, {len(samples)} samples pooled"
    return rows, plain(f"contacts beyond what is near{f', {wanted}' if wanted else ''}")


def _squares(rows: pd.DataFrame, types: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return log odds (t, t), NaN without one, and whether the interval includes 0 or is not known."""
    odds = np.full((len(types), len(types)), np.nan)
    uncertain = np.ones(odds.shape, bool)
    at = {t: i for i, t in enumerate(types)}
    values: Any = zip(rows["type_a"], rows["type_b"], rows["log_odds"], rows["low"], rows["high"], strict=True)
    for a, b, value, low, high in values:
        i, j = at[str(a)], at[str(b)]
        odds[i, j] = odds[j, i] = value
        uncertain[i, j] = uncertain[j, i] = not (low > 0 or high < 0)
    return odds, uncertain
