"""The own block of an embedding: what a cell is stays to be read, whatever was learned."""

import numpy as np
import pytest

from cellgraph_clr import tl
from cellgraph_clr._core.errors import ModelFileError
from cellgraph_clr.adata.reading import searched
from cellgraph_clr.models import CellGraphCLR
from cellgraph_clr.models.cell_graph import own as module
from cellgraph_clr.models.cell_graph.own import OWN_WEIGHT, block_numbers, own_turn, side_by_side

QUICK = {"n_steps": 3, "n_dims": 8, "n_hidden": 16, "batch_size": 64, "progress": False}


def test_few_inputs_are_their_own_block(rng):
    np.testing.assert_array_equal(own_turn(rng.normal(size=(9, 4)), 4, seed=0), np.eye(4))


@pytest.mark.parametrize("n_inputs", [12, 1100])
def test_many_are_their_principal_components(rng, n_inputs):
    x = rng.normal(size=(60, 3)) @ rng.normal(size=(3, n_inputs)) + 0.01 * rng.normal(size=(60, n_inputs)) + 5
    turn = own_turn(x.astype(np.float32), 3, seed=0)
    expected = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:3]
    np.testing.assert_allclose(np.abs((turn.T * expected).sum(axis=1)), 1, atol=1e-3)
    assert (np.take_along_axis(turn, np.abs(turn).argmax(axis=0)[None], axis=0) > 0).all()
    assert own_turn(x[:2].astype(np.float32), 3, seed=0).shape == (n_inputs, 2)


def test_blocks_have_their_weights(rng):
    learned, x = rng.normal(3, 7, (500, 6)).astype(np.float32), rng.normal(1, [1, 2, 5], (500, 3)).astype(np.float32)
    out = side_by_side(learned, x, block_numbers(learned, x, np.eye(3, dtype=np.float32)))
    length = [np.square(part).sum(axis=1).mean() for part in (out[:, :6], out[:, 6:])]
    np.testing.assert_allclose(length, [1, OWN_WEIGHT**2], rtol=1e-4)
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out[:, :6].std(axis=0), 6**-0.5, rtol=1e-4)
    np.testing.assert_allclose(out[:, 8].std() / out[:, 6].std(), x[:, 2].std() / x[:, 0].std(), rtol=1e-4)


def test_inputs_that_do_not_vary_give_zeros():
    x = np.full((5, 2), 3, np.float32)
    numbers = block_numbers(np.zeros((5, 1), np.float32), x, np.eye(2, dtype=np.float32))
    np.testing.assert_array_equal(side_by_side(np.zeros((5, 1), np.float32), x, numbers), 0)


def test_the_embedding_holds_the_inputs_linearly(adata):
    model = CellGraphCLR(**QUICK).fit(adata)
    vectors = model.transform(adata)
    assert model.blocks_ == {"learned": (0, 8), "own": (8, 8 + adata.n_vars)}
    x = model.graph_tensors(adata)[0].numpy()
    own = vectors[:, slice(*model.blocks_["own"])]
    ratio = own[:, x.std(axis=0) > 0] / (x - x.mean(axis=0))[:, x.std(axis=0) > 0]
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-2)
    plain = CellGraphCLR(**QUICK, n_own=0).fit(adata)
    assert plain.blocks_ == {"learned": (0, 8)}
    raw = plain.transform(adata)
    learned = (raw - raw.mean(axis=0)) / raw.std(axis=0) / np.sqrt(8)
    np.testing.assert_allclose(vectors[:, :8], learned, atol=1e-4)


def test_a_model_saved_without_the_block_gives_what_it_gave(adata):
    plain = CellGraphCLR(**QUICK, n_own=0).fit(adata)
    tensors, header = plain.state()
    del header["config"]["n_own"]
    back = CellGraphCLR.from_state(tensors, header)
    assert back.config.n_own == 0
    np.testing.assert_array_equal(back.transform(adata), plain.transform(adata))


@pytest.mark.parametrize("name", ["learned_mean", "learned_scale", "own_mean", "own_turn"])
def test_a_damaged_block_is_named(adata, name):
    tensors, header = CellGraphCLR(**QUICK).fit(adata).state()
    tensors[f"arrays.{name}"] = tensors[f"arrays.{name}"][:-1]
    with pytest.raises(ModelFileError, match="blocks of 8 learned columns|with their axes"):
        CellGraphCLR.from_state(tensors, header).transform(adata)
    del tensors[f"arrays.{name}"]
    with pytest.raises(ModelFileError, match="the numbers of its blocks"):
        CellGraphCLR.from_state(tensors, header)


def test_a_warm_start_keeps_the_block(adata):
    model = CellGraphCLR(**QUICK).fit(adata)
    before = model.transform(adata)
    after = model.fit(adata[: adata.n_obs // 2].copy(), warm_start=True).transform(adata)
    np.testing.assert_array_equal(after[:, 8:], before[:, 8:])
    assert not np.allclose(after[:, :8], before[:, :8])


def test_large_graphs_are_measured_on_runs(monkeypatch):
    monkeypatch.setattr(module, "FULL_GRAPH_CELLS", 10)
    monkeypatch.setattr(module, "N_MEASURED", 16)
    curve = np.random.default_rng(0).permutation(100)
    rows = module.measured_rows(curve)
    assert len(set(rows)) == 16
    place = np.sort(np.argsort(curve)[rows])
    assert place[0] == 0
    assert place[-1] == 99
    assert (np.diff(place) == 1).sum() == 8  # eight runs of two
    np.testing.assert_array_equal(module.measured_rows(curve[:12]), curve[:12])


def test_vectors_with_blocks_are_searched_as_they_are(adata):
    tl.embed(adata, **QUICK)
    tl.embed(adata, n_own=0, key_added="X_plain", **QUICK)
    assert searched(adata, None)[2]
    assert not searched(adata, "X_plain")[2]
