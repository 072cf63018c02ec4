"""From cells and graphs into an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.axes import to_xyz
from cellgraph_clr._core.checks import expected, listing
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr._core.notices import warn
from cellgraph_clr.adata.keys import EDGE_SLOTS, obs_prefix
from cellgraph_clr.adata.provenance import entries_of, package_info

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData

    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.graphs.graph import CellGraph
    from cellgraph_clr.graphs.lists import NeighborLists

__all__ = ["anndata_of", "write_graph", "write_graph_columns"]


def _constant(value: str, n: int) -> pd.Categorical:
    import pandas as pd

    return pd.Categorical.from_codes(np.zeros(n, np.int8), [value])


def anndata_of(cells: CellTable, *, library_id: str | None, region: str, region_key: str = "region") -> AnnData:
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
        if cells.frame.any() and len(set(names)) < len(names):
            names = [f"{t}-{i}" for t, i in zip(cells.frame, names, strict=True)]
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


def write_graph(
    adata: AnnData, graph: CellGraph | NeighborLists, *, key_added: str, params: Mapping[str, Any]
) -> list[str]:
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
        if feature in slots:
            adata.obsp[name] = others[slots.index(feature)]
            written[f"{slot}_key"] = name
        elif name in adata.obsp:  # of an older graph under the same key
            del adata.obsp[name]
    older = entries_of(adata, f"{key_added}_neighbors").get("obs", [])
    adata.uns[f"{key_added}_neighbors"] = {
        **written,
        "params": {**params, "unit": graph.cells.unit},
        "obs": list(older),
    }
    columns = write_graph_columns(adata, key_added, {"n_neighbors": np.diff(adjacency.indptr)})
    package_info(adata)
    return [*(f"obsp[{v!r}]" for v in written.values()), f"uns['{key_added}_neighbors']", *columns]


def write_graph_columns(adata: AnnData, key_added: str, columns: Mapping[str, np.ndarray]) -> list[str]:
    """Write `obs` columns of a graph in place of its older ones, and return the keys written.

    Which they are is kept in ``uns[f"{key_added}_neighbors"]["obs"]``; a column of the same name that is none of them is left as
    it was, which a UserWarning says.
    """
    entry = adata.uns[f"{key_added}_neighbors"]
    older = [str(c) for c in entry.get("obs", [])]
    names = {f"{obs_prefix(key_added)}{name}": values for name, values in columns.items()}
    for name in older:
        if name in adata.obs:
            del adata.obs[name]
    taken = [name for name in names if name in adata.obs]
    if taken:
        warn(
            f"obs columns {listing(taken)} are not of this graph and stay as they were; those of the graph are left out."
        )
    for name, values in names.items():
        if name not in taken:
            adata.obs[name] = values
    entry["obs"] = [name for name in names if name not in taken]
    return [f"obs[{name!r}]" for name in entry["obs"]]
