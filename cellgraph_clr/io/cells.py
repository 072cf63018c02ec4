"""Cells in AnnData: measured from labels, or taken from a table."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_key, expected, listing
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, NoCellsError
from cellgraph_clr._core.log import log
from cellgraph_clr.cells.compartments import nucleus_of_cells
from cellgraph_clr.cells.extras import EXTRA_GROUPS, extra_features
from cellgraph_clr.cells.label_image import LabelImage
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
from cellgraph_clr.graphs.layout import UNASSIGNED, package_info, store_contacts, to_xyz
from cellgraph_clr.io.labels import read_image, read_labels, warn_spacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

__all__ = ["from_labels", "from_table", "label_image"]


def _constant(value: str, n: int) -> pd.Categorical:
    import pandas as pd

    return pd.Categorical.from_codes(np.zeros(n, np.int8), [value])


def _anndata(cells: CellTable, *, library_id: str | None, region: str, region_key: str = "region") -> AnnData:
    """Return the AnnData of a table: features in X, ids and region in obs, x, y(, z) in obsm; names are unique."""
    import pandas as pd
    from anndata import AnnData

    ids = cells.cell_id
    if library_id:
        names = [f"{region}-{i}" for i in ids]
    else:
        names = list(map(str, ids.tolist()))
        if cells.sample.astype(bool).any():
            names = [f"{s}-{i}" for s, i in zip(cells.sample, names, strict=True)]
    obs = pd.DataFrame({"cell_id": ids, region_key: _constant(region, len(ids))}, index=names)
    if library_id:
        obs["library_id"] = _constant(library_id, len(ids))
    var = pd.DataFrame(
        {
            "group": pd.Categorical([i.group for i in cells.info]),
            "channel": [i.channel for i in cells.info],
            "unit": [i.unit for i in cells.info],
        },
        index=cells.names,
    )
    adata = AnnData(X=np.array(cells.features, np.float32), obs=obs, var=var)
    adata.obsm["spatial"] = to_xyz(cells.position)
    adata.uns["spatialdata_attrs"] = {"region": region, "region_key": region_key, "instance_key": "cell_id"}
    package_info(adata)["unit"] = cells.unit
    return adata


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
    nucleus_image = replace(image, labels=nuclei)
    t = scan_labels(nucleus_image, n_jobs=n_jobs)
    values, info = _measured(t, nucleus_image, groups, n_jobs, principal_axes(t, image.spacing)[0])
    chosen, n_nuclei = nucleus_of_cells(np.asarray(image.labels), np.asarray(nuclei), s, t)
    has = chosen >= 0
    size_ratio = np.where(has, t.count[chosen] / s.count, np.nan)
    offset = np.linalg.norm(centroid(t, image.spacing)[chosen] - centroid(s, image.spacing), axis=1)
    own = np.where(has[:, None], values[chosen], np.nan)
    columns = np.column_stack([own, size_ratio, np.where(has, offset, np.nan)])
    extra = (FeatureInfo("nucleus_fraction", "nucleus"), FeatureInfo("nucleus_offset", "nucleus", "", image.unit))
    info = tuple(replace(i, name=f"nucleus_{i.name}", group="nucleus") for i in info)
    return columns, info + extra, n_nuclei


def label_image(
    labels: LabelImage | np.ndarray | str | os.PathLike[str],
    image: np.ndarray | str | os.PathLike[str] | None = None,
    *,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    channels: Sequence[str] | None = None,
) -> LabelImage:
    """Return one checked `LabelImage` from what `from_labels` takes; what is given overrides what the file says."""
    pixels = read_image(image) if isinstance(image, (str, os.PathLike)) else image
    if isinstance(labels, (str, os.PathLike)):
        labels = read_labels(labels, spacing=spacing, unit=unit)
    if isinstance(labels, LabelImage):
        given = labels
        return LabelImage.build(
            given.labels,
            given.image if pixels is None else pixels,
            spacing=given.spacing if spacing is None else spacing,
            unit=unit or given.unit,
            channels=channels if channels is not None or pixels is not None else given.channels or None,
            origin=given.origin,
        )
    if spacing is None:
        warn_spacing()
    return LabelImage.build(labels, pixels, spacing=spacing, unit=unit or "pixel", channels=channels)


def from_labels(
    labels: LabelImage | np.ndarray | str | os.PathLike[str],
    image: np.ndarray | str | os.PathLike[str] | None = None,
    *,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    nuclei: LabelImage | np.ndarray | str | os.PathLike[str] | None = None,
    features: Sequence[str] = ("shape", "intensity"),
    channels: Sequence[str] | None = None,
    library_id: str | None = None,
    n_jobs: int | None = None,
) -> AnnData:
    """Return an AnnData of the cells of a label image: one row a cell, measured features in `X`.

    Parameters
    ----------
    labels : `LabelImage`, (y, x) or (z, y, x) integers with 0 as background, or a path (see `read_labels`).
    image : (c, [z,] y, x) or ([z,] y, x) intensities, or a path.
    spacing, unit : pixel size z, y, x and its unit; a warning says that 1 pixel is assumed when they are unknown.
    nuclei : nucleus labels (array, `LabelImage` or path) on the same grid; adds `nucleus_*` features of each cell's
        largest nucleus, the share of the cell it fills and its offset from the cell's centroid (NaN for cells without
        one), and `obs["n_nuclei"]`.
    features : groups to measure. In the one read of the labels: "shape" and "intensity" (the latter needs an image).
        On request, crop by crop and in parallel (see `cells.extras`): "hull" (solidity, largest diameter), "texture"
        (grey-level co-occurrence per channel), "thickness" (largest ball, mean depth), "skeleton" (length), "mesh"
        (area of a smoothed mesh, 3D), "cellprofiler" (everything of `cp_measure`, an extra to install).
    channels : names of the image's channels.
    library_id : name of the sample; written to `obs["library_id"]` and in front of the ids in `obs_names`.
    n_jobs : threads (processes for groups on request); None uses all.

    Returns
    -------
    AnnData with `X` float32 (n, f) and `var["group"]`, `["channel"]`, `["unit"]`; `obs["cell_id"]` (ids of the file),
    `["touches_border"]`; `obsm["spatial"]` x, y(, z) in physical units, centre of pixel 0 at 0 (plus the translation of
    the file); `obsm["major_axis"]`, unit vectors x, y(, z) along the longest axis (not among the features, which do not
    depend on how the image is turned); the contacts of the scan in `uns["cellgraph_clr"]["contacts"]`, so that
    `gr.contact_graph` reads nothing again.

    Raises
    ------
    LabelImageError, NoCellsError, ShapeError, OptionError, NonFiniteError
        For bad labels, no cells, arrays that do not fit, wrong options, NaN intensities.
    MissingFileError, FileFormatError
        For paths.

    Notes
    -----
    One read of labels and intensities, O(voxels); exact integer sums per cell.
    """
    labels = label_image(labels, image, spacing=spacing, unit=unit, channels=channels)
    check_groups(features, has_image=labels.image is not None)
    s = scan_labels(labels, n_jobs=n_jobs)
    axes, major = principal_axes(s, labels.spacing)
    values, info = _measured(s, labels, features, n_jobs, axes)
    n_nuclei = None
    if isinstance(nuclei, (str, os.PathLike)):
        nuclei = read_labels(nuclei, spacing=labels.spacing, unit=labels.unit)
    if isinstance(nuclei, LabelImage):
        nuclei = nuclei.labels
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
    adata = _anndata(cells, library_id=library_id, region=region)
    adata.obsm["major_axis"] = to_xyz(major).astype(np.float32)
    adata.obs["touches_border"] = s.border_faces.sum(axis=1) > 0
    if n_nuclei is not None:
        adata.obs["n_nuclei"] = n_nuclei
    package = package_info(adata)
    package["spacing"] = [float(x) for x in labels.spacing]
    face = np.asarray(labels.spacing).prod() / np.asarray(labels.spacing)
    entry = {
        "pairs": s.pairs,
        "area": contact_areas(s, labels.spacing),
        "cell_id": s.cell_id,
        "surface": s.faces[:, 3 - labels.ndim :] @ face,
        "spacing": [float(x) for x in labels.spacing],
    }
    store_contacts(adata, library_id or "", entry)
    log.info(
        "from_labels: %d cells, %d features, wrote X, obsm['spatial'], obs['cell_id']", len(cells), values.shape[1]
    )
    return adata


def from_table(
    df: pd.DataFrame,
    *,
    cell_id: str | None,
    position: Sequence[str],
    features: Sequence[str] = (),
    obs: Sequence[str] = (),
    unit: str = "micrometer",
    library_id: str | None = None,
) -> AnnData:
    """Return an AnnData of a table of cells.

    Parameters
    ----------
    df : one row a cell.
    cell_id : column of integer ids; None numbers the rows from 1.
    position : columns of x, y or x, y, z, in `unit`.
    features : numeric columns for `X` (NaN is kept: see `pp.scale_features`).
    obs : columns copied to `obs`; text becomes categorical, missing labels become "unassigned".
    unit : unit of the positions.
    library_id : column of samples, written to `obs["library_id"]`.

    Raises
    ------
    NoCellsError
        If the table has no rows.
    MissingKeyError
        If a column is missing.
    NonFiniteError
        If a position is NaN.
    CellGraphError
        If ids are not whole numbers, or not unique per sample, or a feature is not numeric.
    """
    import pandas as pd

    if len(df) == 0:
        raise NoCellsError(expected("a table with rows", "none", "Check the filter before."))
    wanted = [*position, *features, *obs, *([cell_id] if cell_id else []), *([library_id] if library_id else [])]
    for name in wanted:
        check_key(name, [str(c) for c in df.columns], where="df.columns", error=MissingKeyError)
    if len(position) not in (2, 3):
        raise CellGraphError(expected("`position` of 2 or 3 columns (x, y or x, y, z)", list(position), "Name them."))
    text = [p for p in position if not pd.api.types.is_numeric_dtype(df[p])]
    if text:
        raise CellGraphError(expected("numeric positions", f"text in {listing(text)}", "Convert these columns."))
    xyz = df[list(position)].to_numpy(np.float64)
    check_finite(xyz, what="positions", names=list(position), remedy="Drop the cells without a position.")
    text = [f for f in features if not pd.api.types.is_numeric_dtype(df[f])]
    if text:
        raise CellGraphError(expected("numeric features", f"text in {listing(text)}", "Convert or move them to `obs`."))
    ids = np.arange(1, len(df) + 1) if cell_id is None else df[cell_id].to_numpy()
    if ids.dtype.kind not in "iu" and not (ids.dtype.kind == "f" and (ids == np.floor(ids)).all()):
        raise CellGraphError(expected(f"whole numbers in {cell_id!r}", f"dtype {ids.dtype}", "Pass the id column."))
    sample = df[library_id].astype(str).to_numpy() if library_id else ""
    cells = CellTable.build(
        ids.astype(np.int64),
        to_xyz(xyz),
        unit=unit,
        features=df[list(features)].to_numpy(np.float32),
        info=tuple(FeatureInfo(str(f)) for f in features),
        sample=sample,
    )
    adata = _anndata(cells, library_id=None, region="cells", region_key="cells" if "region" in obs else "region")
    if library_id:
        adata.obs["library_id"] = pd.Categorical(cells.sample)
    for name in obs:
        adata.obs[name] = _obs_column(df[name]).array
    return adata


def _obs_column(column: Any) -> Any:
    """Return a column fit for `obs`: text as categories without NaN, numbers and flags as they are."""
    import pandas as pd

    missing = pd.api.types.is_extension_array_dtype(column.dtype) and column.isna().any()
    if column.dtype.kind in "biuf" and not missing:
        return column
    text = column.astype(object).where(column.notna(), UNASSIGNED).astype(str)
    return pd.Series(pd.Categorical(text), index=column.index)
