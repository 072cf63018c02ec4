"""Readers of data sets that lie on the user's disk; the package ships and downloads none of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import MissingFileError
from cellgraph_clr._core.files import existing_path

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr.cells.label_image import LabelImage

__all__ = ["data_dir", "osmfish_cortex", "platynereis", "platynereis_candidates", "segmented_tissue"]

ENVIRONMENT = "CELLGRAPH_DATA"
NOT_FEATURES = ("cell_shape_from_label_1_0_0", "cell_shape_size_ratio")
FEATURE_PREFIXES = ("cell_", "nuc_", "nuc2019", "chromatin", "heterochromatin_mean", "heterochromatin_sd")


def data_dir(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of data sets: `path`, or the environment variable CELLGRAPH_DATA.

    Raises `MissingFileError` when neither is given or the folder is not there.
    """
    chosen = path or os.environ.get(ENVIRONMENT)
    if not chosen:
        raise MissingFileError(
            expected("a folder of data sets", "none", f"Pass `path` (`--data DIR`) or set {ENVIRONMENT}.")
        )
    return existing_path(chosen)


def _table(path: str | os.PathLike[str] | None, folder: str, name: str) -> pd.DataFrame:
    import pandas as pd

    root = data_dir(path)
    if root.is_file():
        root = root.parent
    root = root if (root / name).exists() else root / folder
    return pd.read_parquet(existing_path(root / name))


def platynereis(path: str | os.PathLike[str] | None = None) -> AnnData:
    """Return the 11,382 cells of the 6-day Platynereis dumerilii larva with measured features.

    Parameters
    ----------
    path : folder that holds platynereis/cells.parquet (or that file itself); None reads CELLGRAPH_DATA.

    Returns
    -------
    AnnData: `X` shape, nucleus texture and chromatin features (NaN where not measured), the offset of the nucleus and its
    share of the cell; `obs` cell_type ("unassigned" where not one of the 390 annotated cells), side ("a" or "b" of the
    midline; the file does not say which is left), ganglion_name and one flag per region; `obsm["spatial"]` x, y, z in
    micrometers. Positions are no features.

    Raises
    ------
    MissingFileError
        If the file is not there.
    MissingKeyError
        If a column is missing.

    Notes
    -----
    Public originals: PlatyBrowser (github.com/mobie/platybrowser-project; Vergara et al. 2021, Cell) and the annotations of
    MorphoFeatures (github.com/kreshuklab/MorphoFeatures; Zinchenko et al. 2023, eLife 12:e80918).
    """
    from cellgraph_clr.io.cells import from_table

    df = _table(path, "platynereis", "cells.parquet")
    box = [f"cell_bbox_d{a}_um" for a in "xyz"]
    needed = ["label_id", "cell_type_390", "cell_volume_um3", "nuc_volume_um3", "side", *box]
    for column in [*needed, *(f"{p}{a}_um" for p in ("", "nuc_") for a in "xyz")]:
        check_key(column, list(df.columns), where="cells.parquet")
    position = [c for c in df.columns if c.startswith("nuc_") and c.endswith(("x_um", "y_um", "z_um"))]
    features = [
        c
        for c in df.columns
        if c.startswith(FEATURE_PREFIXES)
        and df[c].dtype.kind == "f"
        and c not in NOT_FEATURES
        and c not in position
        and c not in box
    ] + box
    df = df.copy()
    centre = df[["x_um", "y_um", "z_um"]].to_numpy()
    df["nucleus_offset_um"] = np.linalg.norm(df[["nuc_x_um", "nuc_y_um", "nuc_z_um"]].to_numpy() - centre, axis=1)
    df["nucleus_fraction"] = df["nuc_volume_um3"] / df["cell_volume_um3"].clip(lower=1)
    df = df.rename(columns={"cell_type_390": "cell_type"})
    regions = [c for c in df.columns if c.startswith("region_")]
    for region in regions:
        df[region] = df[region].fillna(0).astype(bool)
    df["side"] = df["side"].map({True: "a", False: "b"}).astype(object)
    labels = [c for c in ("cell_type", "side", "ganglion_name") if c in df]
    return from_table(
        df,
        cell_id="label_id",
        position=["x_um", "y_um", "z_um"],
        features=[*features, "nucleus_offset_um", "nucleus_fraction"],
        obs=[*labels, *regions],
        unit="micrometer",
    )


def platynereis_candidates(path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return the candidate left-right partners of the Platynereis cells: one line (cell_id, candidate) per pair.

    Arguments, errors and sources as `platynereis`; the file is bilateral_candidates.parquet.
    """
    df = _table(path, "platynereis", "bilateral_candidates.parquet")
    pairs = df.iloc[:, :2].copy()
    pairs.columns = ["cell_id", "candidate"]
    return pairs.astype(np.int64)


def osmfish_cortex(path: str | os.PathLike[str] | None = None) -> AnnData:
    """Return the 4,839 valid cells of the osmFISH mouse somatosensory cortex with 33 gene counts.

    `obs` holds cell_type and region; ids number the rows of the file's valid cells from 1; `obsm["spatial"]` is in
    micrometers (0.065 a pixel). Raises `MissingFileError` and `MissingKeyError`.

    Public original: linnarssonlab.org/osmFISH (Codeluppi et al. 2018, Nature Methods).
    """
    from cellgraph_clr.io.cells import from_table

    df = _table(path, "osmfish_cortex", "cells.parquet")
    for column in ("x_px", "y_px", "cell_type", "region", "valid"):
        check_key(column, list(df.columns), where="cells.parquet")
    df = df[df["valid"].astype(bool)].copy()
    df["x"], df["y"] = df["x_px"] * 0.065, df["y_px"] * 0.065
    other = {"x_px", "y_px", "x", "y", "size_um2", "size_px", "total_molecules"}
    genes = [c for c in df.columns if c not in other and df[c].dtype.kind in "iuf"]
    return from_table(df, cell_id=None, position=["x", "y"], features=genes, obs=["cell_type", "region"])


def segmented_tissue(
    path: str | os.PathLike[str], mask: str, image: str | None = None, channels: str | None = None
) -> LabelImage:
    """Return a mask (and image) of a folder as a `LabelImage`; `channels` names a JSON file with a list of names.

    Raises `MissingFileError`, `FileFormatError` and the errors of `read_labels`.
    """
    import json

    from cellgraph_clr.io.labels import read_labels

    root = existing_path(path)
    names = json.loads(existing_path(root / channels).read_text()) if channels else None
    return read_labels(root / mask, None if image is None else root / image, channels=names)
