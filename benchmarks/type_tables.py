"""Tables of cells with types, each with a part held out that shares no sample, or no place, with the rest."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

from cellgraph_clr import datasets, from_table, gr, pp
from cellgraph_clr.cli.demo_platynereis import prepare


class Task(NamedTuple):
    """Cells with `X`, the means one and two hops around them in `obsm["hops"]`, and labels; which are held out, and by what."""

    name: str
    cells: AnnData
    label_key: str
    held: np.ndarray
    by: str


def tables(folder: Path) -> Iterator[Task]:
    """Yield the tables that are in the folder."""
    made: dict[str, Callable[[Path], Task]] = {
        "osmfish_cortex": _cortex,
        "platynereis": _platynereis,
        "mibi_granuloma": _granuloma,
        "cycif_lymphoma": _lymphoma,
        "codex_bnhl_tiny": _lymph_node,
        "ascidian": _embryos,
        "mibi_tnbc_cohort": _patients,
        "merfish_hypothalamus_3d": _sections,
    }
    for name, make in made.items():
        if (folder / name).exists():
            yield make(folder)


def _with_hops(adata: AnnData, *, scale: bool = True) -> AnnData:
    if scale:
        pp.scale_features(adata, impute="median")
    if "spatial_connectivities" not in adata.obsp:
        gr.knn_graph(adata, n_neighbors=10)
    gr.aggregate_neighbors(adata, use_rep="X", n_hops=2, key_added="hops")
    adata.obsm["hops"] = np.asarray(adata.obsm["hops"])[:, adata.n_vars :]
    return adata


def _blocks(adata: AnnData) -> np.ndarray:
    """Return which cells are held out: blocks of the tissue; cells within two hops of them are dropped from the labelled."""
    pp.split(adata, by="block", buffer_hops=2, n_blocks=24)
    return (adata.obs["split"] == "test").to_numpy()


def _cortex(folder: Path) -> Task:
    cells = _with_hops(datasets.osmfish_cortex(folder))
    return Task("osmFISH, types", cells, "cell_type", _blocks(cells), "block")


def _platynereis(folder: Path) -> Task:
    cells = _with_hops(prepare(folder), scale=False)
    known = np.flatnonzero(cells.obs["cell_type"].astype(str) != "unassigned")
    held = np.zeros(cells.n_obs, bool)
    held[np.random.default_rng(0).choice(known, len(known) // 2, replace=False)] = True
    return Task("Platynereis, types", cells, "cell_type", held, "cell")


def _granuloma(folder: Path) -> Task:
    table = pd.read_parquet(folder / "mibi_granuloma" / "fov6_cells.parquet")
    position = ["x_px", "y_px"]
    markers = [c for c in table.columns if table[c].dtype.kind == "f" and c not in position]
    cells = from_table(table, cell_id="label", position=position, features=markers, obs=["cell_type"], unit="pixel")
    cells = _with_hops(cells)
    return Task("granuloma, types", cells, "cell_type", _blocks(cells), "block")


def _lymphoma(folder: Path) -> Task:
    table = pd.read_parquet(folder / "cycif_lymphoma" / "cells.parquet")
    position = ["X_position", "Y_position"]
    markers = [c for c in table.columns if table[c].dtype.kind == "f" and c not in position]
    cells = from_table(
        table.drop(columns="cell_id"),
        cell_id=None,
        position=position,
        features=markers,
        obs=["phenotype"],
        unit="pixel",
    )
    cells = _with_hops(cells)
    return Task("lymphoma, phenotypes", cells, "phenotype", _blocks(cells), "block")


def _lymph_node(folder: Path) -> Task:
    table = pd.read_parquet(folder / "codex_bnhl_tiny" / "cells.parquet")
    markers = [c for c in table.columns if c.startswith("mean_")]
    cells = from_table(table, cell_id="label", position=["x", "y"], features=markers, obs=["cell_type"], unit="pixel")
    cells = _with_hops(cells)
    right = np.asarray(cells.obsm["spatial"])[:, 0]
    return Task("lymph node of 56 cells, types", cells, "cell_type", right > np.median(right), "block")


def _embryos(folder: Path) -> Task:
    cells = datasets.ascidian_embryos(folder, frames=range(5, 96, 15))
    gr.delaunay_graph(cells, library_key="library_id")
    cells.obs["library_id"] = cells.obs["embryo"].astype(str)
    held = cells.obs["embryo"].isin(["Pm06", "Pm07"]).to_numpy()
    return Task("ascidian, fates", _with_hops(cells), "fate", held, "embryo")


def _around(table: pd.DataFrame, position: list[str], sample: str, kind: str) -> AnnData:
    """Return cells whose features are the shares of types among their neighbors: these tables hold types and places alone."""
    kinds = pd.get_dummies(table[kind]).to_numpy(np.float32)
    cells = from_table(
        table.drop(columns="cell_id", errors="ignore").assign(one=1.0),
        cell_id=None,
        position=position,
        features=["one"],
        obs=[sample, kind],
        unit="um",
    )
    cells.obs["library_id"] = cells.obs[sample].astype(str)
    gr.knn_graph(cells, n_neighbors=10, library_key="library_id")
    graph = cells.obsp["spatial_connectivities"]
    out = AnnData(_shares(graph, kinds), obs=cells.obs)
    out.obsm["spatial"], out.uns = cells.obsm["spatial"], cells.uns
    far = (graph @ graph).tolil()
    far.setdiag(0)
    out.obsm["hops"] = _shares(far.tocsr(), kinds)
    return out


def _shares(graph: csr_matrix, kinds: np.ndarray) -> np.ndarray:
    return np.asarray(graph @ kinds / np.maximum(graph @ np.ones((len(kinds), 1)), 1), np.float32)


def _patients(folder: Path) -> Task:
    table = pd.read_parquet(folder / "mibi_tnbc_cohort" / "cells.parquet")
    rng = np.random.default_rng(0)
    corner = table.groupby("sample")[["x", "y"]].transform("median")
    table = table[((table[["x", "y"]] - corner).abs() < 250).all(axis=1)].reset_index(drop=True)
    cells = _around(table, ["x", "y"], "sample", "cell_type")
    patients = np.unique(cells.obs["library_id"])
    held = cells.obs["library_id"].isin(rng.choice(patients, len(patients) // 3, replace=False)).to_numpy()
    return Task("TNBC, types from those around", cells, "cell_type", held, "patient")


def _sections(folder: Path) -> Task:
    table = pd.read_parquet(folder / "merfish_hypothalamus_3d" / "cells.parquet")
    middle = table.groupby("section")[["x_um", "y_um"]].transform("median")
    table = table[((table[["x_um", "y_um"]] - middle.to_numpy()).abs() < 300).all(axis=1)].reset_index(drop=True)
    table["section"] = table["section"].astype(str)
    cells = _around(table, ["x_um", "y_um"], "section", "cell_type")
    sections = np.unique(cells.obs["library_id"])
    held = cells.obs["library_id"].isin(sections[::3]).to_numpy()
    return Task("MERFISH, types from those around", cells, "cell_type", held, "section")
