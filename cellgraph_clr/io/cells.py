"""From label images to AnnData: cells and nuclei, measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.axes import to_xyz
from cellgraph_clr._core.checks import expected, sample_name
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log
from cellgraph_clr._core.units import unit_factor
from cellgraph_clr.adata.images_of_cells import SAME, Scale, store_contacts, store_scale
from cellgraph_clr.adata.writing import anndata_of
from cellgraph_clr.cells.compartments import check_same_grid, nucleus_of_cells
from cellgraph_clr.cells.extras import EXTRA_GROUPS, extra_features
from cellgraph_clr.cells.gaps import gap_of_isolates
from cellgraph_clr.cells.measure import (
    centroid,
    check_groups,
    contact_areas,
    intensity_features,
    principal_axes,
    shape_features,
)
from cellgraph_clr.cells.scan import LabelStatistics, scan_labels
from cellgraph_clr.cells.table import CellTable, FeatureInfo
from cellgraph_clr.io.labels import as_label_image, warn_of_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.io.labels import Labels

__all__ = ["from_labels"]


def _measured(
    s: LabelStatistics, image: LabelImage, groups: Sequence[str], n_jobs: int | None, axes: np.ndarray
) -> tuple[np.ndarray, tuple[FeatureInfo, ...]]:
    blocks, info = [], []
    if "shape" in groups:
        values, names = shape_features(s, image.spacing, image.unit, axes)
        blocks.append(values)
        info += names
    if "intensity" in groups and image.image is not None:
        values, names = intensity_features(s, image.spacing, image.unit, image.channels)
        blocks.append(values)
        info += names
    for group in EXTRA_GROUPS:
        if group in groups:
            values, names = extra_features(group, image, s, n_jobs=n_jobs)
            blocks.append(values)
            info += names
    return np.concatenate([np.zeros((len(s.cell_id), 0)), *blocks], axis=1), tuple(info)


def _nucleus_features(
    image: LabelImage, nuclei: Any, s: LabelStatistics, groups: Sequence[str], n_jobs: int | None
) -> tuple[np.ndarray, tuple[FeatureInfo, ...], np.ndarray]:
    """Return features of each cell's largest nucleus (NaN without one), their names, and nuclei per cell."""
    nucleus_image = _on_one_grid(image, nuclei)
    nuclei = nucleus_image.labels
    t = scan_labels(nucleus_image, surface="shape" in groups, n_jobs=n_jobs)
    values, info = _measured(t, nucleus_image, groups, n_jobs, principal_axes(t, image.spacing)[0])
    chosen, n_nuclei = nucleus_of_cells(image.labels, nuclei, s, t)
    has = chosen >= 0
    size_ratio = np.where(has, t.count[chosen] / s.count, np.nan)
    offset = np.linalg.norm(centroid(t, image.spacing)[chosen] - centroid(s, image.spacing), axis=1)
    own = np.where(has[:, None], values[chosen], np.nan)
    columns = np.column_stack([own, size_ratio, np.where(has, offset, np.nan)])
    extra = (FeatureInfo("nucleus_fraction", "nucleus"), FeatureInfo("nucleus_offset", "nucleus", "", image.unit))
    info = tuple(replace(i, name=f"nucleus_{i.name}", group="nucleus") for i in info)
    return columns, info + extra, n_nuclei


def _on_one_grid(cells: LabelImage, nuclei: Any) -> LabelImage:
    """Return the nuclei with the scale and intensities of the cells. Raises `ShapeError` or `OptionError` for another grid."""
    given = as_label_image(nuclei, warn=False)
    check_same_grid(cells.labels, given.labels)
    if given.has_scale:
        factor = unit_factor(given.unit, cells.unit)
        if not np.allclose([s * factor for s in given.spacing], cells.spacing, rtol=SAME, atol=0):
            one, other = Scale(cells.spacing, cells.unit, ()), Scale(given.spacing, given.unit, ())
            remedy = "Pass the array of the nuclei alone to use the spacing of the cells."
            raise OptionError(expected(f"nuclei with a spacing of {one}, as the cells", f"{other}", remedy))
        place = [o * factor for o in given.origin]
        if place and not np.allclose(place, cells.origin or 0.0, rtol=SAME, atol=SAME * min(cells.spacing)):
            remedy = "Pass the array of the nuclei alone to place them as the cells."
            raise OptionError(expected(f"nuclei that begin at {cells.origin or 0}, as the cells", f"{place}", remedy))
    return replace(cells, labels=given.labels)


@checked
def from_labels(
    labels: Labels,
    image: Any = None,
    *,
    spacing: float | Sequence[float] | None = None,
    unit: str | None = None,
    nuclei: Labels | None = None,
    features: Sequence[str] = ("shape", "intensity"),
    channels: Sequence[str] | None = None,
    library_id: str | None = None,
    n_jobs: int | None = -1,
) -> AnnData:
    """Return an AnnData of the cells of a label image: one row a cell, measured features in `X`.

    Parameters
    ----------
    labels : LabelImage or array-like or path-like
        `LabelImage`, (y, x) or (z, y, x) integers with 0 as background (NumPy, Zarr, HDF5, dask, xarray), or a path
        (see `read_labels`).
    image : object, default None
        (c, [z,] y, x) or ([z,] y, x) intensities in these forms.
    spacing : float or sequence of float or None, default None
        Pixel size z, y, x, or one number for all axes; overrides the metadata. A warning says that 1 pixel is assumed
        where it is not known.
    unit : str or None, default None
        Unit of the spacing; without `spacing` the known one is converted to it.
    nuclei : LabelImage or array-like or path-like or None, default None
        Nucleus labels in the forms of `labels`, on the same grid; adds `nucleus_*` features of each cell's largest
        nucleus, the share of the cell it fills and its offset from the cell's centroid (NaN for cells without one), and
        `obs["n_nuclei"]`.
    features : sequence of str, default ("shape", "intensity")
        Groups to measure. In the one read of the labels: "shape" and "intensity" (the latter needs an image). On
        request, crop by crop and in parallel (see `cells.extras`): "hull" (solidity, largest diameter), "texture"
        (grey-level co-occurrence per channel), "thickness" (largest ball, mean depth), "skeleton" (length), "mesh"
        (area of a smoothed mesh, 3D), "cellprofiler" (`cp_measure`, an extra to install). The string "all": every group
        but the last that fits the labels.
    channels : sequence of str or None, default None
        Names of the image's channels.
    library_id : str or None, default None
        Name of the sample; written to `obs["library_id"]` and in front of the ids in `obs_names`.
    n_jobs : int or None, default -1
        Threads (processes for groups on request); None uses all.

    Returns
    -------
    AnnData
        AnnData with `X` float32 (n, f) and `var["group"]`, `["channel"]`, `["unit"]`; `obs["cell_id"]` (ids of the
        file), `["touches_border"]`; `obsm["spatial"]` x, y(, z) in physical units, centre of pixel 0 at 0 (plus the
        translation of the file); `obsm["major_axis"]`, unit vectors x, y(, z) along the longest axis (not among the
        features, which do not depend on how the image is turned); the contacts of the scan in
        `uns["cellgraph_clr"]["contacts"]`, so that `gr.contact_graph` reads nothing again.

    Raises
    ------
    LabelImageError, NoCellsError, ShapeError, OptionError, NonFiniteError
        For bad labels, no cells, arrays that do not fit, wrong options, NaN intensities.
    MissingFileError, FileFormatError
        For paths.

    Warns
    -----
    UserWarning
        If no spacing is known, or most labels are scattered in pieces, as they are in an intensity image or a binary mask.

    Notes
    -----
    One read of labels and intensities, O(voxels); exact integer sums per cell. Where many cells touch no other, the gaps of
    some of them are measured as well, so that `gr.contact_graph` can name a `max_gap`.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> masks = np.zeros((20, 20), int)
    >>> masks[2:8, 2:8], masks[2:8, 8:18] = 7, 9
    >>> adata = cgc.from_labels(masks, spacing=0.5, unit="micrometer")
    >>> adata.obs["cell_id"].tolist()
    [7, 9]
    >>> adata[:, "area"].X.ravel().tolist()
    [9.0, 15.0]
    """
    library_id = sample_name(library_id)
    labels = as_label_image(labels, image, spacing=spacing, unit=unit, channels=channels)
    features = check_groups(features, has_image=labels.image is not None, ndim=labels.ndim)
    s = scan_labels(labels, surface="shape" in features, n_jobs=n_jobs)
    warn_of_pieces(labels, s)
    axes, major = principal_axes(s, labels.spacing)
    values, info = _measured(s, labels, features, n_jobs, axes)
    n_nuclei = None
    if nuclei is not None:
        more, more_info, n_nuclei = _nucleus_features(labels, nuclei, s, features, n_jobs)
        values, info = np.concatenate([values, more], axis=1), info + more_info
    region = library_id or "cells"
    cells = CellTable.build(
        s.cell_id,
        centroid(s, labels.spacing) + (np.asarray(labels.origin) if labels.origin else 0.0),
        unit=labels.unit,
        features=values,
        info=info,
        sample=library_id or "",
    )
    adata = anndata_of(cells, library_id=library_id, region=region)
    adata.obsm["major_axis"] = to_xyz(major).astype(np.float32)
    adata.obs["touches_border"] = s.border_faces.sum(axis=1) > 0
    if n_nuclei is not None:
        adata.obs["n_nuclei"] = n_nuclei
    store_scale(adata, library_id or "", Scale(labels.spacing, labels.unit, labels.origin, labels.labels.shape))
    face = np.asarray(labels.spacing).prod() / np.asarray(labels.spacing)
    entry = {
        "pairs": s.pairs,
        "area": contact_areas(s, labels.spacing),
        "cell_id": s.cell_id,
        "surface": s.faces[:, 3 - labels.ndim :] @ face,
        "position": cells.position.astype(np.float32),
    }
    gap = gap_of_isolates(labels, s)
    if gap is not None:
        entry["gap"] = gap
    store_contacts(adata, library_id or "", entry)
    log.info(
        "from_labels: %d cells, %d features, wrote X, obsm['spatial'], obs['cell_id']", len(cells), values.shape[1]
    )
    return adata
