"""Images of labels: quality control, and surfaces and crops of cells to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, expected, listing
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.hints import named
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.images_of_cells import rows_of_labels
from cellgraph_clr.adata.provenance import package_info
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.cells import patches, surfaces
from cellgraph_clr.cells.components import label_pieces
from cellgraph_clr.cells.scan import scan_labels
from cellgraph_clr.io.labels import as_label_image, warn_of_pieces
from cellgraph_clr.io.matched_labels import labels_of_cells

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr.graphs.samples import Group
    from cellgraph_clr.io.labels import Labels

__all__ = ["extract_patches", "label_qc", "sample_surfaces"]


def __dir__() -> list[str]:
    """Return what is public."""
    return __all__


__getattr__ = named("cgc.im", __all__)


LEAST_FENCE = 2.0  # times below and above the quartiles; sizes are never tiny or huge within
ROUNDING = 1e-9  # relative; sizes this near a bound are on it


def _bounds(size: np.ndarray, min_size: float | None, max_size: float | None) -> tuple[float, float]:
    """Return the sizes outside which cells are tiny or huge: what was given, else Tukey's far fences on log sizes.

    The fences are at least a factor of `LEAST_FENCE` from the quartiles, so that cells of (nearly) one size have none
    flagged for a few voxels. Bounds are moved outwards by rounding: a size on the bound is inside.
    """
    low, high = np.quantile(np.log(size), [0.25, 0.75])
    far = max(3 * (high - low), np.log(LEAST_FENCE))
    least = np.exp(low - far) if min_size is None else min_size
    most = np.exp(high + far) if max_size is None else max_size
    return float(least * (1 - ROUNDING)), float(most * (1 + ROUNDING))


@checked
def label_qc(
    labels: Labels,
    *,
    adata: AnnData | None = None,
    library_id: str | int | None = None,
    min_size: float | None = None,
    max_size: float | None = None,
) -> pd.DataFrame:
    """Look for what segmentation leaves behind: fragments, holes, tiny, huge, one-voxel-thick and cut cells.

    Parameters
    ----------
    labels : LabelImage or array-like or path-like
        Label image in any form that `from_labels` takes.
    adata : AnnData or None, default None
        Results are written to its `obs`, matched by `cell_id`; nothing is dropped.
    library_id : str or int or None, default None
        The sample (or frame) of `adata` that the labels are of; needed when it holds several.
    min_size, max_size : float or None, default None
        Volume (2D: area) in physical units below or above which a cell is tiny or huge. None takes Tukey's far fences
        on log sizes, exp(q25 - 3 IQR) and exp(q75 + 3 IQR), at least a factor of 2 beyond the quartiles, so that of
        cells of about one size none is flagged. A size on the bound is not flagged.

    Returns
    -------
    pandas.DataFrame
        DataFrame by `cell_id`: n_fragments (face-connected pieces), largest_fragment (its share of the cell), n_holes
        (pieces of background enclosed by one cell), hole_fraction (of the filled cell), touches_border, and the flags
        is_fragmented, has_holes, is_tiny, is_huge, is_thin (one voxel thick along an axis everywhere).

    Raises
    ------
    LabelImageError, NoCellsError, MissingFileError, FileFormatError
        For bad labels.
    OptionError
        If a size is negative, `min_size` above `max_size`, or `library_id` is missing for several samples.
    MissingKeyError
        If no cell of `adata` is in the labels.

    Notes
    -----
    Two reads of the labels, O(voxels); blocks of chunked arrays are joined exactly, so chunks do not change the answer.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> masks = np.zeros((12, 12), int)
    >>> masks[1:5, 1:5], masks[7:11, 1:5], masks[7:11, 7:11] = 1, 1, 2
    >>> cgc.im.label_qc(cgc.LabelImage.build(masks, spacing=1.0, unit="pixel"))[["n_fragments", "is_fragmented"]]
             n_fragments  is_fragmented
    cell_id
    1                  2           True
    2                  1          False
    """
    import pandas as pd

    for name, value in (("min_size", min_size), ("max_size", max_size)):
        if value is not None:
            check_in_range(name, value, low=0)
    if min_size is not None and max_size is not None and min_size > max_size:
        found = f"{min_size!r} and {max_size!r}"
        raise OptionError(expected("`min_size` up to `max_size`", found, "Exchange or change them."))
    group = None
    if adata is None:
        image = as_label_image(labels)
    else:
        check_writable(adata)
        group, image = labels_of_cells(adata, labels, library_id=library_id)
    s = scan_labels(image, surface=False)
    warn_of_pieces(image, s)
    pieces = label_pieces(image)
    size = s.count * np.prod(image.spacing)
    low, high = _bounds(size, min_size, max_size)
    axes = range(3 - image.ndim, 3)
    # a cell whose runs along an axis all have length 1 has as many runs, half its faces, as voxels
    thin = np.any([s.faces[:, a] == 2 * s.count for a in axes], axis=0) & (s.count > 0)
    out = pd.DataFrame(
        {
            "n_fragments": pieces.n_fragments,
            "largest_fragment": pieces.largest_fragment,
            "n_holes": pieces.n_holes,
            "hole_fraction": pieces.hole_voxels / (pieces.hole_voxels + s.count),
            "touches_border": s.border_faces.sum(axis=1) > 0,
            "is_fragmented": pieces.n_fragments > 1,
            "has_holes": pieces.n_holes > 0,
            "is_tiny": size < low,
            "is_huge": size > high,
            "is_thin": thin,
        },
        index=pd.Index(s.cell_id, name="cell_id"),
    )
    if adata is not None and group is not None:
        _write(adata, out, group)
    return out


@checked
def sample_surfaces(
    labels: Labels,
    *,
    n_points: int = 512,
    smoothing: float = 1.0,
    random_state: RandomState = 0,
    n_jobs: int | None = -1,
) -> surfaces.SurfacePoints:
    """Sample points with outward normals on the surface of every cell (2D: its outline), uniform by area, without a mesh.

    Parameters
    ----------
    labels : LabelImage or array-like or path-like
        As in `label_qc`.
    n_points : int, default 512
        Points of every cell.
    smoothing : float, default 1.0
        Spread of the Gaussian that normals are read from, in units of the largest spacing.
    random_state : int, numpy.random.Generator or None, default 0
        Seed; what a cell gets depends on it and on its id alone.
    n_jobs : int or None, default -1
        Threads; None takes one per core.

    Returns
    -------
    SurfacePoints
        `SurfacePoints`: cell_id (n,), points and normals (n, n_points, d) float32 along z, y, x in physical units, area
        (n,).

    Raises
    ------
    LabelImageError, NoCellsError, MissingFileError, FileFormatError, OptionError
        For bad labels and wrong options.

    Notes
    -----
    One scan, then a box a cell: O(voxels of the boxes + n n_points). See `cells.surfaces.sample_surface`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cells = cgc.datasets.shapes(8, random_state=0).image
    >>> surfaces = cgc.im.sample_surfaces(cells, n_points=64)
    >>> surfaces.points.shape, surfaces.normals.shape
    ((8, 64, 3), (8, 64, 3))
    """
    image = as_label_image(labels)
    s = scan_labels(image, surface=False)
    return surfaces.sample_surfaces(image, s, n_points, smoothing=smoothing, seed=as_seed(random_state), n_jobs=n_jobs)


@checked
def extract_patches(
    labels: Labels,
    image: Any = None,
    *,
    crop_px: int,
    resolution: float | None = None,
    place: Literal["whole", "inside"] = "whole",
    n_patches: int = 1,
    random_state: RandomState = 0,
) -> patches.Patches:
    """Cut crops around cells, or patches inside them, and bring them to isotropic voxels of a stated physical size.

    `labels` and `image` are as in `from_labels`; for the other arguments, results and errors see
    `cells.patches.extract_patches`. Chunked arrays are read box by box.

    Parameters
    ----------
    labels : LabelImage or array-like or path-like
        As in `from_labels`.
    image : object, default None
        As in `from_labels`.
    crop_px : int
        Voxels of a crop along each axis.
    resolution : float or None, default None
        Size of its voxels, in the unit of the spacing; None takes the coarsest spacing.
    place : {"whole", "inside"}, default "whole"
        "whole" cells, or patches "inside" them.
    n_patches : int, default 1
        Patches of every cell.
    random_state : int, numpy.random.Generator or None, default 0
        Seed of the places.

    Returns
    -------
    Patches
        Crops of labels and intensities, with the cell ids.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> cells = cgc.datasets.shapes(8, random_state=0).image
    >>> crops = cgc.im.extract_patches(cells, crop_px=16)
    >>> type(crops).__name__
    'Patches'
    """
    picture = as_label_image(labels, image)
    s = scan_labels(picture, surface=False)
    return patches.extract_patches(
        picture,
        s,
        size=crop_px,
        resolution=resolution,
        place=place,
        n_patches=n_patches,
        seed=as_seed(random_state),
    )


def _write(adata: AnnData, found: pd.DataFrame, group: Group) -> None:
    """Write the columns to `obs` of the cells of one sample; cells of others keep what they have (else 0 or False)."""
    rows = rows_of_labels(adata, found.index.to_numpy(), group)
    ids = cell_ids(adata)
    info = package_info(adata)
    older = [str(c) for c in info.get("label_qc", [])]
    taken = [c for c in found.columns if c in adata.obs and c not in (*older, "touches_border")]
    if taken:
        warn(f"obs columns {listing(taken)} are not of `cgc.im.label_qc` and stay as they were.")
    found = found.drop(columns=taken)
    info["label_qc"] = list(found.columns)
    for name in found.columns:
        values = found[name].to_numpy()
        column = adata.obs[name].to_numpy().copy() if name in adata.obs else np.zeros(adata.n_obs, values.dtype)
        column[rows] = found.loc[ids[rows], name].to_numpy()
        adata.obs[name] = column.astype(values.dtype)
    log_written("im.label_qc", [f"obs[{c!r}]" for c in found.columns])
