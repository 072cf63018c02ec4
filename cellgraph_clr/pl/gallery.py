"""Galleries: cells like a query, typical of a group, or along the range of a feature, as slices and as shaded bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellgraph_clr._core.checks import check_key, check_option, check_whole, expected
from cellgraph_clr._core.errors import NonFiniteError, OptionError
from cellgraph_clr._core.units import unit_sign
from cellgraph_clr.adata.images_of_cells import rows_of_labels
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.adata.queries import Query, query_rows
from cellgraph_clr.adata.reading import raw_values, read_features
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.analysis.retrieval import query_similarity, standardised_directions
from cellgraph_clr.analysis.typical import rows_along, typical_rows
from cellgraph_clr.io.matched_labels import labels_of_cells
from cellgraph_clr.pl.canvas import finish, picture_grid, plain, scale_bar
from cellgraph_clr.pl.door import drawn
from cellgraph_clr.pl.tiles import SIZE, Tiles

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.graphs.samples import Group
    from cellgraph_clr.io.labels import Labels

__all__ = ["cell_gallery", "feature_range"]

Style = Literal["slices", "surfaces"]
STYLES = ("slices", "surfaces")
SMALLEST = 30  # pixels of a cell in its picture below which it is ringed
REPRESENTATIONS = ("X_morpho", "X_cellgraph")  # that say what is typical, the first there is; else X


@drawn
def cell_gallery(
    adata: AnnData,
    labels: Labels,
    image: Any = None,
    *,
    query: Query | None = None,
    groupby: str | None = None,
    use_rep: str | None = None,
    n_examples: int = 6,
    style: Style = "slices",
    channel: int | str = 0,
    library_id: str | int | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw the cells nearest to a query, or the most typical ones of every group, all at one scale.

    Parameters
    ----------
    adata : AnnData
        Cells of these labels, matched by `obs["cell_id"]`.
    labels : LabelImage or array-like or path-like
        As in `from_labels`. Without intensities slices show the label itself.
    image : object, default None
        As in `from_labels`. Without intensities slices show the label itself.
    query : Query or None, default None
        As in `tl.retrieve` (cell ids, names, a mask, a category): the first picture is of the cell of it that is most
        like the others, those after it are the nearest beside the query.
    groupby : str or None, default None
        Categorical `obs` column: a row of pictures for every category. Either this or `query`.
    use_rep : str or None, default None
        `obsm` key (or "X") that says what is near; None takes the first there is of "X_morpho", "X_cellgraph" and "X".
        Cells with NaN in it are left out.
    n_examples : int, default 6
        Pictures in a row.
    style : Style, default "slices"
        "slices" through the middle of the cell, in the plane of x and y, its outline drawn; "surfaces" (3D only) shaded
        bodies, turned so that the longest axis lies across.
    channel : int or str, default 0
        Name or number of the channel shown in slices; black and white are its 1 and 99.8 percentiles over all pictures,
        so that brightness compares.
    library_id : str or int or None, default None
        The sample (or frame) of `adata` that the labels are of; needed when it holds several.
    title : str or None, default None
        Of the figure.
    figsize : tuple of float, float or None, default None
        Width and height in inches.
    show : bool or None, default None
        Call `pyplot.show()`.
    save : str or path-like or None, default None
        Write the figure to this file.

    Returns
    -------
    numpy.ndarray
        The axes (rows, n_examples). Pictures have one scale, the bar in the first is for all; cells too small to be seen
        are ringed.

    Raises
    ------
    OptionError
        For both or none of `query` and `groupby`, another style, surfaces in 2D, or a channel that is not there.
    EmptyQueryError, MissingKeyError, LabelKeyError, LabelImageError
        For a query without a match, missing keys, no labelled cell, bad labels.

    Notes
    -----
    One scan of the labels; of each cell drawn the plane where it is widest, or its box.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> adata.obs["half"] = ["left" if x < 256 else "right" for x in adata.obsm["spatial"][:, 0]]
    >>> axes = cgc.pl.cell_gallery(adata, tissue.nuclei, groupby="half", use_rep="X", n_examples=3)
    """
    if (query is None) == (groupby is None):
        found = "both" if groupby is not None else "neither"
        raise OptionError(expected("either `query` or `groupby`", found, "Pass one of them."))
    check_whole("n_examples", n_examples)
    group, picture = labels_of_cells(adata, labels, image, library_id=library_id)
    drawing = _Drawing(picture, style, channel)
    rows = rows_of_labels(adata, drawing.tiles.scan.cell_id, group)
    vectors, _ = read_features(adata, use_rep or next((k for k in REPRESENTATIONS if k in adata.obsm), "X"))
    rows = rows[np.isfinite(vectors[rows]).all(axis=1)]
    cell_id = cell_ids(adata)
    lines: dict[str, np.ndarray] = {}
    if groupby is not None:
        codes, names = label_codes(adata, groupby, as_listed=True)
        chosen = typical_rows(vectors[rows], codes[rows], n_examples)
        lines = {name: rows[best] for name, best in zip(names, chosen, strict=False) if len(best)}
    else:
        asked = np.isin(rows, _query_in(adata, query, group))
        if not asked.any():
            raise OptionError(expected("a query with features among these labels", "none", "Look at `use_rep`."))
        directions = standardised_directions(vectors[rows])
        alike = query_similarity(directions, directions[asked])
        first = np.flatnonzero(asked)[alike[asked].argmax()]
        others = np.argsort(np.where(asked, np.inf, -alike), kind="stable")[: min(n_examples - 1, (~asked).sum())]
        lines["query, then nearest"] = rows[[first, *others]]
    captions = {name: [f"cell {cell_id[r]}" for r in found] for name, found in lines.items()}
    axes = drawing.draw({k: cell_id[v] for k, v in lines.items()}, captions, n_examples, figsize=figsize, title=title)
    finish(axes[0, 0], show=show, save=save)
    return axes


def _query_in(adata: AnnData, query: Query, group: Group) -> np.ndarray:
    """Return the rows that a query selects in one image, where ids and names need not be told apart from others."""
    if not isinstance(query, Mapping) and np.asarray(query).dtype == bool:
        return query_rows(adata, query)
    mine = np.sort(group.rows)
    return mine[query_rows(adata[mine], query)]


@drawn
def feature_range(
    adata: AnnData,
    labels: Labels,
    features: str | Sequence[str],
    image: Any = None,
    *,
    use_rep: str | None = None,
    n_examples: int = 6,
    style: Style = "slices",
    channel: int | str = 0,
    library_id: str | int | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw cells along the range of a feature, from its 5 % to its 95 % quantile, to see what it means.

    Parameters
    ----------
    adata : AnnData
        As in `cell_gallery`.
    labels : LabelImage or array-like or path-like
        As in `cell_gallery`.
    features : str or sequence of str
        One or several names of features of `X` (shown as measured, with their unit) or of columns of `use_rep`, e.g.
        "cell_shape_3"; a row of pictures for each.
    image : object, default None
        As in `cell_gallery`.
    use_rep : str or None, default None
        `obsm` key, or "X"; None takes the one of "X", "X_morpho" and "X_cellgraph" that has the features.
    n_examples : int, default 6
        As in `cell_gallery`.
    style : Style, default "slices"
        As in `cell_gallery`.
    channel : int or str, default 0
        As in `cell_gallery`.
    library_id : str or int or None, default None
        As in `cell_gallery`.
    title : str or None, default None
        As in `cell_gallery`.
    figsize : tuple of float, float or None, default None
        As in `cell_gallery`.
    show : bool or None, default None
        As in `cell_gallery`.
    save : str or path-like or None, default None
        As in `cell_gallery`.

    Returns
    -------
    numpy.ndarray
        The axes (features, n_examples); each picture is titled by the value of the feature.

    Raises
    ------
    MissingKeyError, OptionError, LabelImageError, NonFiniteError
        For unknown features, and those without a value, and as `cell_gallery`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> axes = cgc.pl.feature_range(adata, tissue.nuclei, ["area"], use_rep="X", n_examples=4)
    """
    check_whole("n_examples", n_examples)
    wanted = [features] if isinstance(features, str) else list(features)
    if not wanted:
        raise OptionError(expected("at least one of `features`", "none", "Name a feature."))
    group, picture = labels_of_cells(adata, labels, image, library_id=library_id)
    drawing = _Drawing(picture, style, channel)
    rows = rows_of_labels(adata, drawing.tiles.scan.cell_id, group)
    cell_id = cell_ids(adata)
    lines, captions = {}, {}
    for feature in wanted:
        values, label, unit = _column(adata, feature, use_rep)
        column = values[rows]
        if not np.isfinite(column).any():
            remedy = "Choose another feature."
            raise NonFiniteError(expected(f"finite values of {feature!r}", "none", remedy))
        along = rows_along(column, n_examples)
        lines[label] = cell_id[rows[along]]
        captions[label] = [f"{v:.0f}{unit}" if abs(v) >= 1000 else f"{v:.3g}{unit}" for v in column[along]]
    axes = drawing.draw(lines, captions, n_examples, figsize=figsize, title=title)
    finish(axes[0, 0], show=show, save=save)
    return axes


def _column(adata: AnnData, feature: str, use_rep: str | None) -> tuple[np.ndarray, str, str]:
    """Return a feature (n,), its name for a row of pictures, and what follows its values. Raises `MissingKeyError`."""
    reps = [use_rep] if use_rep is not None else ["X", *(k for k in REPRESENTATIONS if k in adata.obsm)]
    names: list[str] = []
    for rep in reps:
        if rep == "X":
            names += map(str, adata.var_names)
            if feature in adata.var_names:
                values, unit = raw_values(adata, feature)
                return values, feature, f" {unit_sign(unit)}" if unit else ""
        else:
            matrix, about = read_features(adata, rep)
            names += [f.name for f in about]
            if feature in names[-len(about) :]:
                return matrix[:, names[-len(about) :].index(feature)].astype(float), feature, ""
    check_key(feature, names, where=f"the features of {' and '.join(map(repr, reps))}")
    raise AssertionError  # check_key raises


class _Drawing:
    """Labels and image, scanned once, and how cells of them are drawn."""

    def __init__(self, picture: LabelImage, style: str, channel: int | str) -> None:
        check_option("style", style, STYLES)
        if style == "surfaces" and picture.ndim == 2:
            raise OptionError(expected('style "slices" for labels in 2D', "surfaces", "Only volumes have surfaces."))
        if style == "slices" and (picture.image is not None or channel != 0):
            check_option("channel", channel, (*range(max(len(picture.channels), 1)), *picture.channels))
        self.unit, self.style = picture.unit, style
        number = picture.channels.index(channel) if channel in picture.channels else 0
        self.tiles = Tiles(picture, number if isinstance(channel, str) else channel)

    def draw(
        self,
        lines: dict[str, np.ndarray],
        captions: dict[str, list[str]],
        n_columns: int,
        *,
        figsize: tuple[float, float] | None,
        title: str | None,
    ) -> np.ndarray:
        """Return the axes (lines, n_columns) of a new figure: cells by id, captions above, names of lines at the left."""
        rows = {name: np.searchsorted(self.tiles.scan.cell_id, ids) for name, ids in lines.items()}
        every = np.concatenate(list(rows.values()))
        surfaces = self.style == "surfaces"
        resolution = self.tiles.resolution(every, turned=surfaces)
        axes = picture_grid(list(lines), n_columns, figsize=figsize)
        cut = {} if surfaces else {int(r): self.tiles.slice(int(r), resolution) for r in every}
        bright = [light for light, _ in cut.values() if light is not None]
        low, high = np.percentile(np.concatenate([b.ravel() for b in bright]), (1, 99.8)) if bright else (0.0, 1.0)
        for row, name in zip(axes, lines, strict=True):
            for ax, caption, at in zip(row, captions[name], rows[name], strict=False):
                if surfaces:
                    _body(ax, self.tiles.body(int(at), resolution))
                else:
                    _slice(ax, *cut[int(at)], float(low), float(high))
                ax.set_title(plain(caption), fontsize=8)
        ax = axes[0, 0]
        scale_bar(ax, self.unit, share=0.4, step=resolution, on_white=surfaces)
        if title is not None:
            ax.get_figure(root=True).suptitle(title, fontsize=10)
        return axes


def _slice(ax: Axes, light: np.ndarray | None, mask: np.ndarray, low: float, high: float) -> None:
    """Draw a slice with the outline of its cell, and a ring around a cell that is hardly seen."""
    ax.set_facecolor("black")
    ax.imshow(mask if light is None else light, cmap="gray", vmin=low, vmax=max(high, low + 1e-12))
    if light is not None and mask.any():
        ax.contour(mask, [0.5], colors="#f0e442", linewidths=0.9)
    if mask.sum() < SMALLEST:
        y, x = np.argwhere(mask).mean(axis=0) if mask.any() else (SIZE / 2, SIZE / 2)
        ax.scatter([x], [y], s=150, facecolors="none", edgecolors="#f0e442", linewidths=0.9)


def _body(ax: Axes, body: np.ndarray) -> None:
    """Draw a shaded body in the middle of its picture."""
    ax.imshow(_centred(body), cmap="copper", vmin=0, vmax=1.05, interpolation="bilinear")


def _centred(body: np.ndarray) -> np.ndarray:
    """Return the body in a square of `SIZE`, NaN around it, cut where it is larger."""
    out = np.full((SIZE, SIZE), np.nan)
    part = body[tuple(slice(max(0, (n - SIZE) // 2), max(0, (n - SIZE) // 2) + SIZE) for n in body.shape)]
    y, x = ((SIZE - n) // 2 for n in part.shape)
    out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out
