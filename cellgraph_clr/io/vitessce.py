"""To Vitessce: an AnnData-Zarr store that its pages read, and the configuration that shows it."""

from __future__ import annotations

import json
import os
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key, check_text, expected, listing
from cellgraph_clr._core.errors import CellGraphError, FileFormatError, NoCellsError, OptionError, ShapeError
from cellgraph_clr._core.files import replacing
from cellgraph_clr._core.outputs import check_output, not_written
from cellgraph_clr.adata.copies import check_in_memory
from cellgraph_clr.adata.images_of_cells import image_numbers, images_of
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.reading import raw_values, read_features
from cellgraph_clr.adata.samples import cell_ids
from cellgraph_clr.io.vitessce_config import Shown, configuration, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

__all__ = ["to_vitessce"]

EMBEDDINGS = {"X_umap": "UMAP", "X_tsne": "t-SNE", "X_pca": "PCA"}
CLASSES = ("cell_type_pred", "cell_type", "compartment", "leiden", "gmm")  # what colors at first, the first there is
NOT_SHOWN = ("cell_id", "region")
CORNERS = 8  # of a cell without an outline
POINTS = 32  # of an outline
GAP = 0.12  # between samples, in sides of the largest
CHUNK = 16  # features of a chunk
RADIUS = 5.0  # of a disc in units of space, where neither the places of cells nor their area tells one


@checked
def to_vitessce(
    adata: AnnData,
    path: str | os.PathLike[str],
    *,
    labels: Any = None,
    color: str | None = None,
    embedding: str | None = None,
    features: Sequence[str] | None = None,
    library_key: str | None = None,
    title: str | None = None,
    url: str = "http://localhost:8000",
) -> dict[str, Any]:
    """Write cells for Vitessce, a store and the configuration beside it, and return the configuration.

    It shows the tissue and an embedding, linked, with the classes of cells in the colors of `cgc.pl` and the features in raw
    units; cells bear the names of `adata.obs_names`, and their ids as labels.

    Parameters
    ----------
    adata : AnnData
        In memory. Not changed.
    path : str or path-like
        Store to write, ending in .zarr (Zarr format 2, which all versions of Vitessce read); the configuration is written
        beside it, ending in .json.
    labels : object, default None
        Label images of the cells, in any form that `pl.spatial` takes: in 2D cells have their outlines, else they are drawn
        as discs.
    color : str or None, default None
        `obs` column of classes that colors cells at first; None takes one of predicted types or clusters where there is one.
    embedding : str or None, default None
        `obsm` key whose first two columns are drawn; None takes the first there is of "X_umap", "X_tsne" and "X_pca".
    features : sequence of str or None, default None
        Features that can be shown; None takes all. Numbers of `obs` are listed after them.
    library_key : str or None, default None
        `obs` column of the samples, which are laid side by side; None as in `gr.contact_graph`.
    title : str or None, default None
        Of the configuration; None takes the name of the store.
    url : str, default "http://localhost:8000"
        Address under which the folder of the store will be served.

    Returns
    -------
    dict of str to object
        The configuration, as it was written.

    Raises
    ------
    FileFormatError, OutputError
        For a path that does not end in .zarr, or cannot be written; a store replaces only an AnnData, and a configuration only
        one of Vitessce or an empty file.
    MissingFileError
        For labels that are not there.
    NoCellsError, CellGraphError
        For no cell, an AnnData that is not in memory, or cells of one name.
    MissingKeyError, OptionError, ShapeError
        For a path that is no path, unknown keys, labels that are not those of the cells, a `color` that is no column of
        classes, an embedding of one column.

    Notes
    -----
    To see it, serve the folder with CORS, for example by `npx http-server --cors -p 8000`, and open
    https://vitessce.io/#?url=http://localhost:8000/cells.json in a browser (for a store cells.zarr).

    In 3D x and y are shown. Without outlines discs are as large as cells lie apart; a cell that lies alone has its area, or a
    radius of 5. The store is replaced before the configuration: one that is older shows its own columns, or none. Memory:
    cells x features x 4 bytes. Vitessce takes no part in it; tested with the schema and the pages of Vitessce 4.0.

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> tissue = cgc.datasets.tissue(120, random_state=0)
    >>> adata = tissue.adata()
    >>> config = cgc.to_vitessce(adata, "cells.zarr", labels=tissue.image)
    >>> [view["component"] for view in config["layout"]]
    ['spatial', 'obsSets', 'featureList', 'status']
    """
    if not isinstance(path, (str, os.PathLike)):
        raise OptionError(expected("`path` as the path of a store", f"{path!r:.60}", "Pass one that ends in .zarr."))
    target = Path(path)
    if target.suffix != ".zarr":
        raise FileFormatError(expected("a path ending in .zarr", repr(target.name), "Name the store so."))
    check_output(target, "store")
    _check_replaced(target.with_suffix(".json"))
    check_in_memory(adata)
    if not adata.obs_names.is_unique:
        raise CellGraphError(
            expected("names of cells that differ", "equal ones", "Make them unique: `obs_names_make_unique`.")
        )
    if adata.n_obs == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    check_text("url", url)
    if title is not None:
        check_text("title", title)
    first = _first_classes(adata, color)
    store, shown = _store(adata, first, labels, embedding, features, library_key)
    config = configuration(shown, title or target.stem, f"{url.rstrip('/')}/{quote(os.fsencode(target.name))}")
    with replacing(target, folder=True) as beside:
        _write_zarr(store, beside)
    with replacing(target.with_suffix(".json")) as beside:
        beside.write_text(json.dumps(config, indent=1, allow_nan=False), encoding="utf-8")
    return config


def _check_replaced(path: Path) -> None:
    """Raise `OutputError` where no configuration can be written, or what lies there is no configuration of Vitessce."""
    found = check_output(path)
    if not found.exists() or found.stat().st_size == 0:
        return
    try:
        held = json.loads(found.read_bytes())
    except OSError as error:
        raise not_written(path, error) from error
    except (ValueError, RecursionError):
        held = None
    if not (isinstance(held, dict) and {"datasets", "layout"} <= held.keys()):
        raise not_written(path, "a file there that is no configuration of Vitessce")


def _first_classes(adata: AnnData, color: str | None) -> list[str]:
    """Return the columns of classes, that which colors at first in front. Raises `OptionError` for another."""
    from cellgraph_clr._report.columns import categorical_columns

    classes = categorical_columns(adata)
    if color is None:
        first = [c for c in CLASSES if c in classes] or [c for c in classes if adata.obs[c].dtype != bool]
    elif color in classes:
        first = [color]
    else:
        remedy = "Name a column of classes; numbers and features are chosen in Vitessce."
        raise OptionError(expected(f"`color` among {listing(classes)}", repr(color), remedy))
    return list(dict.fromkeys([*first, *classes]))


def _store(
    adata: AnnData,
    classes: Sequence[str],
    labels: Any,
    embedding: str | None,
    features: Sequence[str] | None,
    library_key: str | None,
) -> tuple[AnnData, Shown]:
    """Return the AnnData that is written, and what the configuration says of it."""
    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr.pl.colors import coloring

    names = adata.obs_names.astype(str).to_numpy(object)
    obs = pd.DataFrame(index=pd.Index(names, dtype=object))
    obs["cell_id"] = (cell_ids(adata).astype(str) if "cell_id" in adata.obs else names).astype(object)
    sets: dict[str, dict[str, str]] = {}
    for name in classes:
        found = coloring(adata[:], name)  # a view: colors are not written to `uns`
        obs[place_of("set", name)] = pd.Categorical.from_codes(found.values, found.names)
        sets[name] = dict(zip(found.names, found.colors, strict=True))
    matrix, var = _matrix(adata, features)
    store, drawn, box = AnnData(matrix, obs=obs, var=var), None, None
    key = embedding or next((k for k in EMBEDDINGS if k in adata.obsm), None)
    if key is not None:
        flat = read_features(adata, key)[0]
        if flat.shape[1] < 2:
            raise ShapeError(expected(f"two columns in obsm[{key!r}]", flat.shape[1], "Choose another embedding."))
        drawn = (EMBEDDINGS.get(key, key.removeprefix("X_")), place_of("embedding", key))
        store.obsm[drawn[1]] = np.asarray(flat[:, :2], np.float32)
    if "spatial" in adata.obsm:
        shift = _side_by_side(adata, library_key)
        place = position_of(adata)[:, :2] + shift
        store.obsm["spatial"] = place.astype(np.float32)
        polygons = _polygons(adata, labels, library_key) + shift[:, None]
        store.obsm["segmentations"] = polygons.astype(np.float32)
        box = (polygons.min(axis=(0, 1)), polygons.max(axis=(0, 1)))
    return store, Shown(sets, drawn, box)


def _matrix(adata: AnnData, features: Sequence[str] | None) -> tuple[np.ndarray, pd.DataFrame]:
    """Return features and numbers of `obs` (n, f) float32 as measured, and their names with units."""
    import pandas as pd

    from cellgraph_clr.pl.colors import feature_label

    if features is not None:
        for name in features:
            check_key(name, list(adata.var_names), where="adata.var_names")
    shown = list(dict.fromkeys(map(str, adata.var_names) if features is None else features))
    shown = [] if adata.X is None else shown
    numbers = [str(c) for c in adata.obs.columns if adata.obs[c].dtype.kind in "iuf" and c not in (*NOT_SHOWN, *shown)]
    numbers = [c for c in numbers if np.isfinite(adata.obs[c].to_numpy(float)).any()]
    matrix = np.empty((adata.n_obs, len(shown) + len(numbers)), np.float32)
    for i, name in enumerate(shown):
        matrix[:, i] = raw_values(adata, name)[0]
    for i, name in enumerate(numbers, start=len(shown)):
        matrix[:, i] = adata.obs[name].to_numpy(float)
    var = pd.DataFrame(index=pd.Index([*shown, *numbers], dtype=object))
    var["label"] = np.array([*(feature_label(adata, n) for n in shown), *numbers], object)
    return matrix, var


def _side_by_side(adata: AnnData, library_key: str | None) -> np.ndarray:
    """Return how far every cell is moved (n, 2), so that samples lie on a grid; nothing where there is one."""
    images = images_of(adata, library_key)
    shift = np.zeros((adata.n_obs, 2))
    if len(images) == 1:
        return shift
    number, place = image_numbers(adata, library_key), position_of(adata)[:, :2]
    side = (1 + GAP) * np.max([np.ptp(place[g.rows], axis=0) for g in images], axis=0)
    columns = int(np.ceil(np.sqrt(len(images))))
    corner = np.array([place[g.rows].min(axis=0) for g in images])
    slot = np.arange(len(images))
    return (np.c_[slot % columns, slot // columns] * side - corner)[number]


def _polygons(adata: AnnData, labels: Any, library_key: str | None) -> np.ndarray:
    """Return a polygon of every cell (n, k, 2): its outline where there are labels in 2D, else a disc."""
    from cellgraph_clr._report.pictures import cell_outlines
    from cellgraph_clr.io.matched_labels import labels_of_images

    xyz = position_of(adata)
    place, images = xyz[:, :2], images_of(adata, library_key)
    flat = labels is not None and xyz.shape[1] == 2
    out = np.empty((adata.n_obs, POINTS if flat else CORNERS, 2))
    angle = 2 * np.pi * np.arange(out.shape[1]) / out.shape[1]
    for group in images:
        out[group.rows] = (
            place[group.rows][:, None] + _radius(adata, place, group.rows) * np.c_[np.cos(angle), np.sin(angle)]
        )
    if labels is None:
        return out
    labels_of, ids = labels_of_images(adata, labels, images, in_place=True), cell_ids(adata)
    for group in images:
        found = labels_of(group)
        if not flat:  # looked at, not drawn
            continue
        known, centre, outline = cell_outlines(found)
        at = {int(c): i for i, c in enumerate(known)}
        for row in group.rows:
            i = at.get(int(ids[row]))
            if i is not None:
                some = np.linspace(0, len(outline[i]), POINTS, endpoint=False).astype(int)
                out[row] = outline[i][some] + centre[i]
    return out


def _radius(adata: AnnData, place: np.ndarray, rows: np.ndarray) -> float:
    """Return the radius of the discs of one image: of how far cells lie apart, else of their area."""
    extent = np.ptp(place[rows], axis=0)
    apart = max(float(np.sqrt(extent.prod() / len(rows))), float(extent.max()) / len(rows))  # the latter on a line
    if apart > 0:
        return 0.36 * apart
    area = raw_values(adata, "area")[0][rows] if "area" in adata.var_names and adata.X is not None else np.zeros(0)
    area = area[np.isfinite(area) & (area > 0)]
    return float(np.sqrt(np.median(area) / np.pi)) if len(area) else RADIUS


def _write_zarr(store: AnnData, path: Path) -> None:
    """Write a store in Zarr format 2, whose chunks of X are of few features."""
    from anndata import settings

    known = settings.override(zarr_write_format=2) if "zarr_write_format" in dir(settings) else nullcontext()
    chunks = (store.n_obs, max(min(store.n_vars, CHUNK), 1))
    with known, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store.write_zarr(path, chunks=chunks, convert_strings_to_categoricals=False)
