"""PyG and networkx: what goes out comes back; ids, isolates and edge values too."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import CellGraphError, ShapeError
from cellgraph_clr.cells.table import CellTable, FeatureInfo
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.nx import graph_to_networkx
from cellgraph_clr.graphs.pyg import graph_from_pyg, graph_to_pyg


@pytest.fixture
def graph(rng):
    cells = CellTable.build(
        np.array([40, 7, 9, 2**40]),
        rng.random((4, 3)),
        unit="micrometer",
        features=rng.normal(size=(4, 2)),
        info=(FeatureInfo("volume", "shape", "", "micrometer^3"), FeatureInfo("dapi_mean", "intensity", "dapi", "1")),
    )
    return CellGraph.from_pairs(cells, np.array([[2, 0], [0, 1]]), {"contact_area": [3.0, 4.0]})  # 2**40 is isolated


def test_pyg_round_trip_loses_nothing(graph):
    data = graph_to_pyg(graph)
    assert data.num_nodes == 4
    assert data.num_edges == 4
    assert data.is_undirected()
    assert not data.has_self_loops()
    np.testing.assert_allclose(data.pos.numpy()[:, ::-1], graph.cells.position)
    back = graph_from_pyg(data)
    np.testing.assert_array_equal(back.cells.cell_id, graph.cells.cell_id)
    np.testing.assert_array_equal(back.cells.features, graph.cells.features)
    np.testing.assert_allclose(back.cells.position, graph.cells.position)
    np.testing.assert_array_equal(back.edges, graph.edges)
    assert back.cells.info == graph.cells.info
    assert back.cells.unit == "micrometer"
    for name, values in graph.edge_features.items():
        np.testing.assert_array_equal(back.edge_features[name], values)


def test_foreign_pyg_data_is_read(graph):
    import torch
    from torch_geometric.data import Data

    foreign = Data(x=torch.ones(3, 2), edge_index=torch.tensor([[0], [2]]), pos=torch.rand(3, 2))
    back = graph_from_pyg(foreign)
    assert back.edges.tolist() == [[0, 2]]
    assert back.cells.names == ["feature_0", "feature_1"]
    with pytest.raises(ShapeError, match=r"`data.pos`, found None"):
        graph_from_pyg(Data(x=torch.ones(3, 2), edge_index=torch.tensor([[0], [2]])))


def test_networkx_nodes_are_cell_ids(graph):
    out = graph_to_networkx(graph)
    assert sorted(out.nodes) == [7, 9, 40, 2**40]
    assert out.degree[2**40] == 0
    assert out.edges[40, 9]["contact_area"] == 3.0
    assert out.nodes[7]["volume"] == pytest.approx(graph.cells.features[1, 0])
    assert out.graph["unit"] == "micrometer"


def test_networkx_tells_samples_apart(rng):
    cells = CellTable.build(np.array([1, 1]), rng.random((2, 2)), unit="pixel", sample=np.array(["a", "b"]))
    out = graph_to_networkx(CellGraph.from_pairs(cells, np.zeros((0, 2), int)))
    assert sorted(out.nodes) == [("a", 0, 1), ("b", 0, 1)]
    named = CellTable.build(
        np.array([1]), np.zeros((1, 2)), unit="pixel", features=[[1.0]], info=(FeatureInfo("frame"),)
    )
    with pytest.raises(CellGraphError, match="no feature named position, sample or frame"):
        graph_to_networkx(CellGraph.from_pairs(named, np.zeros((0, 2), int)))
