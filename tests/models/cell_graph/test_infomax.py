"""InfoMax on graphs: what belongs to a summary, one sample is enough, samples are shuffled apart, several processes agree."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.models import CellGraphCLR, CellGraphCLRConfig
from cellgraph_clr.models.cell_graph.infomax import GraphInfoMaxTask, membership
from cellgraph_clr.models.cell_graph.pairs import Pairs, Positives


def _pairs():
    # anchors 1, 3, 5; candidates 1, 2, 3, 5; 1 and 3 are related, 2 was drawn for 1
    positives = np.zeros((3, 4), bool)
    positives[0, 1] = True
    exclude = np.array([[True, False, True, False], [True, False, True, False], [False, False, False, True]])
    return Pairs(np.array([1, 3, 5]), np.array([1, 2, 3, 5]), positives, exclude)


def test_a_summary_is_the_mean_of_all_known_relations():
    shares, belongs = membership(_pairs(), with_self=False)
    np.testing.assert_allclose(shares, [[0, 0.5, 0.5, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(belongs, [[True, True, False], [True, True, False], [False, False, True]])
    with_self, _ = membership(_pairs(), with_self=True)
    np.testing.assert_allclose(with_self, [[1 / 3, 1 / 3, 1 / 3, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 1]])


def test_features_are_shuffled_within_samples():
    n = 40
    sample = np.arange(n) % 2
    x = torch.from_numpy(np.stack([np.arange(n), sample], 1)).float()
    cells = CellTable.build(np.arange(n), np.zeros((n, 2)), unit="pixel", sample=sample.astype(str))
    config = CellGraphCLRConfig(mask_features=0, jitter=0, drop_edges=0, batch_size=n, n_layers=0)
    edges = csr_matrix((n, n), dtype=np.int64)
    task = GraphInfoMaxTask(config, x, edges, None, cells, Positives(None, 0, with_self=True), 0)
    pairs, (first, _, other) = task.draw_views(0, 3)
    first, shuffled = (v.x[v.wanted] for v in (first, other))
    np.testing.assert_array_equal(first[:, 0], pairs.anchors)
    assert torch.equal(first[:, 1], shuffled[:, 1])
    assert not torch.equal(first[:, 0], shuffled[:, 0])
    assert sorted(shuffled[:, 0].tolist()) == list(range(n))


@pytest.mark.parametrize("bound", [None, "dv", "nce", "infonce_p"])
@pytest.mark.parametrize("positives", ["neighbors", "tissue", "all"])
def test_every_estimator_learns_from_neighbourhoods_tissues_and_one_sample(adata, bound, positives):
    adata.obs["all"] = "one"
    adata.obs["tissue"] = np.where(adata.obsm["spatial"][:, 0] > np.median(adata.obsm["spatial"][:, 0]), "a", "b")
    model = CellGraphCLR(
        objective="infomax", bound=bound, positives=positives, n_steps=25, n_dims=8, n_hidden=16, progress=False
    )
    vectors = model.fit_transform(adata)
    loss = model.history_["loss"]
    assert vectors.shape == (adata.n_obs, 8 + adata.n_vars)
    assert np.isfinite(vectors).all()
    assert np.mean(loss[-5:]) < np.mean(loss[:5])


def test_cells_without_neighbours_have_no_summary(adata):
    from scipy.spatial import cKDTree

    from cellgraph_clr import gr

    position = adata.obsm["spatial"]
    gr.radius_graph(adata, radius=1.05 * np.median(cKDTree(position).query(position, 2)[0][:, 1]))
    degree = np.diff(adata.obsp["spatial_connectivities"].tocsr().indptr)
    assert (degree == 0).any()
    options = {"objective": "infomax", "positives": "neighbors", "n_steps": 3, "n_dims": 4, "n_hidden": 8}
    with pytest.warns(UserWarning, match="have no neighbor"):
        vectors = CellGraphCLR(progress=False, **options).fit_transform(adata)
    assert np.isfinite(vectors).all()
