"""Plots draw what they are given: right number of edges, axes with units, files written."""

import numpy as np
import pytest

from cellgraph_clr import pl, tl
from cellgraph_clr._core.errors import MissingKeyError, NoCellsError, NoGraphError, OptionError


def test_the_graph_is_drawn_whole(adata, tmp_path):
    ax = pl.graph(adata, color="true_type", save=tmp_path / "g.png")
    assert len(ax.collections[0].get_segments()) == adata.obsp["spatial_connectivities"].nnz // 2
    assert ax.get_xlabel() == "x (µm)"
    assert ax.yaxis_inverted()
    assert (tmp_path / "g.png").stat().st_size > 1000


def test_an_image_lies_under_its_cells(adata, tissue_2d):
    ax = pl.graph(adata, tissue_2d.image.image[0])
    left, right, bottom, top = ax.images[0].get_extent()
    assert (left, right) == (-0.5, tissue_2d.image.labels.shape[1] - 0.5)
    x, y = adata.obsm["spatial"].T
    assert left < x.min() < x.max() < right
    assert top < y.min() < y.max() < bottom


def test_slabs_select_cells_in_3d(tissue_3d):
    adata = tissue_3d.adata()
    ax = pl.spatial(adata, "true_type", projection="xz", slab=(0, 20))
    drawn = sum(len(c.get_offsets()) for c in ax.collections)
    assert drawn == (adata.obsm["spatial"][:, 1] <= 20).sum()
    with pytest.raises(OptionError, match="'xy', 'xz', 'yz', found 'zx'"):
        pl.spatial(adata, "true_type", projection="zx")


def test_retrieved_regions_and_cells_are_drawn(embedded):
    niche = {"true_niche": embedded.obs["true_niche"].cat.categories[0]}
    with pytest.raises(MissingKeyError, match=r"Call `cgc.tl.retrieve_regions\(adata, query\)`"):
        pl.retrieval(embedded, niche)
    tl.retrieve(embedded, niche, k=5)
    assert pl.retrieval(embedded, niche).get_title() == "retrieved cells"
    tl.retrieve_regions(embedded, niche, exclude_query=False, min_cells=2)
    ax = pl.retrieval(embedded, niche, n_regions=1)
    assert "query" in [t.get_text() for t in ax.get_legend().get_texts()]


def test_reliability_and_training_curves(embedded):
    tl.classify(embedded, "true_niche")
    ax = pl.reliability(embedded, "true_niche", "true_niche_pred")
    assert "expected calibration error" in ax.get_title()
    ax = pl.training({"loss": [3.0, 2.0], "contrastive_gap": [0.1, 0.5], "contrastive_gap_cap": [2.0, 2.0]})
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [3.0, 2.0])


def test_loss_weights_fall_as_cells_fit(embedded):
    tl.classify(embedded, "true_niche", n_steps=30)
    own, other = pl.loss_weights(embedded, "true_niche", "true_niche_pred")
    for ax, sign in ((own, -1), (other, 1)):
        for dots in ax.collections:
            at, weight = dots.get_offsets().T
            assert np.corrcoef(at, weight)[0, 1] * sign > 0.5
    entropy = own.collections[1].get_offsets()  # soft cross-entropy: target minus probability
    k = embedded.obsm["true_niche_pred_proba"].shape[1]
    np.testing.assert_allclose(entropy[:, 1], 0.9 + 0.1 / k - entropy[:, 0], atol=1e-5)
    with pytest.raises(NoCellsError, match="a class that was learned"):
        pl.loss_weights(embedded, "true_niche", "true_niche_pred", rows=np.zeros(embedded.n_obs, bool))


def test_bad_input_is_named(tissue_2d):
    adata = tissue_2d.adata()
    with pytest.raises(NoGraphError):
        pl.graph(adata)
    with pytest.raises(MissingKeyError, match="'kind' in `adata.obs`"):
        pl.spatial(adata, "kind")
