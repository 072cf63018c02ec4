"""To SpatialData and napari, and labels from SpatialData."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import FileFormatError, MissingDependencyError
from cellgraph_clr.adata.images_of_cells import images_of
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import unit_of
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.cells.movie import Movie
from cellgraph_clr.io.matched_labels import labels_of_cells

if TYPE_CHECKING:
    from anndata import AnnData
    from spatialdata import SpatialData

    from cellgraph_clr.io.labels import Labels

__all__ = ["from_spatialdata", "to_napari", "to_spatialdata"]


def _need_spatialdata() -> None:
    if find_spec("spatialdata") is None:
        remedy = "pip install 'cellgraph-clr[spatial]'"
        raise MissingDependencyError(expected("the package `spatialdata`", "not installed", remedy))


@checked
def to_spatialdata(adata: AnnData, labels: Labels, *, coordinate_system: str = "global") -> SpatialData:
    """Return SpatialData of one sample: labels (and image) with their scale, and the AnnData as the table of the labels.

    Parameters
    ----------
    adata : AnnData
        Of one sample; copied.
    labels : LabelImage or array-like or path-like
        Its label image, in any form that `from_labels` takes.
    coordinate_system : str, default "global"
        Name of the physical space.

    Returns
    -------
    SpatialData
        SpatialData of one sample.

    Raises
    ------
    MissingDependencyError
        Without spatialdata.
    FileFormatError
        If `adata` holds several samples.

    Notes
    -----
    SpatialData puts the origin at the corner of the first pixel, this package at its centre: `obsm["spatial"]` of the
    table is half a pixel further, so that it lies on `spatialdata.get_centroids` of the labels. uint64 ids are written as
    int64. Categories of `obs` without colors in `uns` get those of `cgc.pl`.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.tissue(40, random_state=0)
    >>> sdata = cgc.to_spatialdata(tissue.adata(), tissue.image)
    >>> sorted(sdata.labels), sorted(sdata.images), sorted(sdata.tables)
    (['cells'], ['image'], ['table'])
    """
    _need_spatialdata()
    import pandas as pd
    import spatialdata as sd
    from spatialdata.models import Image2DModel, Image3DModel, Labels2DModel, Labels3DModel, TableModel
    from spatialdata.transformations import Scale, Sequence, Translation

    from cellgraph_clr.pl.colors import coloring

    if len(images_of(adata)) > 1:
        raise FileFormatError(expected("an AnnData of one sample", "several", "Select one: `adata[mask]`."))
    _, labels = labels_of_cells(adata, labels)
    axes = tuple("zyx"[3 - labels.ndim :])
    origin = labels.origin or (0.0,) * labels.ndim
    space = {
        coordinate_system: Sequence([Scale(list(labels.spacing), axes=axes), Translation(list(origin), axes=axes)])
    }
    array = np.asarray(labels.labels)
    array = array.astype(np.int64) if array.dtype == np.uint64 else array
    region = str(adata.obs["region"].iloc[0]) if "region" in adata.obs else "cells"
    model, image_model = (Labels2DModel, Image2DModel) if labels.ndim == 2 else (Labels3DModel, Image3DModel)
    images: dict[str, Any] = {}
    if labels.image is not None:
        images["image"] = image_model.parse(
            np.asarray(labels.image), dims=("c", *axes), c_coords=list(labels.channels), transformations=space
        )
    table = adata.copy()
    table.uns.pop("spatialdata_attrs", None)
    for name in table.obs.columns:
        if isinstance(table.obs[name].dtype, pd.CategoricalDtype):
            coloring(table, str(name))  # writes colors to `uns`, which spatialdata-plot reads
    table.obs["region"] = region
    table.obs["region"] = table.obs["region"].astype("category")
    table.obsm["spatial"] = position_of(table) + np.asarray(labels.spacing)[::-1] / 2
    parsed = TableModel.parse(table, region=region, region_key="region", instance_key="cell_id")
    element = model.parse(array, dims=axes, transformations=space)
    return sd.SpatialData(images=images, labels={region: element}, tables={"table": parsed})


@checked
def from_spatialdata(
    sdata: SpatialData, labels: str, *, image: str | None = None, coordinate_system: str = "global", unit: str = "pixel"
) -> LabelImage:
    """Return a labels element of SpatialData, lazily, with the scale and translation of its transformation.

    Parameters
    ----------
    sdata : SpatialData
        Opened by `spatialdata.read_zarr`, or in memory.
    labels : str
        Name of the labels element; of several scales the finest is taken.
    image : str or None, default None
        Name of an image element on the same grid.
    coordinate_system : str, default "global"
        The physical space.
    unit : str, default "pixel"
        Of that space, which SpatialData does not record.

    Returns
    -------
    LabelImage
        A labels element of SpatialData, lazily, with the scale and translation of its transformation.

    Raises
    ------
    MissingDependencyError
        Without spatialdata.
    MissingKeyError
        If an element is missing.
    FileFormatError
        If the transformation rotates or shears.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.tissue(40, random_state=0)
    >>> sdata = cgc.to_spatialdata(tissue.adata(), tissue.image)
    >>> labels = cgc.from_spatialdata(sdata, "cells", image="image", unit="micrometer")
    >>> labels.spacing == tissue.image.spacing, labels.channels == tissue.image.channels
    (True, True)
    """
    _need_spatialdata()
    from spatialdata.transformations import get_transformation

    check_key(labels, list(sdata.labels), where="sdata.labels")
    element = _finest(sdata.labels[labels])
    axes = tuple(str(a) for a in element.dims)
    matrix = get_transformation(element, to_coordinate_system=coordinate_system).to_affine_matrix(axes, axes)
    step = np.diag(matrix)[:-1]
    if not np.allclose(matrix[:-1, :-1], np.diag(step)) or (step <= 0).any():
        raise FileFormatError(
            expected(f"a scale and translation for {labels!r}", "a rotation or shear", "Transform the element first.")
        )
    light, channels = None, None
    if image is not None:
        check_key(image, list(sdata.images), where="sdata.images")
        pixels = _finest(sdata.images[image])
        light, channels = pixels.data, [str(c) for c in pixels.coords["c"].values]
    return LabelImage.build(
        element.data,
        light,
        spacing=step.tolist(),
        unit=unit,
        channels=channels,
        origin=(matrix[:-1, -1] + step / 2).tolist(),
    )


def _finest(element: Any) -> Any:
    """Return the array of an element, of its finest scale when it has several."""
    return element if hasattr(element, "dims") and hasattr(element, "data") else next(iter(element["scale0"].values()))


@checked
def to_napari(
    adata: AnnData,
    labels: Labels,
    *,
    name: str = "cells",
    color: str | None = None,
    library_id: str | int | None = None,
) -> tuple[Any, dict[str, Any], str]:
    """Return what `napari.Viewer.add_layer(napari.layers.Layer.create(*…))` takes: labels, their options, "labels".

    Parameters
    ----------
    adata : AnnData
        The cells.
    labels : LabelImage or array-like or path-like
        Their label image, in any form that `from_labels` takes; a `Movie` gives a layer (t, [z,] y, x).
    name : str, default "cells"
        Of the layer.
    color : str or None, default None
        Column of `obs` or feature that labels are colored by, in the colors of `cgc.pl.spatial`; None leaves it to napari. In
        a whole movie an id has the color of its first frame.
    library_id : str or int or None, default None
        The sample (or frame) that the labels are of; needed where there are several, but for a whole movie.

    Returns
    -------
    tuple of object, dict of str to object, str
        What `napari.Viewer.add_layer(napari.layers.Layer.create(*…))` takes.

    Raises
    ------
    MissingKeyError
        If `color` is neither a column nor a feature.

    Notes
    -----
    The table of features has a column `index` that holds the label ids, by which napari finds the row of a label (of a
    movie, the means of numbers over the frames of an id); scale and translation are physical. napari itself is not needed.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.colon_glands()
    >>> adata = cgc.from_labels(tissue.nuclei)
    >>> values, options, kind = cgc.to_napari(adata, tissue.nuclei, name="nuclei")
    >>> options["name"], kind
    ('nuclei', 'labels')
    """
    import pandas as pd

    rows = np.arange(adata.n_obs)
    table = pd.concat([adata.obs.reset_index(drop=True), adata.to_df().reset_index(drop=True)], axis=1)
    table.insert(0, "index", adata.obs["cell_id"].to_numpy())
    if isinstance(labels, Movie) and library_id is None:
        first = labels.label_image(0)
        table = table.groupby("index", as_index=False).mean(numeric_only=True)
        layer, scale = labels.labels, (1.0, *first.spacing)
        origin: tuple[float, ...] = (0.0,) * len(scale)
        units = ["pixel"] + [unit_of(adata)] * labels.ndim
    else:
        group, image = labels_of_cells(adata, labels, library_id=library_id)
        rows = np.sort(group.rows)
        table = table.iloc[rows].reset_index(drop=True)
        layer, scale, origin = image.labels, image.spacing, image.origin or (0.0,) * image.ndim
        units = [unit_of(adata)] * image.ndim
    options = {"name": name, "scale": list(scale), "translate": list(origin), "units": units, "features": table}
    if color is not None:
        options["colormap"] = _colors_of_labels(adata, color, rows)
    return layer, options, "labels"


def _colors_of_labels(adata: AnnData, color: str, rows: np.ndarray) -> dict[int | None, Any]:
    """Return the color of every id among these rows, as napari takes it: background and labels without a cell are clear."""
    from cellgraph_clr.pl.cells import cell_colors, number_scale
    from cellgraph_clr.pl.colors import coloring

    found = coloring(adata[:], color)  # a view: colors are not written to `uns`
    scale = None if found.is_categorical else number_scale(found.values[rows], "viridis", None, None)
    colors, ids = cell_colors(found, scale)[rows], cell_ids(adata)[rows]
    clear: dict[int | None, Any] = {None: (0.0, 0.0, 0.0, 0.0), 0: (0.0, 0.0, 0.0, 0.0)}
    return clear | {int(i): tuple(c.tolist()) for i, c in zip(ids[::-1], colors[::-1], strict=True)}
