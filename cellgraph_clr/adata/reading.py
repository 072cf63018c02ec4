"""From an AnnData to features, cells and graphs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import issparse

from cellgraph_clr._core.axes import to_xyz
from cellgraph_clr._core.checks import check_finite, check_key, expected, listing
from cellgraph_clr._core.errors import (
    CellGraphError,
    MissingKeyError,
    NoCellsError,
    NoGraphError,
    NonFiniteError,
    ShapeError,
)
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.numbers import as_float32, as_numbers
from cellgraph_clr.adata.copies import check_writable
from cellgraph_clr.adata.keys import BUILDERS, EDGE_SLOTS, RAW_LAYER, X_CONTEXT, graph_stem
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import entries_of, recorded_run, recorded_runs, unit_of
from cellgraph_clr.adata.samples import cell_ids, frame_of, sample_of
from cellgraph_clr.cells.table import CellTable, FeatureInfo
from cellgraph_clr.graphs.graph import CellGraph, stored_values
from cellgraph_clr.graphs.samples import n_crossing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from scipy.sparse import csr_matrix

__all__ = [
    "adjacency_of",
    "blocks_of",
    "check_edges",
    "graph_from_anndata",
    "graph_keys",
    "raw_values",
    "read_features",
    "read_numbers",
    "representation",
    "scales_are_weights",
    "searched",
    "table_from_anndata",
    "warn_of_other_vectors",
]

WHERE = ("library_key", "neighbors_key", "use_rep", "versions")  # what may differ where one model was applied twice

_INFO_DEFAULTS = (("group", "other"), ("channel", ""), ("unit", "1"))


def read_features(adata: AnnData, use_rep: str | None) -> tuple[np.ndarray, tuple[FeatureInfo, ...]]:
    """Return the matrix (n, f) float32 under `use_rep` (`obsm` key; None or "X" for `X`) and its columns.

    Raises
    ------
    MissingKeyError
        If `use_rep` is not in `obsm`, or there are no features at all.
    ShapeError, CellGraphError
        If it is no matrix, or not of numbers.
    NonFiniteError
        If a finite value is too large for float32.

    Warns
    -----
    UserWarning
        If float32 makes one of values that differ (`_core.numbers.as_float32`).
    """
    values, info = read_numbers(adata, use_rep)
    return as_float32(values, [i.name for i in info]), info


def read_numbers(adata: AnnData, use_rep: str | None) -> tuple[np.ndarray, tuple[FeatureInfo, ...]]:
    """Return `read_features` as stored, in a dense array of any dtype of numbers; raises as it does."""
    where = "`X`" if use_rep in (None, "X") else f"obsm[{use_rep!r}]"
    if use_rep in (None, "X"):
        matrix = adata.X[:] if adata.isbacked else adata.X
        if matrix is None or adata.n_vars == 0:
            raise MissingKeyError(
                expected(
                    "features in `adata.X`",
                    "none",
                    "Measure them with `cgc.from_labels`, name their columns by `features=` of `cgc.from_table`, or pass "
                    f"`use_rep=` (`obsm` holds {list(adata.obsm)}).",
                )
            )
        var = adata.var
        info = tuple(
            FeatureInfo(str(name), *(str(var[c].iloc[i]) if c in var else d for c, d in _INFO_DEFAULTS))
            for i, name in enumerate(adata.var_names)
        )
    else:
        check_writable(adata)
        check_key(str(use_rep), list(adata.obsm), where="adata.obsm", remedy="Compute it first, or pass `use_rep='X'`.")
        matrix = adata.obsm[use_rep]
        columns = getattr(matrix, "columns", None)
        matrix = matrix.to_numpy() if columns is not None else matrix
        if np.ndim(matrix) == 2 and matrix.shape[1] == 0:
            raise MissingKeyError(expected(f"features in {where}", "no columns", "Compute them again."))
        if np.ndim(matrix) != 2 and not issparse(matrix):
            remedy = "Give one row of features per cell."
            raise ShapeError(expected(f"features (n, f) in {where}", f"shape {np.shape(matrix)}", remedy))
        names = [f"{use_rep}_{i}" for i in range(matrix.shape[1])] if columns is None else [str(c) for c in columns]
        info = tuple(FeatureInfo(n, "embedding") for n in names)
    dense = as_numbers(matrix.toarray() if issparse(matrix) else matrix, f"features in {where}")
    return dense, info


def representation(adata: AnnData, use_rep: str | Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Return the vectors (n, d) of one or several representations side by side, and their names.

    None takes `X` and, when present, `obsm["X_cellgraph"]`. Raises `MissingKeyError` and `NonFiniteError`.
    """
    blocks = blocks_of(adata, use_rep, ("X", "X_cellgraph"))
    return np.concatenate(list(blocks.values()), axis=1), list(blocks)


def blocks_of(adata: AnnData, use_rep: str | Sequence[str] | None, usual: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the vectors (n, d) float32 of representations by name; None takes those of `usual` that are there.

    Raises `MissingKeyError` and `NonFiniteError`.
    """
    if use_rep is None:
        names = [k for k in usual if (k == "X" and adata.n_vars) or k in adata.obsm]
    else:
        names = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    blocks = {}
    for name in names or ["X"]:
        values, info = read_features(adata, name)
        check_finite(
            values,
            what=f"values of {name!r}",
            names=[i.name for i in info],
            remedy="Fill or drop them; in `X`: `cgc.pp.scale_features(adata, impute='median')`.",
        )
        blocks[name] = values
    return blocks


def searched(adata: AnnData, use_rep: str | None) -> tuple[str, np.ndarray, bool]:
    """Return name and vectors (n, d) of what is searched or clustered, and whether the scales of its columns are weights.

    They are in `tl.context`, and in `tl.embed` where a cell's own inputs stand beside what was learned.

    None takes `obsm["X_context"]` where it exists, else `obsm["X_cellgraph"]`. Raises as `representation`.
    """
    name = (X_CONTEXT if X_CONTEXT in adata.obsm else "X_cellgraph") if use_rep is None else use_rep
    vectors, _ = representation(adata, name)
    return name, vectors, scales_are_weights(adata, name)


def scales_are_weights(adata: AnnData, name: str) -> bool:
    """Return whether the scales of the columns of a representation are weights, so that searches do not standardise them."""
    run = json.loads(recorded_runs(adata).get(name, "{}"))
    return run.get("function") == "tl.context" or "own" in run.get("blocks", {})


def warn_of_other_vectors(adata: AnnData, reference: AnnData, name: str) -> None:
    """Warn where the vectors of two AnnData were not made by one model, as far as it is recorded."""
    one, two = (recorded_run(a, name) for a in (adata, reference))
    if adata is reference or not one or not two:
        return
    differ = [k for k in sorted({*one, *two} - set(WHERE)) if one.get(k) != two.get(k)]
    if differ:
        made = "of another run" if differ == ["last_step"] else f"with another {listing(differ)}"
        warn(
            f"The vectors {name!r} of both were made by different models ({made}), and similarities between them say nothing. "
            "Fit one model and apply it to both, by `model=` of `cgc.tl.embed`, or embed both as one."
        )


def raw_values(adata: AnnData, name: str, layer: str | None = None) -> tuple[np.ndarray, str]:
    """Return a feature (n,) float64 as it was measured and its unit ("" where none is known).

    `layer` None takes the raw features that scaling kept, else `X`; "X" takes `X`. Raises `MissingKeyError`.
    """
    check_key(name, list(adata.var_names), where="adata.var_names")
    kept = layer is None and RAW_LAYER in adata.layers
    if layer not in (None, "X"):
        check_key(layer, list(adata.layers), where="adata.layers")
    matrix = adata.layers[RAW_LAYER if layer is None else layer] if kept or layer not in (None, "X") else adata.X
    if matrix is None:
        raise MissingKeyError(expected("features in `adata.X`", "none", "Name a layer, or set `adata.X`."))
    at = adata.var_names.get_loc(name)
    if not isinstance(at, (int, np.integer)):
        remedy = "Make them unique: `var_names_make_unique`."
        raise CellGraphError(expected(f"one feature {name!r} in `adata.var_names`", "several", remedy))
    column = matrix[:, at]
    values = (
        as_numbers(column.toarray() if issparse(column) else column, f"values of {name!r}").astype(np.float64).ravel()
    )
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
    NonFiniteError, GeometryError, ShapeError
        If positions are not finite, too far apart or too near, or not two or three columns.
    CellGraphError
        If ids or frames are no whole numbers, or a part is not of numbers.
    """
    if adata.n_obs == 0:
        raise NoCellsError(expected("at least one cell", "an AnnData without rows", "Check the filter before."))
    position = to_xyz(position_of(adata))
    values, info = read_features(adata, use_rep) if features else (None, ())
    ids = cell_ids(adata) if "cell_id" in adata.obs else np.arange(1, adata.n_obs + 1)
    sample, frame = sample_of(adata, library_key), frame_of(adata)
    return CellTable.build(ids, position, unit=unit_of(adata), features=values, info=info, sample=sample, frame=frame)


def graph_keys(adata: AnnData, neighbors_key: str = "spatial") -> dict[str, str]:
    """Return the `obsp` keys of a graph: "connectivities" and, where present, "distances", "contact_area", "overlap".

    `neighbors_key` may be "spatial", "spatial_connectivities" or "spatial_neighbors". Raises `NoGraphError` when there
    is none; the message names the calls that build it.
    """
    stem = graph_stem(neighbors_key)
    info = entries_of(adata, f"{stem}_neighbors")
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

    Of ones it is undirected: an edge in either direction counts, stored zeros do not. Raises `CellGraphError` for edges that join
    samples, and `NonFiniteError` for weights that are NaN or infinite.
    """
    from scipy.sparse import csr_matrix

    keys = graph_keys(adata, neighbors_key)
    if weights is None:
        stored = csr_matrix(adata.obsp[keys["connectivities"]])
        pattern = csr_matrix((stored + stored.T).astype(bool), dtype=np.float32)
        _check_within_samples(adata, pattern, keys["connectivities"])
        return pattern
    name = keys.get(weights, weights)
    check_key(
        name, list(adata.obsp), where="adata.obsp", remedy="Contact areas come from `cgc.gr.contact_graph(adata)`."
    )
    weighted = csr_matrix(adata.obsp[name], dtype=np.float32)
    if not np.isfinite(weighted.data).all():
        at = weighted.tocoo()
        _check_edge_values(adata, name, at.data, np.stack([at.row, at.col], axis=1))
    return weighted


def _check_edge_values(adata: AnnData, key: str, values: np.ndarray, edges: np.ndarray) -> None:
    """Raise `NonFiniteError` for values (m,) of edges (m, 2) in `obsp` that are NaN or infinite, with the first cells."""
    bad = ~np.isfinite(values)
    if bad.any():
        pairs = [f"({a}, {b})" for a, b in np.asarray(adata.obs_names, str)[edges[bad][:10]]]
        more = f" and {int(bad.sum()) - 10} more" if bad.sum() > 10 else ""
        found = f"NaN or infinite ones at {int(bad.sum())} of {len(bad)} edges, between cells {', '.join(pairs)}{more}"
        remedy = f"Fill them, or build the graph again: {BUILDERS}."
        raise NonFiniteError(expected(f"finite values in `adata.obsp[{key!r}]`", found, remedy))


def _check_within_samples(adata: AnnData, adjacency: csr_matrix, key: str) -> None:
    """Raise `CellGraphError` for edges between samples: they were named after the graph was built. O(edges)."""
    sample = sample_of(adata, None)
    if len(sample) == 0 or (sample == sample[0]).all():
        return
    across = n_crossing(adjacency, np.unique(sample, return_inverse=True)[1])
    if across:
        remedy = "Build the graph again, now that the samples are named: `cgc.gr.delaunay_graph(adata)`."
        raise CellGraphError(
            expected(f"edges of `adata.obsp[{key!r}]` within samples", f"{across} between them", remedy)
        )


def check_edges(n_edges: int, n_cells: int, neighbors_key: str = "spatial") -> None:
    """Raise `NoGraphError` for a graph of several cells without an edge; the message names the calls that build another."""
    if n_cells > 1 and n_edges == 0:
        stem = graph_stem(neighbors_key)
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
        If features, or what is stored of edges, hold NaN; the message counts them per feature, and names the first edges.
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
            _check_edge_values(adata, keys[slot], stored[name], graph.edges)
    return CellGraph(cells, graph.edges, stored)
