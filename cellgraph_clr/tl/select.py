"""Cells inside a drawn outline, as a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.numbers import as_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

__all__ = ["select_region"]


@checked
def select_region(
    adata: AnnData,
    outline: np.ndarray | Sequence[tuple[float, float]],
    *,
    projection: str = "xy",
    slab: tuple[float, float] | None = None,
    library_id: object = None,
) -> np.ndarray:
    """Return which cells lie inside a drawn outline: a mask (n,) bool, a query for `retrieve` and `retrieve_regions`.

    Parameters
    ----------
    adata : AnnData
        With `obsm["spatial"]`.
    outline : numpy.ndarray or sequence of tuple of float, float
        (v, 2) corners of a polygon in the two axes of `projection`, in the unit of positions, in order; closed by
        itself. A shape drawn in napari has its axes the other way round (y, x): pass `shape[:, ::-1]`.
    projection : str, default "xy"
        The plane it is drawn in: "xy", "xz" or "yz".
    slab : tuple of float, float or None, default None
        Lowest and highest coordinate along the third axis (3D); None takes all depths.
    library_id : object, default None
        Sample that it is drawn on, or frame of a movie, or a list of these; None takes cells of all.

    Returns
    -------
    numpy.ndarray
        Which cells lie inside a drawn outline.

    Raises
    ------
    ShapeError
        If the outline has fewer than three corners or other than two columns.
    MissingKeyError, OptionError
        For missing positions, a sample that is not there, or another projection.

    Warns
    -----
    UserWarning
        If no cell lies inside, with the extents of cells and outline; or those of several samples that were not asked for.

    Notes
    -----
    O(n v). No cell inside gives a mask without True.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> inside = cgc.tl.select_region(adata, [(0, 0), (100, 0), (100, 100), (0, 100)])
    >>> int(inside.sum())
    22
    """
    from matplotlib.path import Path

    from cellgraph_clr.adata.images_of_cells import chosen_images
    from cellgraph_clr.adata.planes import in_slab, plane

    corners = as_numbers(outline, "the corners of an outline").astype(float)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise ShapeError(expected("an outline of three corners (v, 2) or more", corners.shape, "Pass its x and y."))
    images, asked = chosen_images(adata, library_id), np.zeros(adata.n_obs, bool)
    for image in images:
        asked[image.rows] = True
    at = plane(adata, projection)
    inside: np.ndarray = Path(corners).contains_points(at) & in_slab(adata, projection, slab) & asked
    names = list(dict.fromkeys(g.sample for g in images if inside[g.rows].any()))
    if library_id is None and len(names) > 1:
        warn(f"Cells of {len(names)} samples lie inside: {listing(names)}. Pass `library_id=` for those of one.")
    if not inside.any():
        spans = (_span(at[asked & np.isfinite(at).all(axis=1)], projection), _span(corners, projection))
        warn(f"No cell lies inside the outline: cells have {spans[0]}; the outline has {spans[1]}.")
    return inside


def _span(at: np.ndarray, axes: str) -> str:
    """Return the extent of places (n, 2) in words."""
    if len(at) == 0:
        return "no positions"
    ends = zip(axes, at.min(axis=0), at.max(axis=0), strict=True)
    return ", ".join(f"{axis} {low:.4g} to {high:.4g}" for axis, low, high in ends)
