"""The CellTypeGraph benchmark: graphs of Arabidopsis ovules whose cells have one of nine types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, expected
from cellgraph_clr._core.errors import FileFormatError, MissingFileError
from cellgraph_clr._core.rng import RandomState, as_seed
from cellgraph_clr.datasets.local import data_dir

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import h5py
    from anndata import AnnData

__all__ = ["celltype_graph", "celltype_graph_folds"]

TYPES = {1: "L1", 2: "L2", 3: "L3", 4: "L4", 14: "L4", 5: "nu", 6: "pc", 7: "fu", 8: "es", 10: "ac"}  # 0: not labelled
AXES = ("axis1", "axis2", "axis3")
ORIENTATIONS = tuple(f"{system}_orientation_{a}_grs" for system in ("lrs", "pca") for a in AXES)
SCALED = (
    *("com_grs", "degree_centrality", "rw_centrality", "volume_um", "surface_um"),
    *(f"length_{a}_grs" for a in AXES),
    "pca_explained_variance_grs",
)
ABSOLUTE = (
    *("lrs_axis12_dot_grs", "lrs_axis2_angle_grs"),
    *(f"{system}_proj_{a}_grs" for system in ("lrs", "pca") for a in AXES),
)
HOPS = 5


def celltype_graph(
    path: str | os.PathLike[str] | None = None, *, stages: Sequence[str] | None = None, grs: str = "label_grs_surface"
) -> AnnData:
    """Return the cells of the CellTypeGraph benchmark with their contact graphs.

    Parameters
    ----------
    path : str or path-like or None, default None
        Folder that holds `grs`/STAGE/SPECIMEN.h5 (also below ovules-celltype-dataset/raw); None reads CELLGRAPH_DATA.
    stages : sequence of str or None, default None
        Stages of development to read, e.g. ("2-III",); None reads all.
    grs : str, default "label_grs_surface"
        The global reference system the files were written in, the name of their folder.

    Returns
    -------
    AnnData
        AnnData: `X` the 74 features of the benchmark, float32, scaled as there (a measurement by one mean and spread
        over all its columns and cells of a specimen, directions as the six products of a unit vector, dot products
        without their sign); `obs` cell_id, library_id (stage and specimen), stage, cell_type ("L1" … "L4", with L5 in
        L4, "nu", "pc", "fu", "es", "ac", or "unassigned"); `obsm["spatial"]` in the reference system; the graph
        "spatial" with contact areas in square micrometers, both directions of every pair, contacts with the background
        left out.

    Raises
    ------
    MissingFileError
        If there is no such folder, or no specimen of a stage in it.
    MissingKeyError, FileFormatError
        If a feature is missing, or arrays do not fit each other.

    Notes
    -----
    One pass over the files. Public original: doi 10.5281/zenodo.6374104 (Cerrone et al. 2022, CVPR, arXiv 2205.08166).

    Examples
    --------
    >>> from pathlib import Path
    >>> import h5py
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> from cellgraph_clr.datasets.ovules import ABSOLUTE, ORIENTATIONS, SCALED
    >>> Path("2-III").mkdir()
    >>> with h5py.File("2-III/401.h5", "w") as file:  # stands for a specimen of the archive
    ...     for name in (*SCALED, *ABSOLUTE, *ORIENTATIONS, "hops_to_bg"):
    ...         file[f"cell_features/{name}"] = np.random.default_rng(0).random((4, 3))
    ...     file["cell_ids"], file["cell_labels"] = [11, 12, 13, 14], [1, 1, 2, 2]
    ...     file["edges_ids"], file["edges_features/surface_um"] = [[11, 12], [13, 14]], [2.0, 3.0]
    >>> adata = cgc.datasets.celltype_graph(".", stages=["2-III"])
    >>> adata.obs["library_id"].unique().tolist(), adata.obsp["spatial_contact_area"].max().item()
    (['2-III_401'], 3.0)
    """
    from cellgraph_clr.io.samples import concat

    files = _files(path, grs, stages)
    return concat([_specimen(file) for group in files.values() for file in group])


def celltype_graph_folds(adata: AnnData, *, n_folds: int = 5, random_state: RandomState = 0) -> list[np.ndarray]:
    """Return the specimens held out in each fold, names of `obs["library_id"]`, as the benchmark divides them.

    Every stage by itself: its specimens, sorted, are shuffled with `random_state` (numpy's legacy generator, as there) and cut
    into `n_folds` parts. A stage with fewer specimens than folds is missing in some of them.

    Parameters
    ----------
    adata : AnnData
        Of `celltype_graph`.
    n_folds : int, default 5
        Number of folds.
    random_state : int, numpy.random.Generator or None, default 0
        Seed.

    Returns
    -------
    list of numpy.ndarray
        The specimens held out in each fold, names of `obs["library_id"]`, as the benchmark divides them.

    Examples
    --------
    >>> import anndata
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> obs = pd.DataFrame({"stage": "2-III", "library_id": [f"2-III_{i}" for i in range(4)]}, index=list("abcd"))
    >>> folds = cgc.datasets.celltype_graph_folds(anndata.AnnData(obs=obs), n_folds=2)
    >>> [len(fold) for fold in folds]
    [2, 2]
    """
    seed = as_seed(random_state)
    folds: list[list[str]] = [[] for _ in range(n_folds)]
    pairs = adata.obs[["stage", "library_id"]].drop_duplicates().astype(str)
    for stage in dict.fromkeys(pairs["stage"]):
        names = sorted(pairs["library_id"][pairs["stage"] == stage])
        np.random.RandomState(seed).shuffle(names)
        for fold, part in zip(folds, np.array_split(np.asarray(names, object), n_folds), strict=True):
            fold.extend(part)
    return [np.asarray(fold, object) for fold in folds]


def _files(path: str | os.PathLike[str] | None, grs: str, stages: Sequence[str] | None) -> dict[str, list[Path]]:
    root = data_dir(path)
    places = [root / grs, root / "ovules-celltype-dataset" / "raw" / grs, root]
    folder = next((p for p in places if any(p.glob("*/*.h5"))), None)
    if folder is None:
        remedy = "Unpack the archive of doi 10.5281/zenodo.6374104 there."
        raise MissingFileError(expected(f"{grs}/STAGE/SPECIMEN.h5 in {str(root)!r}", "no such file", remedy))
    found = {p.name: sorted(p.glob("*.h5")) for p in sorted(folder.iterdir()) if any(p.glob("*.h5"))}
    for stage in stages or ():
        check_key(stage, list(found), where="stages", error=MissingFileError)
    return {s: f for s, f in found.items() if stages is None or s in stages}


def _specimen(file: Path) -> AnnData:
    import h5py
    import pandas as pd

    from cellgraph_clr.adata.reading import table_from_anndata
    from cellgraph_clr.adata.writing import write_graph
    from cellgraph_clr.graphs.graph import CellGraph
    from cellgraph_clr.io.foreign import file_to_read, named_errors
    from cellgraph_clr.io.tables import from_table

    with named_errors(file, "a specimen (.h5)"), h5py.File(file_to_read(file), "r") as opened:
        for key in ("cell_ids", "cell_labels", "cell_features", "edges_ids", "edges_features"):
            check_key(key, list(opened), where=file.name)
        ids, labels, pairs = (opened[k][...] for k in ("cell_ids", "cell_labels", "edges_ids"))
        columns = _columns(opened["cell_features"], file.name)
        check_key("surface_um", list(opened["edges_features"]), where=f"edges_features of {file.name}")
        area = opened["edges_features"]["surface_um"][...].ravel()
        position = opened["cell_features"]["com_grs"][...]
    lengths = {name: len(v) for name, v in {"cell_labels": labels, **columns}.items()}
    short = [name for name, n in lengths.items() if n != len(ids)]
    if short or len(area) != len(pairs):
        wrong = f"{short[0]}: {lengths[short[0]]}" if short else f"{len(area)} areas for {len(pairs)} edges"
        raise FileFormatError(expected(f"{len(ids)} cells in every array of {file.name}", wrong, "Fetch it again."))
    table = pd.DataFrame(columns)
    features = list(table.columns)
    table["cell_id"], table[["x", "y", "z"]] = ids, position
    stage, specimen = file.parent.name, f"{file.parent.name}_{file.stem}"
    table["stage"], table["library_id"] = stage, specimen
    table["cell_type"] = pd.Series(labels).map(TYPES).astype(object).where(pd.Series(labels).isin(TYPES), None)
    adata = from_table(
        table,
        cell_id="cell_id",
        position=["x", "y", "z"],
        features=features,
        obs=["stage", "cell_type"],
        unit="micrometer",
        library_key="library_id",
    )
    row = pd.Series(np.arange(len(ids)), index=ids)
    ends = np.stack([row.reindex(pairs[:, i]).to_numpy() for i in (0, 1)], axis=1)
    inside = ~np.isnan(ends).any(axis=1) & (ends[:, 0] != ends[:, 1])
    cells = table_from_anndata(adata, library_key="library_id", features=False)
    graph = CellGraph.from_pairs(cells, ends[inside].astype(np.int64), {"contact_area": area[inside]})
    write_graph(adata, graph, key_added="spatial", params={"method": "contact", "library_key": "library_id"})
    return adata


def _columns(group: Mapping[str, h5py.Dataset], name: str) -> dict[str, np.ndarray]:
    """Return the 74 scaled columns of a specimen by name."""

    def read(feature: str) -> np.ndarray:
        check_key(feature, list(group), where=f"cell_features of {name}")
        values = np.asarray(group[feature][...], np.float64)
        return values[:, None] if values.ndim == 1 else values

    blocks: dict[str, np.ndarray] = {}
    for feature in SCALED:
        values = read(feature)
        blocks[feature] = (values - values.mean()) / max(float(values.std()), 1e-12)
    for feature in ABSOLUTE:
        blocks[feature] = np.abs(read(feature))
    for feature in ORIENTATIONS:
        direction = read(feature)
        length = np.linalg.norm(direction, axis=1, keepdims=True)
        x, y, z = (direction / np.maximum(length, 1e-12)).T
        blocks[feature] = np.stack([x * x, y * y, z * z, x * y, y * z, z * x], axis=1)
    hops = read("hops_to_bg")[:, 0].astype(np.int64)
    blocks["hops_to_bg"] = np.eye(HOPS)[np.clip(hops - hops.min(initial=HOPS), 0, HOPS - 1)]
    return {
        feature if values.shape[1] == 1 else f"{feature}_{i}": values[:, i]
        for feature, values in blocks.items()
        for i in range(values.shape[1])
    }
