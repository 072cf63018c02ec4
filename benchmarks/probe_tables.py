"""Tables of cells with regions, types or fates, each with the features an embedding reads and how cells are held out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from cellgraph_clr import datasets, from_table, gr, pp
from cellgraph_clr.cli.demo_platynereis import ORGANS, prepare

N_NEIGHBORS = 10
PER_SAMPLE = 120  # cells of a sample, the nearest to its middle
IN_SECTION = 3000  # the same of a section
NOT_LABELS = ("nan", "None", "Excluded", "unassigned", "")


@dataclass(frozen=True)
class ProbeTable:
    """Cells with a graph, what is to be read off them, and the groups that are held out whole; None: blocks of the tissue."""

    name: str
    adata: AnnData
    labels: dict[str, np.ndarray]
    groups: np.ndarray | None = None


def generated() -> ProbeTable:
    """Return a small generated tissue with its niches and types."""
    cells = datasets.tissue(200, ndim=2, random_state=0).adata()
    gr.contact_graph(cells)
    pp.scale_features(cells)
    labels = {k: cells.obs[f"true_{k}"].astype(str).to_numpy() for k in ("niche", "type")}
    return ProbeTable("generated tissue", cells, labels)


def _cortex(folder: Path) -> ProbeTable:
    adata = datasets.osmfish_cortex(folder)
    pp.scale_features(adata, impute="median")
    gr.knn_graph(adata, n_neighbors=N_NEIGHBORS)
    return ProbeTable(
        "osmFISH cortex", adata, {k: adata.obs[k].astype(str).to_numpy() for k in ("region", "cell_type")}
    )


def _platynereis(folder: Path) -> ProbeTable:
    """One half of the animal: the other is its mirror image, and would hold out nothing."""
    adata = prepare(folder)
    adata = adata[(adata.obs["side"] == "a").to_numpy()].copy()
    flags = np.stack([adata.obs[f"region_{o}"].to_numpy(bool) for o in ORGANS], axis=1)
    organ = np.where(flags.sum(axis=1) == 1, np.array(ORGANS)[flags.argmax(axis=1)], "")
    columns = {k: adata.obs[k].astype(str).to_numpy() for k in ("ganglion_name", "cell_type")}
    return ProbeTable("Platynereis, one half", adata, {"organ": organ, **columns})


def _virtual_cells(folder: Path) -> ProbeTable:
    """One half, along x."""
    table = pd.read_parquet(folder / "platynereis" / "virtual_cells.parquet")
    table = table[table["x_um"] < table["x_um"].median()].reset_index(drop=True)
    names = np.array([c for c in table.columns[-9:] if c != "restofanimal"])
    flags = table[names].to_numpy() > 0.5
    adata = AnnData(
        table.iloc[:, 6:-9].to_numpy(np.float32), obsm={"spatial": table[["x_um", "y_um", "z_um"]].to_numpy(float)}
    )
    adata.obs["cell_id"] = np.arange(1, adata.n_obs + 1)
    gr.knn_graph(adata, n_neighbors=N_NEIGHBORS)
    region = np.where(flags.sum(axis=1) == 1, names[flags.argmax(axis=1)], "")
    return ProbeTable("virtual cells, 204 genes, one half", adata, {"region": region})


def _cohort(folder: Path) -> ProbeTable:
    """Types as features: the pattern of the patient, held out."""
    df = pd.read_parquet(folder / "mibi_tnbc_cohort" / "cells.parquet")
    middle = df.groupby("sample", observed=True)[["x", "y"]].transform("median")
    distance = np.linalg.norm(df[["x", "y"]] - middle, axis=1)
    near = pd.Series(distance).groupby(df["sample"].to_numpy()).rank(method="first").to_numpy() <= PER_SAMPLE
    df = df[near].reset_index(drop=True)
    adata = _categories(df, df["cell_type"].astype(str), ["x", "y"], sample="sample")
    labels = {"pattern of the patient": df["graph_label"].astype(str).to_numpy()}
    return ProbeTable("TNBC, 17 types as features", adata, labels, df["sample"].to_numpy())


def _hypothalamus(folder: Path) -> ProbeTable:
    """Coarse types as features, in one section: finer types."""
    df = pd.read_parquet(folder / "merfish_hypothalamus_3d" / "cells.parquet")
    sections = sorted(df["section"].unique())[4:5]
    df = df[df["section"].isin(sections)].reset_index(drop=True)
    distance = np.linalg.norm(df[["x_um", "y_um"]] - df[["x_um", "y_um"]].median(), axis=1)
    df = df[np.argsort(np.argsort(distance)) < IN_SECTION].reset_index(drop=True)
    fine = df["cell_type"].astype(str)
    coarse = (
        fine.str.split().str[0].replace({"Inhibitory": "Neuron", "Excitatory": "Neuron", "Pericytes": "Endothelial"})
    )
    adata = _categories(df, coarse, ["x_um", "y_um"], sample="section")
    return ProbeTable("MERFISH, coarse types as features", adata, {"finer type": fine.to_numpy()})


def _categories(df: pd.DataFrame, names: pd.Series, position: list[str], *, sample: str) -> AnnData:
    """Return cells whose features say of which category they are."""
    ones = pd.get_dummies(names, dtype=np.float32)
    table = pd.concat([df[[*position, sample]].astype({sample: str}), ones], axis=1)
    table.columns = [str(c) for c in table.columns]
    adata = from_table(
        table, cell_id=None, position=position, features=[str(c) for c in ones], unit="micrometer", library_key=sample
    )
    gr.knn_graph(adata, n_neighbors=N_NEIGHBORS, library_key="library_id")
    return adata


def _granuloma(folder: Path) -> ProbeTable:
    df = pd.read_parquet(folder / "mibi_granuloma" / "fov6_cells.parquet")
    markers = [c for c in df.columns if df[c].dtype.kind == "f" and c not in ("x_px", "y_px")]
    return _markers("granuloma", df, "label", ["x_px", "y_px"], markers, ["cell_type", "cell_lin"])


def _lymphoma(folder: Path) -> ProbeTable:
    df = pd.read_parquet(folder / "cycif_lymphoma" / "cells.parquet")
    markers = list(df.columns[df.columns.get_loc("phenotype") + 1 :])
    return _markers("CyCIF lymphoma", df, None, ["X_position", "Y_position"], markers, ["phenotype"])


def _lymph_node(folder: Path) -> ProbeTable:
    df = pd.read_parquet(folder / "codex_bnhl_tiny" / "cells.parquet")
    markers = [c for c in df.columns if c.startswith("mean_")]
    return _markers("CODEX lymph node, 56 cells", df, "label", ["x", "y"], markers, ["cell_type"])


def _markers(
    name: str, df: pd.DataFrame, cell_id: str | None, position: list[str], markers: list[str], keys: list[str]
) -> ProbeTable:
    adata = from_table(df, cell_id=cell_id, position=position, features=markers, obs=keys, unit="pixel")
    pp.scale_features(adata, impute="median")
    gr.knn_graph(adata, n_neighbors=N_NEIGHBORS)
    return ProbeTable(name, adata, {k: adata.obs[k].astype(str).to_numpy() for k in keys})


def _meristem(folder: Path) -> ProbeTable:
    adata = datasets.plant_meristem(folder)
    hour = adata.obs["library_id"].astype(str).str.split("@").str[1]
    kept = hour.isin(["0", "48"]) & ~adata.obs["touches_border"]
    adata = adata[kept.to_numpy()].copy()
    pp.scale_features(adata, impute="median")
    labels = {k: adata.obs[k].astype(str).to_numpy() for k in ("layer", "divides")}
    return ProbeTable("meristem", adata, labels, adata.obs["plant"].astype(str).to_numpy())


def _embryos(folder: Path) -> ProbeTable:
    adata = datasets.ascidian_embryos(folder, frames=range(5, 96, 30))
    pp.scale_features(adata, impute="median")
    gr.delaunay_graph(adata, library_key="library_id")
    return ProbeTable(
        "ascidian",
        adata,
        {"fate": adata.obs["fate"].astype(str).to_numpy()},
        adata.obs["embryo"].astype(str).to_numpy(),
    )


READERS: dict[str, Callable[[Path], ProbeTable]] = {  # what has to be in the folder of data: reader
    "mibi_granuloma": _granuloma,
    "osmfish_cortex": _cortex,
    "mibi_tnbc_cohort": _cohort,
    "cycif_lymphoma": _lymphoma,
    "codex_bnhl_tiny": _lymph_node,
    "sam_willis2016": _meristem,
    "ascidian": _embryos,
    "merfish_hypothalamus_3d": _hypothalamus,
    "platynereis/virtual_cells.parquet": _virtual_cells,
    "platynereis": _platynereis,
}
