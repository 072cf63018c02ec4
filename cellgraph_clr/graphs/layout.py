"""Where things lie in AnnData: the one place that knows the keys, and converts to and from the four nouns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from cellgraph_clr._core.checks import check_finite, check_key, expected
from cellgraph_clr._core.errors import (
    CellGraphError,
    MissingKeyError,
    NoCellsError,
    NoGraphError,
    ShapeError,
)
from cellgraph_clr.cells.table import CellTable, FeatureInfo
from cellgraph_clr.graphs.graph import CellGraph, stored_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from scipy.sparse import csr_matrix

__all__ = [
    "PACKAGE_KEY",
    "RAW_LAYER",
    "SCHEMA_VERSION",
    "UNASSIGNED",
    "adjacency_of",
    "check_edges",
    "graph_from_anndata",
    "graph_keys",
    "obs_prefix",
    "raw_values",
    "read_features",
    "record_run",
    "recorded_unit",
    "sample_of",
    "table_from_anndata",
    "to_xyz",
    "unit_of",
    "write_graph",
]

PACKAGE_KEY = "cellgraph_clr"
SCHEMA_VERSION = 1
UNASSIGNED = "unassigned"
RAW_LAYER = "cellgraph_raw"  # features as measured, kept by `pp.scale_features`
EDGE_SLOTS = {"length": "distances", "contact_area": "contact_area", "overlap": "overlap"}
BUILDERS = "`cgc.gr.contact_graph(adata)`, `cgc.gr.delaunay_graph(adata)` or `cgc.gr.knn_graph(adata)`"


def to_xyz(position: np.ndarray) -> np.ndarray:
    """Return positions with their axes reversed: z, y, x (arrays, `CellTable`) to x, y, z (`obsm["spatial"]`) and back."""
    return np.ascontiguousarray(position[:, ::-1])


def package_info(adata: AnnData) -> dict[str, Any]:
    """Return `uns["cellgraph_clr"]`, made when it is missing."""
    info = adata.uns.setdefault(PACKAGE_KEY, {})
    info.setdefault("schema_version", SCHEMA_VERSION)
    return info


def unit_of(adata: AnnData) -> str:
    """Return the unit of `obsm["spatial"]`, "pixel" when none was recorded."""
    return recorded_unit(adata) or "pixel"


def recorded_unit(adata: AnnData) -> str | None:
    """Return the unit of `obsm["spatial"]` where it was recorded; `anndata.concat` drops it with all of `uns`."""
    unit = adata.uns.get(PACKAGE_KEY, {}).get("unit")
    return None if unit is None else str(unit)


def sample_of(adata: AnnData, library_key: str | None) -> np.ndarray:
    """Return the sample of every cell as str.

    `library_key` None takes the column that `concat` recorded, or `obs["library_id"]` when it is there, else one sample.
    Raises `MissingKeyError` for an unknown key, `CellGraphError` for cells without a sample.
    """
    if library_key is None:
        recorded = adata.uns.get(PACKAGE_KEY, {}).get("library_key", "library_id")
        library_key = str(recorded) if recorded in adata.obs else None
    if library_key is None:
        return np.full(adata.n_obs, "", dtype="U1")
    check_key(library_key, adata.obs.columns, where="adata.obs", remedy="Pass `library_key=` of the sample column.")
    column = adata.obs[library_key]
    if column.isna().any():
        found, remedy = f"{int(column.isna().sum())} cells without", "Name their sample, or drop these cells."
        raise CellGraphError(expected(f"a sample for every cell in obs[{library_key!r}]", found, remedy))
    return column.astype(str).to_numpy()


def read_features(adata: AnnData, use_rep: str | None) -> tuple[np.ndarray, tuple[FeatureInfo, ...]]:
    """Return the matrix (n, f) float32 under `use_rep` (`obsm` key; None or "X" for `X`) and its columns.

    Raises
    ------
    MissingKeyError
        If `use_rep` is not in `obsm`, or there are no features at all.
    """
    if use_rep in (None, "X"):
        matrix = adata.X
        if matrix is None or adata.n_vars == 0:
            raise MissingKeyError(
                expected(
                    "features in `adata.X`",
                    "none",
                    f"Measure them with `cgc.from_labels`, or pass `use_rep=` (`obsm` holds {list(adata.obsm)}).",
                )
            )
        var = adata.var
        info = tuple(
            FeatureInfo(str(name), *(str(var[c].iloc[i]) if c in var else d for c, d in _INFO_DEFAULTS))
            for i, name in enumerate(adata.var_names)
        )
    else:
        check_key(str(use_rep), list(adata.obsm), where="adata.obsm", remedy="Compute it first, or pass `use_rep='X'`.")
        matrix = adata.obsm[use_rep]
        columns = getattr(matrix, "columns", None)
        matrix = matrix.to_numpy() if columns is not None else matrix
        names = [f"{use_rep}_{i}" for i in range(matrix.shape[1])] if columns is None else [str(c) for c in columns]
        info = tuple(FeatureInfo(n, "embedding") for n in names)
    dense = matrix.toarray() if issparse(matrix) else np.asarray(matrix)
    return np.asarray(dense, np.float32), info


_INFO_DEFAULTS = (("group", "other"), ("channel", ""), ("unit", "1"))


def raw_values(adata: AnnData, name: str, layer: str | None = None) -> tuple[np.ndarray, str]:
    """Return a feature (n,) float64 as it was measured and its unit ("" where none is known).

    `layer` None takes the raw features that scaling kept, else `X`; "X" takes `X`. Raises `MissingKeyError`.
    """
    check_key(name, list(adata.var_names), where="adata.var_names")
    kept = layer is None and RAW_LAYER in adata.layers
    if layer not in (None, "X"):
        check_key(layer, list(adata.layers), where="adata.layers")
    matrix = adata.layers[RAW_LAYER if layer is None else layer] if kept or layer not in (None, "X") else adata.X
    at = adata.var_names.get_loc(name)
    column = matrix[:, at]
    values = np.asarray(column.toarray() if issparse(column) else column, np.float64).ravel()
    unit = str(adata.var["unit"].iloc[at]) if "unit" in adata.var else ""
    scaled = layer == "X" and RAW_LAYER in adata.layers
    return values, "" if unit == "1" or scaled else unit


def table_from_anndata(
    adata: AnnData, *, use_rep: str | None = None, library_key: str | None = None, features: bool = True
) -> CellTable:
    """Return the cells of an AnnData: ids from `obs["cell_id"]` (else 1 … n), positions from `obsm["spatial"]`.

    Raises
    ------
    NoCellsError
        If there is no row.
    MissingKeyError
        If `obsm["spatial"]` or `use_rep` is missing.
    NonFiniteError
        If positions are not finite.
    """
    if adata.n_obs == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    check_key("spatial", list(adata.obsm), where="adata.obsm", remedy="Set `adata.obsm['spatial']` to x, y(, z).")
    position = to_xyz(np.asarray(adata.obsm["spatial"], np.float64))
    values, info = read_features(adata, use_rep) if features else (None, ())
    ids = adata.obs["cell_id"].to_numpy() if "cell_id" in adata.obs else np.arange(1, adata.n_obs + 1)
    if ids.dtype.kind not in "iu":
        raise CellGraphError(
            expected(
                "whole numbers in obs['cell_id']", f"{ids.dtype}", "Keep text ids in `obs_names` and drop the column."
            )
        )
    sample = sample_of(adata, library_key)
    frame = adata.obs["frame"].to_numpy() if "frame" in adata.obs else 0
    return CellTable.build(ids, position, unit=unit_of(adata), features=values, info=info, sample=sample, frame=frame)


def graph_keys(adata: AnnData, neighbors_key: str = "spatial") -> dict[str, str]:
    """Return the `obsp` keys of a graph: "connectivities" and, where present, "distances", "contact_area", "overlap".

    `neighbors_key` may be "spatial", "spatial_connectivities" or "spatial_neighbors". Raises `NoGraphError` when there
    is none; the message names the calls that build it.
    """
    stem = neighbors_key.removesuffix("_connectivities").removesuffix("_neighbors")
    info = adata.uns.get(f"{stem}_neighbors", {})
    key = str(info.get("connectivities_key", f"{stem}_connectivities"))
    if key not in adata.obsp:
        raise NoGraphError(
            expected(
                f"a spatial graph at `adata.obsp[{key!r}]`", f"{list(adata.obsp) or 'no graph'}", f"Call {BUILDERS}."
            )
        )
    keys = {"connectivities": key}
    for name in EDGE_SLOTS.values():
        other = str(info.get(f"{name}_key", f"{stem}_{name}"))
        if other in adata.obsp:
            keys[name] = other
    return keys


def adjacency_of(adata: AnnData, neighbors_key: str = "spatial", weights: str | None = None) -> csr_matrix:
    """Return the (n, n) CSR matrix of a graph: of ones, or of `weights` ("contact_area", "distances", an obsp key).

    Of ones it is undirected: an edge in either direction counts, stored zeros do not.
    """
    from scipy.sparse import csr_matrix

    keys = graph_keys(adata, neighbors_key)
    if weights is None:
        stored = csr_matrix(adata.obsp[keys["connectivities"]])
        return csr_matrix((stored + stored.T).astype(bool), dtype=np.float32)
    name = keys.get(weights, weights)
    check_key(
        name, list(adata.obsp), where="adata.obsp", remedy="Contact areas come from `cgc.gr.contact_graph(adata)`."
    )
    return csr_matrix(adata.obsp[name], dtype=np.float32)


def check_edges(n_edges: int, n_cells: int, neighbors_key: str = "spatial") -> None:
    """Raise `NoGraphError` for a graph of several cells without an edge; the message names the calls that build another."""
    if n_cells > 1 and n_edges == 0:
        stem = neighbors_key.removesuffix("_connectivities").removesuffix("_neighbors")
        remedy = (
            "Bridge the background between the cells by `cgc.gr.contact_graph(adata, labels, max_gap=…)`, or join them "
            "by position: `cgc.gr.delaunay_graph(adata)`."
        )
        found = f"none among {n_cells} cells"
        raise NoGraphError(expected(f"edges in `adata.obsp['{stem}_connectivities']`", found, remedy))


def graph_from_anndata(
    adata: AnnData,
    *,
    use_rep: str | None = None,
    neighbors_key: str = "spatial",
    library_key: str | None = None,
    features: bool = True,
) -> CellGraph:
    """Return the cell graph of an AnnData: features of `use_rep`, edges of `neighbors_key`, and what is stored of them.

    The stored matrix is read as undirected (an edge in either direction counts). Lengths, contact areas and overlaps are
    those stored, whatever they were measured between; an edge without a stored distance has that of its positions.

    Raises
    ------
    NoGraphError, NoCellsError, MissingKeyError
        If a part is missing; the message names the call that makes it.
    NonFiniteError
        If features hold NaN; the message counts them per feature.
    """
    from scipy.sparse import triu

    keys = graph_keys(adata, neighbors_key)
    cells = table_from_anndata(adata, use_rep=use_rep, library_key=library_key, features=features)
    check_finite(
        cells.features,
        what="features",
        names=cells.names,
        remedy="Fill or drop them; in `X`: `cgc.pp.scale_features(adata, impute='median')`.",
    )
    pattern = triu(adjacency_of(adata, neighbors_key), k=1, format="coo")
    edges = np.stack([pattern.row, pattern.col], axis=1).astype(np.int64)
    graph = CellGraph.from_pairs(cells, edges)
    stored = dict(graph.edge_features)
    for name, slot in EDGE_SLOTS.items():
        if slot in keys:
            missing = stored.get(name, np.zeros(len(graph.edges), np.float32))
            stored[name] = stored_values(adata.obsp[keys[slot]], graph.edges, missing)
    return CellGraph(cells, graph.edges, stored)


def obs_prefix(key_added: str) -> str:
    """Return what stands before the `obs` columns of a graph: nothing for "spatial", else its key."""
    return "" if key_added == "spatial" else f"{key_added}_"


def write_graph(adata: AnnData, graph: CellGraph, *, key_added: str, params: Mapping[str, Any]) -> list[str]:
    """Write a graph into `obsp` and `uns` as squidpy reads it, `obs["n_neighbors"]` beside; return the keys written.

    Raises `ShapeError` if the graph is for another number of cells.
    """
    if len(graph.cells) != adata.n_obs:
        raise ShapeError(expected(f"a graph of {adata.n_obs} cells", len(graph.cells), "Rebuild the graph."))
    slots = [feature for feature in EDGE_SLOTS if feature in graph.edge_features]
    adjacency, *others = graph.adjacencies(None, *slots)
    written = {"connectivities_key": f"{key_added}_connectivities"}
    adata.obsp[written["connectivities_key"]] = adjacency
    for feature, slot in EDGE_SLOTS.items():
        name = f"{key_added}_{slot}"
        if feature in graph.edge_features:
            adata.obsp[name] = others[slots.index(feature)]
            written[f"{slot}_key"] = name
        elif name in adata.obsp:  # of an older graph under the same key
            del adata.obsp[name]
    adata.uns[f"{key_added}_neighbors"] = {**written, "params": {**params, "unit": graph.cells.unit}}
    prefix = obs_prefix(key_added)
    adata.obs[f"{prefix}n_neighbors"] = np.diff(adjacency.indptr)
    if f"{prefix}contact_fraction" in adata.obs:  # of an older graph under the same key
        del adata.obs[f"{prefix}contact_fraction"]
    package_info(adata)
    return [*(f"obsp[{v!r}]" for v in written.values()), f"uns['{key_added}_neighbors']", f"obs['{prefix}n_neighbors']"]


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


def record_run(adata: AnnData, key: str, what: Mapping[str, Any]) -> None:
    """Store the provenance of a result under `uns["cellgraph_clr"]["runs"][key]` as a JSON string."""
    from importlib.metadata import version

    versions = {name: version(dist) for name, dist in (("cellgraph_clr", "cellgraph-clr"), ("anndata", "anndata"))}
    runs = package_info(adata).setdefault("runs", {})
    runs[key] = json.dumps({**what, "versions": versions}, sort_keys=True, default=_plain)
