"""Galleries: cells like a query, typical of a group, or along the range of a feature, as slices and as shaded bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cellgraph_clr._core.checks import check_key, check_option, check_whole, expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._query import Query, query_rows
from cellgraph_clr.analysis.retrieval import query_similarity, standardised_directions
from cellgraph_clr.analysis.typical import rows_along, typical_rows
from cellgraph_clr.graphs.labels import label_codes
from cellgraph_clr.graphs.layout import read_features, rows_of_labels, unit_of
from cellgraph_clr.pl.canvas import UNIT_SIGNS, picture_grid, save_figure
from cellgraph_clr.pl.shading import shaded

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["cell_gallery", "feature_range"]

Style = Literal["slices", "surfaces"]
STYLES = ("slices", "surfaces")
SIZE = 96  # pixels along the side of a picture


def cell_gallery(
    adata: AnnData,
    labels: LabelImage | np.ndarray | str | os.PathLike[str],
    image: np.ndarray | str | os.PathLike[str] | None = None,
    *,
    query: Query | None = None,
    groupby: str | None = None,
    use_rep: str = "X_morpho",
    n_cells: int = 6,
    style: Style = "slices",
    channel: int = 0,
    library_id: str | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw the cells nearest to a query, or the most typical ones of every group, all at one scale.

    Parameters
    ----------
    adata : cells of these labels, matched by `obs["cell_id"]`.
    labels, image : as in `from_labels`. Without intensities slices show the label itself.
    query : as in `tl.retrieve` (cell ids, names, a mask, a category): the first picture is of the cell of it that is most like
        the others, those after it are the nearest beside the query.
    groupby : categorical `obs` column: a row of pictures for every category. Either this or `query`.
    use_rep : `obsm` key (or "X") that says what is near; cells with NaN in it are left out.
    n_cells : pictures in a row.
    style : "slices" through the middle of the cell, in the plane of x and y, its outline drawn; "surfaces" (3D only) shaded
        bodies, turned so that the longest axis lies across.
    channel : of the image, for slices.
    library_id : the sample of `adata` that the labels are of; needed when it holds several.
    save : write the figure to this file.

    Returns
    -------
    The axes (rows, n_cells).

    Raises
    ------
    OptionError
        For both or none of `query` and `groupby`, another style, surfaces in 2D, or a channel that is not there.
    EmptyQueryError, MissingKeyError, LabelKeyError, LabelImageError
        For a query without a match, missing keys, no labelled cell, bad labels.

    Notes
    -----
    One scan of the labels, and the boxes around the cells drawn.
    """
    if (query is None) == (groupby is None):
        found = "both" if groupby is not None else "neither"
        raise OptionError(expected("either `query` or `groupby`", found, "Pass one of them."))
    check_whole("n_cells", n_cells)
    drawing = _Drawing(labels, image, style, channel)
    rows = rows_of_labels(adata, drawing.scan.cell_id, library_id)
    vectors, _ = read_features(adata, use_rep)
    rows = rows[np.isfinite(vectors[rows]).all(axis=1)]
    cell_id = adata.obs["cell_id"].to_numpy()
    lines: dict[str, np.ndarray] = {}
    if groupby is not None:
        codes, names = label_codes(adata, groupby, as_listed=True)
        chosen = typical_rows(vectors[rows], codes[rows], n_cells)
        lines = {name: rows[best] for name, best in zip(names, chosen, strict=False) if len(best)}
    else:
        asked = np.isin(rows, query_rows(adata, query))
        if not asked.any():
            raise OptionError(expected("a query with features among these labels", "none", "Look at `use_rep`."))
        directions = standardised_directions(vectors[rows])
        alike = query_similarity(directions, directions[asked])
        first = np.flatnonzero(asked)[alike[asked].argmax()]
        others = np.argsort(np.where(asked, np.inf, -alike), kind="stable")[: min(n_cells - 1, (~asked).sum())]
        lines["query, then nearest"] = rows[[first, *others]]
    captions = {name: [f"cell {cell_id[r]}" for r in found] for name, found in lines.items()}
    axes = drawing.draw({name: cell_id[found] for name, found in lines.items()}, captions, n_cells, adata)
    save_figure(axes[0, 0], save)
    return axes


def feature_range(
    adata: AnnData,
    labels: LabelImage | np.ndarray | str | os.PathLike[str],
    features: str | Sequence[str],
    image: np.ndarray | str | os.PathLike[str] | None = None,
    *,
    use_rep: str = "X_morpho",
    n_cells: int = 6,
    style: Style = "slices",
    channel: int = 0,
    library_id: str | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw cells along the range of a feature, from its 5 % to its 95 % quantile, to see what it means.

    Parameters
    ----------
    features : names of columns of `use_rep`, e.g. "cell_shape_3"; a row of pictures for each.
    use_rep : `obsm` key, or "X".
    adata, labels, image, n_cells, style, channel, library_id, save : as in `cell_gallery`.

    Returns
    -------
    The axes (features, n_cells); each picture is titled by the value of the feature.

    Raises
    ------
    MissingKeyError, OptionError, LabelImageError
        For unknown features, and as `cell_gallery`.
    """
    check_whole("n_cells", n_cells)
    wanted = [features] if isinstance(features, str) else list(features)
    values, about = read_features(adata, use_rep)
    names = [f.name for f in about]
    for feature in wanted:
        check_key(feature, names, where=f"the features of {use_rep!r}")
    drawing = _Drawing(labels, image, style, channel)
    rows = rows_of_labels(adata, drawing.scan.cell_id, library_id)
    cell_id = adata.obs["cell_id"].to_numpy()
    lines, captions = {}, {}
    for feature in wanted:
        column = values[rows, names.index(feature)]
        along = rows_along(column, n_cells)
        lines[feature] = cell_id[rows[along]]
        captions[feature] = [f"{v:.3g}" for v in column[along]]
    axes = drawing.draw(lines, captions, n_cells, adata)
    save_figure(axes[0, 0], save)
    return axes


class _Drawing:
    """Labels and image, scanned once, and how cells of them are drawn."""

    def __init__(
        self,
        labels: LabelImage | np.ndarray | str | os.PathLike[str],
        image: np.ndarray | str | os.PathLike[str] | None,
        style: str,
        channel: int,
    ) -> None:
        from cellgraph_clr.cells.scan import scan_labels
        from cellgraph_clr.io.cells import label_image

        check_option("style", style, STYLES)
        self.picture = label_image(labels, image)
        if style == "surfaces" and self.picture.ndim == 2:
            raise OptionError(expected('style "slices" for labels in 2D', "surfaces", "Only volumes have surfaces."))
        pixels = self.picture.image
        if style == "slices" and pixels is not None:
            check_option("channel", channel, tuple(range(pixels.shape[0])))
        self.style, self.channel = style, channel
        self.scan = scan_labels(self.picture, surface=False)

    def draw(
        self, lines: dict[str, np.ndarray], captions: dict[str, list[str]], n_columns: int, adata: AnnData
    ) -> np.ndarray:
        """Return the axes (lines, n_columns) of a new figure: cells by id, captions above, names of lines at the left."""
        from cellgraph_clr.cells.patches import box_sides, extract_patches

        s = self.scan
        ids = np.concatenate(list(lines.values()))
        rows = np.searchsorted(s.cell_id, ids)
        side = box_sides(self.picture, s)[rows]
        reach = np.linalg.norm(side, axis=1) if self.style == "surfaces" else side.max(axis=1)
        resolution = 1.15 * float(reach.max()) / SIZE
        cut = extract_patches(self.picture, s, size=SIZE, resolution=resolution, rows=rows)
        axes = picture_grid(list(lines), n_columns)
        drawn = iter(range(len(ids)))
        for row, (name, members) in zip(axes, lines.items(), strict=True):
            for ax, caption, at in zip(row, captions[name], [next(drawn) for _ in members], strict=False):
                self._picture(ax, cut.image[at, 0], cut.mask[at, 0])
                ax.set_title(caption, fontsize=8)
        _scale_bar(axes[0, 0], resolution, unit_of(adata))
        return axes

    def _picture(self, ax: Axes, image: np.ndarray, mask: np.ndarray) -> None:
        """Draw one cell: a slice with its outline, or its shaded body."""
        if self.style == "surfaces":
            body = shaded(mask)
            margin = [(SIZE - n) // 2 for n in body.shape]
            extent = (margin[1], margin[1] + body.shape[1], margin[0] + body.shape[0], margin[0])
            ax.imshow(body, cmap="copper", vmin=0, vmax=1.05, extent=extent, interpolation="bilinear")
        else:
            if mask.ndim == 3:
                widest = int(mask.sum(axis=(1, 2)).argmax())
                image, mask = image[:, widest], mask[widest]
            if len(image):
                ax.imshow(image[self.channel], cmap="gray")
                if mask.any():  # a cell of one voxel may lie between the pixels
                    ax.contour(mask, [0.5], colors="#ffd23f", linewidths=0.9)
            else:
                ax.imshow(mask, cmap="gray")
        ax.set_xlim(0, SIZE)
        ax.set_ylim(SIZE, 0)


def _scale_bar(ax: Axes, resolution: float, unit: str) -> None:
    """Draw a bar of a round length below the first picture, a third of its width or so."""
    longest = 0.35 * SIZE * resolution
    power = 10.0 ** np.floor(np.log10(longest))
    length = max(m for m in (1, 2, 5) if m * power <= longest) * power
    ax.plot([2, 2 + length / resolution], [SIZE - 2, SIZE - 2], color="#d7263d", linewidth=2.5, solid_capstyle="butt")
    sign = UNIT_SIGNS.get(unit, unit)
    ax.text(2, SIZE - 4, f"{length:g} {sign}", color="#d7263d", fontsize=7, va="bottom")
