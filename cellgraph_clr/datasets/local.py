"""Readers of data sets that lie on the user's disk; the package ships and downloads none of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import MissingFileError
from cellgraph_clr._core.files import existing_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr.cells.label_image import LabelImage

__all__ = [
    "ascidian_embryos",
    "data_dir",
    "osmfish_cortex",
    "plant_meristem",
    "platynereis",
    "platynereis_candidates",
    "segmented_tissue",
]

ENVIRONMENT = "CELLGRAPH_DATA"
NOT_FEATURES = ("cell_shape_from_label_1_0_0", "cell_shape_size_ratio")
FEATURE_PREFIXES = ("cell_", "nuc_", "nuc2019", "chromatin", "heterochromatin_mean", "heterochromatin_sd")


def data_dir(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of data sets: `path`, or the environment variable CELLGRAPH_DATA.

    Raises `MissingFileError` when neither is given or the folder is not there.

    Parameters
    ----------
    path : str or path-like or None, default None
        The folder; None reads CELLGRAPH_DATA.

    Returns
    -------
    pathlib.Path
        The folder of data sets: `path`, or the environment variable CELLGRAPH_DATA.

    Examples
    --------
    >>> from pathlib import Path
    >>> import cellgraph_clr as cgc
    >>> Path("data").mkdir()
    >>> cgc.datasets.data_dir("data").name
    'data'
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
    path : str or path-like or None, default None
        Folder that holds platynereis/cells.parquet (or that file itself); None reads CELLGRAPH_DATA.

    Returns
    -------
    AnnData
        AnnData: `X` shape, nucleus texture and chromatin features (NaN where not measured), the offset of the nucleus
        and its share of the cell; `obs` cell_type ("unassigned" where not one of the 390 annotated cells), side ("a" or
        "b" of the midline; the file does not say which is left), ganglion_name and one flag per region;
        `obsm["spatial"]` x, y, z in micrometers. Positions are no features.

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

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> sizes = ["cell_volume_um3", "nuc_volume_um3", *(f"cell_bbox_d{a}_um" for a in "xyz")]
    >>> places = [f"{part}{a}_um" for part in ("", "nuc_") for a in "xyz"]
    >>> table = pd.DataFrame(np.random.default_rng(0).random((3, 11)), columns=sizes + places)  # stands for the file
    >>> table = table.assign(label_id=[1, 2, 3], cell_type_390=["neuron", "muscle", None], side=[True, False, True])
    >>> table.to_parquet("cells.parquet")
    >>> adata = cgc.datasets.platynereis(".")
    >>> adata.obs["cell_type"].tolist()
    ['neuron', 'muscle', 'unassigned']
    """
    from cellgraph_clr.io.tables import from_table

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

    Parameters
    ----------
    path : str or path-like or None, default None
        Folder of the data sets; None reads CELLGRAPH_DATA.

    Returns
    -------
    pandas.DataFrame
        The candidate left-right partners of the Platynereis cells: one line (cell_id, candidate) per pair.

    Examples
    --------
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> table = pd.DataFrame({"left": [1, 1, 2], "right": [7, 8, 9]})  # stands for the file
    >>> table.to_parquet("bilateral_candidates.parquet")
    >>> cgc.datasets.platynereis_candidates(".")["candidate"].tolist()
    [7, 8, 9]
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

    Parameters
    ----------
    path : str or path-like or None, default None
        Folder of the data sets; None reads CELLGRAPH_DATA.

    Returns
    -------
    AnnData
        The 4,839 valid cells of the osmFISH mouse somatosensory cortex with 33 gene counts.

    Examples
    --------
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> table = pd.DataFrame({"x_px": [0, 100, 200], "y_px": [0, 0, 100], "Gad2": [5, 0, 1], "Mbp": [0, 9, 2]})
    >>> table = table.assign(cell_type="neuron", region="Layer 4", valid=[True, True, False])  # stands for the file
    >>> table.to_parquet("cells.parquet")
    >>> adata = cgc.datasets.osmfish_cortex(".")
    >>> list(adata.var_names), adata.n_obs
    (['Gad2', 'Mbp'], 2)
    """
    from cellgraph_clr.io.tables import from_table

    df = _table(path, "osmfish_cortex", "cells.parquet")
    for column in ("x_px", "y_px", "cell_type", "region", "valid"):
        check_key(column, list(df.columns), where="cells.parquet")
    df = df[df["valid"].astype(bool)].copy()
    df["x"], df["y"] = df["x_px"] * 0.065, df["y_px"] * 0.065
    other = {"x_px", "y_px", "x", "y", "size_um2", "size_px", "total_molecules"}
    genes = [c for c in df.columns if c not in other and df[c].dtype.kind in "iuf"]
    return from_table(
        df, cell_id=None, position=["x", "y"], features=genes, obs=["cell_type", "region"], unit="micrometer"
    )


def plant_meristem(path: str | os.PathLike[str] | None = None, *, plants: Sequence[str] | None = None) -> AnnData:
    """Return cells of growing plant meristems with their true contact graphs.

    Parameters
    ----------
    path : str or path-like or None, default None
        Folder that holds sam_willis2016/nodes.parquet and edges.parquet (or the former itself); None reads
        CELLGRAPH_DATA.
    plants : sequence of str or None, default None
        Names of plants to read; None reads all.

    Returns
    -------
    AnnData
        AnnData: `X` volume, surface_area and sphericity; `obs` cell_id, library_id (plant and hour, one graph each),
        plant, layer ("1" is the epidermis), divides ("yes" within the next 4 h, "no", "unassigned" where not tracked);
        `obsm["spatial"]` in micrometers; the graph "spatial" with contact areas. Cells at the cut face of the stack are
        marked in `obs["touches_border"]`: their volumes are wrong.

    Raises
    ------
    MissingFileError, MissingKeyError
        If a file or a column is missing, or a plant is not there.

    Notes
    -----
    Public original: Willis et al. 2016, PNAS, doi 10.1073/pnas.1616768113.

    Examples
    --------
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> one = {"plant": "p1", "hours": 0, "z_um": 0.0, "volume_um3": 90.0, "surface_area_um2": 120.0, "layer": 1}
    >>> one |= {"tracked_next": 1, "touches_background": 0}
    >>> cells = pd.DataFrame({"label": [1, 2], "x_um": [0.0, 5.0], "y_um": [0.0, 0.0], "divides_next_4h": [1, 0], **one})
    >>> cells.to_parquet("nodes.parquet")  # these two stand for the files
    >>> contact = {"plant": ["p1"], "hours": [0], "label_a": [1], "label_b": [2], "contact_area_um2": [20.0]}
    >>> pd.DataFrame(contact).to_parquet("edges.parquet")
    >>> adata = cgc.datasets.plant_meristem(".", plants=["p1"])
    >>> adata.obs["divides"].tolist()
    ['yes', 'no']
    """
    import pandas as pd

    from cellgraph_clr.adata.reading import table_from_anndata
    from cellgraph_clr.adata.writing import write_graph
    from cellgraph_clr.graphs.graph import CellGraph
    from cellgraph_clr.io.tables import from_table

    nodes, edges = (_table(path, "sam_willis2016", name) for name in ("nodes.parquet", "edges.parquet"))
    needed = ["plant", "hours", "label", "x_um", "y_um", "z_um", "volume_um3", "surface_area_um2", "layer"]
    for column in (*needed, "divides_next_4h", "tracked_next", "touches_background"):
        check_key(column, list(nodes.columns), where="nodes.parquet")
    for column in ("plant", "hours", "label_a", "label_b", "contact_area_um2"):
        check_key(column, list(edges.columns), where="edges.parquet")
    if plants is not None:
        known = [str(p) for p in nodes["plant"].unique()]
        for plant in plants:
            check_key(str(plant), known, where="plants")
        nodes, edges = (t[t["plant"].astype(str).isin([str(p) for p in plants])] for t in (nodes, edges))
    nodes = nodes.reset_index(drop=True)
    for table in (nodes, edges):
        table["library_id"] = table["plant"].astype(str) + "@" + table["hours"].astype(str)
    nodes = nodes.rename(columns={"volume_um3": "volume", "surface_area_um2": "surface_area"})
    nodes["sphericity"] = np.pi ** (1 / 3) * (6 * nodes["volume"]) ** (2 / 3) / nodes["surface_area"].clip(lower=1e-9)
    divides = nodes["divides_next_4h"].fillna(0).astype(bool).map({True: "yes", False: "no"})
    nodes["divides"] = divides.where(nodes["tracked_next"].fillna(0).astype(bool), None)
    nodes["layer"] = nodes["layer"].astype("Int64").astype(str).replace("<NA>", None)
    nodes["plant"] = nodes["plant"].astype(str)
    adata = from_table(
        nodes,
        cell_id="label",
        position=["x_um", "y_um", "z_um"],
        features=["volume", "surface_area", "sphericity"],
        obs=["plant", "layer", "divides"],
        unit="micrometer",
        library_key="library_id",
    )
    adata.obs["touches_border"] = nodes["touches_background"].fillna(0).astype(bool).to_numpy()
    row = pd.Series(np.arange(adata.n_obs), index=pd.MultiIndex.from_frame(nodes[["library_id", "label"]]))
    ends = [
        row.reindex(pd.MultiIndex.from_frame(edges[["library_id", end]])).to_numpy() for end in ("label_a", "label_b")
    ]
    known_ends = ~(np.isnan(ends[0]) | np.isnan(ends[1]))
    pairs = np.stack(ends, axis=1)[known_ends].astype(np.int64)
    area = edges["contact_area_um2"].to_numpy()[known_ends]
    cells = table_from_anndata(adata, library_key="library_id", features=False)
    graph = CellGraph.from_pairs(cells, pairs, {"contact_area": area})
    write_graph(adata, graph, key_added="spatial", params={"method": "contact", "library_key": "library_id"})
    return adata


def ascidian_embryos(path: str | os.PathLike[str] | None = None, *, frames: Sequence[int] | None = None) -> AnnData:
    """Return the named cells of six ascidian embryos over time.

    Parameters
    ----------
    path : str or path-like or None, default None
        Folder that holds ascidian/cells.parquet (or the former itself); None reads CELLGRAPH_DATA.
    frames : sequence of int or None, default None
        Frames to read; None reads all.

    Returns
    -------
    AnnData
        AnnData: `X` radius of the sphere of the cell's volume, distance_to_center (of the embryo in that frame), both
        in micrometers, and frames_since_division (NaN where the division was not seen); `obs` cell_id (unique in an
        embryo), embryo, frame, library_id (embryo and frame), name (without its side), side ("left", "right"), fate,
        parent and partner (cell_id of the mother cell one frame before, and of the mirror cell in the same frame; 0 for
        none), divides ("yes": two daughters in the next frame, "no"); `obsm["spatial"]` in micrometers (0.3 a voxel).
        No graph: `gr.delaunay_graph(adata, library_key="library_id")`.

    Raises
    ------
    MissingFileError, MissingKeyError, NoCellsError
        If the file or a column is missing, or no cell is in these frames.

    Notes
    -----
    Cells of one name correspond to each other across embryos and sides. Public original: Guignard et al. 2020, Science, doi
    10.1126/science.aar5663; this table: mastodon-sc/mastodon-example-data, CC-BY 4.0.

    Examples
    --------
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> cells = {"node": [0, 1, 2], "t": [0, 1, 1], "parent": [-1, 0, 0], "n_children": [2, 0, 0]}
    >>> cells |= {"name": ["A6.1_", "A7.1_", "A7.2_"], "fates1": "endoderm", "bilateral_partner": -1, "embryo": "e1"}
    >>> cells |= {"x": [10, 9, 11], "y": [0, 0, 1], "z": 0, "radius": 20.0}
    >>> pd.DataFrame(cells).to_parquet("cells.parquet")  # stands for the file
    >>> adata = cgc.datasets.ascidian_embryos(".")
    >>> adata.obs["divides"].tolist(), adata.obs["parent"].tolist()
    (['yes', 'no', 'no'], [0, 1, 1])
    """
    import pandas as pd

    from cellgraph_clr.io.tables import from_table

    df = _table(path, "ascidian", "cells.parquet")
    numbers = ["node", "t", "x", "y", "z", "radius", "parent", "n_children", "bilateral_partner"]
    for column in ("embryo", "name", "fates1", *numbers):
        check_key(column, list(df.columns), where="cells.parquet")
    df = df[df["radius"] > 0].reset_index(drop=True)  # radius 0 at the origin: rows without a cell
    where = pd.MultiIndex.from_frame(df[["embryo", "node"]])
    row = pd.Series(np.arange(len(df)), index=where)
    mother = row.reindex(pd.MultiIndex.from_frame(df[["embryo", "parent"]])).fillna(-1).to_numpy().astype(np.int64)
    born = (mother >= 0) & (df["n_children"].to_numpy()[mother] == 2)
    age = np.full(len(df), np.nan)
    for i in np.argsort(df["t"].to_numpy(), kind="stable"):  # mothers before daughters
        age[i] = 0 if born[i] else age[mother[i]] + 1 if mother[i] >= 0 else np.nan
    df["frames_since_division"] = age
    for axis in "xyz":
        df[axis] = 0.3 * df[axis]
    frame = df.groupby(["embryo", "t"], observed=True)
    offset = df[["x", "y", "z"]] - frame[["x", "y", "z"]].transform("mean")
    df["distance_to_center"] = np.linalg.norm(offset, axis=1)
    df["radius"] = 0.3 * df["radius"]
    df["cell_id"], df["parent"], df["partner"] = df["node"] + 1, df["parent"] + 1, df["bilateral_partner"] + 1
    df["library_id"] = df["embryo"].astype(str) + "@" + df["t"].astype(str)
    df["frame"], df["embryo"] = df["t"], df["embryo"].astype(str)
    name = df["name"].astype(str)
    df["side"] = name.str[-1].map({"_": "left", "*": "right"})
    df["name"] = name.str.rstrip("_*").replace("", None)
    df["fate"] = df["fates1"].astype(str).replace("", None)
    df["divides"] = np.where(df["n_children"] == 2, "yes", "no")
    if frames is not None:
        df = df[df["frame"].isin(list(frames))]
    return from_table(
        df,
        cell_id="cell_id",
        position=["x", "y", "z"],
        features=["radius", "distance_to_center", "frames_since_division"],
        obs=["embryo", "frame", "name", "side", "fate", "parent", "partner", "divides"],
        unit="micrometer",
        library_key="library_id",
    )


def segmented_tissue(
    path: str | os.PathLike[str], mask: str, *, image: str | None = None, channels: str | None = None
) -> LabelImage:
    """Return a mask (and image) of a folder as a `LabelImage`; `channels` names a JSON file with a list of names.

    Raises `MissingFileError`, `FileFormatError` and the errors of `read_labels`.

    Parameters
    ----------
    path : str or path-like
        The folder.
    mask : str
        Name of the file of masks in it.
    image : str or None, default None
        Name of the file of intensities.
    channels : str or None, default None
        Name of a JSON file with a list of names of channels.

    Returns
    -------
    LabelImage
        A mask (and image) of a folder as a `LabelImage`.

    Examples
    --------
    >>> import numpy as np
    >>> import tifffile
    >>> import cellgraph_clr as cgc
    >>> tifffile.imwrite("mask.tif", np.array([[0, 1], [2, 2]], np.uint16))
    >>> tifffile.imwrite("image.tif", np.zeros((2, 2, 2), np.float32), photometric="minisblack")
    >>> cgc.datasets.segmented_tissue(".", "mask.tif", image="image.tif").channels
    ('channel_0', 'channel_1')
    """
    import json

    from cellgraph_clr.io.foreign import file_to_read, named_errors
    from cellgraph_clr.io.labels import read_labels

    root, names = existing_path(path), None
    if channels:
        with named_errors(root / channels, "a list of names (.json)"):
            names = json.loads(file_to_read(root / channels).read_text())
    return read_labels(root / mask, None if image is None else root / image, channels=names)
