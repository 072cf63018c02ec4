"""The PyG bridge: `CellGraph` to `torch_geometric.data.Data` and back, without loss. Torch loads on use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.axes import to_xyz
from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import ShapeError
from cellgraph_clr.cells.table import CellTable, FeatureInfo
from cellgraph_clr.graphs.graph import CellGraph

if TYPE_CHECKING:
    from torch_geometric.data import Data

__all__ = ["graph_from_pyg", "graph_to_pyg"]


def graph_to_pyg(graph: CellGraph) -> Data:
    """Return PyG data: x, edge_index (both directions), edge_attr, pos (x, y[, z]), cell_id, and names to come back.

    edge_attr has one column per edge feature, in the order of `edge_attr_names`. O(n + edges).
    """
    import torch
    from torch_geometric.data import Data

    both = np.concatenate([graph.edges, graph.edges[:, ::-1]]).T
    names = list(graph.edge_features)
    attributes = (
        np.stack([graph.edge_features[k] for k in names], axis=1)
        if names
        else np.zeros((len(graph.edges), 0), np.float32)
    )
    cells = graph.cells
    return Data(
        x=torch.from_numpy(cells.features.copy()),
        edge_index=torch.from_numpy(np.ascontiguousarray(both)),
        edge_attr=torch.from_numpy(np.concatenate([attributes, attributes])),
        pos=torch.from_numpy(to_xyz(cells.position)),
        cell_id=torch.from_numpy(cells.cell_id.copy()),
        frame=torch.from_numpy(cells.frame.copy()),
        sample=cells.sample.tolist(),
        unit=cells.unit,
        feature_info=[(i.name, i.group, i.channel, i.unit) for i in cells.info],
        edge_attr_names=names,
    )


def _get(data: Any, name: str, default: object) -> Any:
    value = data.get(name)
    return default if value is None else value


def graph_from_pyg(data: Data) -> CellGraph:
    """Return the cell graph of PyG data; the inverse of `graph_to_pyg`, and open to other people's data.

    Needs `edge_index` and `pos` (x, y[, z]); x, edge_attr and ids are optional (features get the names feature_0 …).

    Raises
    ------
    ShapeError
        If `pos` or `edge_index` is missing.
    """
    data = data.detach().cpu()
    for name in ("pos", "edge_index"):
        if _get(data, name, None) is None:
            raise ShapeError(expected(f"`data.{name}`", "None", "A cell graph needs positions and edges."))
    position = to_xyz(np.asarray(data.pos, np.float64))
    n = len(position)
    x = np.asarray(_get(data, "x", np.zeros((n, 0))), np.float32)
    info = _get(data, "feature_info", [(f"feature_{i}",) for i in range(x.shape[1])])
    cells = CellTable.build(
        np.asarray(_get(data, "cell_id", np.arange(1, n + 1))),
        position,
        unit=_get(data, "unit", "pixel"),
        features=x,
        info=tuple(FeatureInfo(*i) for i in info),
        sample=np.asarray(_get(data, "sample", [""] * n)),
        frame=np.asarray(_get(data, "frame", np.zeros(n, np.int64))),
    )
    pairs = np.asarray(data.edge_index, np.int64).T
    attributes = np.asarray(_get(data, "edge_attr", np.zeros((len(pairs), 0))), np.float32)
    attributes = attributes.reshape(len(pairs), attributes.size // len(pairs) if len(pairs) else attributes.shape[-1])
    names = _get(data, "edge_attr_names", [f"edge_feature_{i}" for i in range(attributes.shape[1])])
    return CellGraph.from_pairs(cells, pairs, {k: attributes[:, i] for i, k in enumerate(names)})
