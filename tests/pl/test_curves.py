"""Reliability, training, weights of losses."""

import numpy as np
import pytest

from cellgraph_clr import pl, tl
from cellgraph_clr._core.errors import NoCellsError, OptionError
from tests.pictures import check_picture


def test_reliability_leaves_out_what_was_learned_from(embedded):
    truth = embedded.obs["true_niche"].astype(str)
    known = np.arange(embedded.n_obs) % 3 == 0
    embedded.obs["some"] = np.where(known, truth, "unassigned")
    tl.classify(embedded, "some", method="soft_infonce")
    ax = pl.reliability(embedded, "true_niche", "some_pred")
    check_picture(ax)
    assert ax.get_title().startswith(f"{int((~known).sum())} cells")
    every = pl.reliability(embedded, "true_niche", "some_pred", rows=np.ones(embedded.n_obs, bool))
    assert every.get_title().startswith(f"{embedded.n_obs} cells")
    with pytest.raises(NoCellsError, match="that were not learned from, found none"):
        pl.reliability(embedded, "some", "some_pred")


def test_nothing_was_learned_from_where_labels_were_handed_over(embedded):
    reference, other = embedded[::2].copy(), embedded[1::2].copy()
    tl.transfer_labels(other, reference, "true_niche", min_confidence=None, min_similarity=None)
    for draw in (pl.reliability, pl.confusion):
        assert draw(other, "true_niche", "true_niche_pred").get_title().startswith(f"{other.n_obs} cells")


def test_training_takes_a_model_or_its_history(embedded):
    ax = pl.training({"loss": [3.0, 2.0], "contrastive_gap": [0.1, 0.5], "contrastive_gap_cap": [2.0, 2.0]})
    check_picture(ax, n_axes=2)
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [3.0, 2.0])
    from cellgraph_clr.models import CellGraphCLR

    check_picture(pl.training(CellGraphCLR(n_steps=2, n_dims=8, progress=False).fit(embedded)), n_axes=4)
    with pytest.raises(OptionError, match="a fitted model or its `history_`, found AnnData"):
        pl.training(embedded)


def test_training_draws_all_that_was_recorded_and_all_parts():
    ax = pl.training({"loss": [3.0, 2.0], "accuracy": [0.5, 0.75], "own_figure": [1.0, 4.0]})
    check_picture(ax, n_axes=3)
    drawn = {a.get_ylabel(): a.get_lines()[0].get_ydata().tolist() for a in ax.figure.axes}
    assert drawn == {"loss (nats)": [3.0, 2.0], "accuracy": [0.5, 0.75], "own figure": [1.0, 4.0]}
    parts = {"shape": {"loss": [3.0, 2.0]}, "texture": {"loss": [5.0, 4.0, 3.0], "reconstruction": [1.0, 0.5, 0.2]}}
    ax = pl.training(parts)
    check_picture(ax, n_axes=2)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["shape", "texture"]
    assert len({line.get_color() for line in ax.get_lines()}) == 2
    assert ax.get_lines()[1].get_xdata().tolist() == [1, 2, 3]
    assert all(float(t).is_integer() for t in ax.get_xticks())


def test_loss_weights_fall_as_cells_fit(embedded):
    tl.classify(embedded, "true_niche", n_steps=30)
    own, other = pl.loss_weights(embedded, "true_niche", "true_niche_pred")
    check_picture(own)
    for ax, sign in ((own, -1), (other, 1)):
        for dots in ax.collections:
            at, weight = dots.get_offsets().T
            assert np.corrcoef(at, weight)[0, 1] * sign > 0.5
    entropy = own.collections[1].get_offsets()  # soft cross-entropy: target minus probability
    k = embedded.obsm["true_niche_pred_proba"].shape[1]
    np.testing.assert_allclose(entropy[:, 1], 0.9 + 0.1 / k - entropy[:, 0], atol=1e-5)
    with pytest.raises(NoCellsError, match="a class that was learned"):
        pl.loss_weights(embedded, "true_niche", "true_niche_pred", rows=np.zeros(embedded.n_obs, bool))
