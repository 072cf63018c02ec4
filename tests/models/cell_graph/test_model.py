"""`CellGraphCLR`: seeds, induction, files, tiles, positives of every kind, bad input."""

from dataclasses import fields

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch

from cellgraph_clr import gr
from cellgraph_clr._core.errors import (
    CellGraphError,
    LabelKeyError,
    ModelFileError,
    NoGraphError,
    NonFiniteError,
    OptionError,
)
from cellgraph_clr.models import CellGraphClassifier, CellGraphCLR
from cellgraph_clr.models.cell_graph import batches
from cellgraph_clr.models.cell_graph import model as module
from cellgraph_clr.training import devices

QUICK = {"n_steps": 6, "n_dims": 8, "n_hidden": 16, "batch_size": 64, "progress": False}


def test_the_seed_decides(adata):
    one, same, other = (CellGraphCLR(random_state=s, **QUICK).fit_transform(adata) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    assert one.shape == (adata.n_obs, 8 + adata.n_vars)
    assert one.dtype == np.float32


def test_training_lowers_the_loss_and_reports(adata):
    model = CellGraphCLR(n_steps=80, n_dims=16, n_hidden=32, progress=False).fit(adata)
    loss = model.history_["loss"]
    assert len(loss) == 80
    assert np.mean(loss[-10:]) < 0.8 * np.mean(loss[:5])
    gap, cap = model.history_["contrastive_gap"], model.history_["contrastive_gap_cap"]
    assert all(g <= c for g, c in zip(gap, cap, strict=True))
    assert gap[-1] > gap[0]


def test_the_order_of_rows_does_not_matter(adata):
    model = CellGraphCLR(**QUICK).fit(adata)
    order = np.random.default_rng(0).permutation(adata.n_obs)
    np.testing.assert_allclose(model.transform(adata[order].copy()), model.transform(adata)[order], atol=1e-5)


def test_saved_and_loaded_it_is_the_same(adata, tmp_path):
    model = CellGraphCLR(**QUICK).fit(adata)
    model.save(tmp_path / "model.safetensors")
    back = CellGraphCLR.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(back.transform(adata), model.transform(adata))
    assert back.config == model.config
    assert back.history_ == model.history_


def test_unseen_samples_are_embedded(adata, tissue_2d):
    from cellgraph_clr.datasets import tissue

    other = tissue(100, ndim=2, random_state=5).adata()
    gr.contact_graph(other)
    assert CellGraphCLR(**QUICK).fit(adata).transform(other).shape == (other.n_obs, 8 + adata.n_vars)


def test_tiles_equal_the_whole(adata, monkeypatch):
    model = CellGraphCLR(**QUICK).fit(adata)
    whole = model.transform(adata)
    monkeypatch.setattr(batches, "FULL_GRAPH_CELLS", 10)
    monkeypatch.setattr(module, "FULL_GRAPH_CELLS", 10)
    monkeypatch.setattr(module, "TRANSFORM_TILE", 32)
    np.testing.assert_allclose(model.transform(adata), whole, atol=1e-5)
    tiled = CellGraphCLR(**QUICK).fit(adata)  # trains on tiles
    assert np.isfinite(tiled.history_["loss"]).all()


@pytest.mark.parametrize("positives", ["neighbors", "views", "both", "true_type", "spatial_connectivities"])
def test_every_source_of_positives_trains(adata, positives):
    model = CellGraphCLR(positives=positives, n_positives=3, **QUICK).fit(adata)
    assert np.isfinite(model.history_["loss"]).all()
    low, high = (1, 1) if positives == "views" else (2, 3)  # a cell with fewer neighbours has fewer positives
    assert low <= model.history_["positives_per_anchor"][0] <= high


OPTIONS = {
    "objective": "supcon",
    "bound": "nce",
    "positives": "neighbors",
    "n_positives": 3,
    "n_hops": 2,
    "positive_weights": "contact_area",
    "encoder": "gen",
    "drop_nodes": 0.2,
    "patience": 1,
    "edge_lengths": True,
    "n_dims": 9,
    "n_own": 2,
    "n_hidden": 20,
    "n_layers": 1,
    "temperature": 0.5,
    "mask_features": 0.1,
    "jitter": 0.9,
    "drop_edges": 0.8,
    "n_steps": 7,
    "batch_size": 32,
    "learning_rate": 0.03,
    "weight_decay": 0.5,
    "augment": lambda x, adjacency, rng: (x * rng.choice([0, 1], x.shape[1]), adjacency),
}


def test_every_option_is_tested():
    assert set(OPTIONS) == {f.name for f in fields(CellGraphCLR().config)}


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_changes_the_output(adata, name):
    usual = QUICK | ({"objective": "infomax"} if name == "bound" else {})
    base = CellGraphCLR(**usual).fit_transform(adata)
    changed = CellGraphCLR(**{**usual, name: OPTIONS[name]}).fit_transform(adata)
    assert changed.shape != base.shape or not np.allclose(changed, base)


def test_mixtures_draw_from_each_source(adata):
    model = CellGraphCLR(positives=("both", "true_type"), n_positives=5, **QUICK).fit(adata)
    assert 4 < model.history_["positives_per_anchor"][0] <= 5
    assert CellGraphCLR(positives=["both", "true_type"]).config.positives == ("both", "true_type")


def test_several_samples_train_together(adata):
    both = CellGraphCLR(positives="true_type", **QUICK).fit([adata, adata.copy()])
    assert both.transform(adata).shape == (adata.n_obs, 8 + adata.n_vars)
    with pytest.raises(CellGraphError, match="samples with the same features"):
        CellGraphCLR(**QUICK).fit([adata, adata[:, 1:].copy()])
    with pytest.raises(ModelFileError, match=r"missing: area; new: none"):
        both.transform(adata[:, 1:].copy())


def test_isolated_cells_are_embedded(adata):
    graph = adata.obsp["spatial_connectivities"].tolil()
    graph[:70], graph[:, :70] = 0, 0
    adata.obsp["spatial_connectivities"] = graph.tocsr()
    with pytest.warns(UserWarning, match="of 144 cells have no neighbor"):
        model = CellGraphCLR(**QUICK).fit(adata)
    assert np.isfinite(model.transform(adata)).all()
    adata.obsp["spatial_connectivities"] = adata.obsp["spatial_connectivities"] * 0
    assert np.isfinite(model.transform(adata)).all()
    with pytest.raises(NoGraphError, match=r"found none among 144 cells.*contact_graph\(adata, labels, max_gap=…\)"):
        model.fit(adata)


def test_bad_input_is_named(adata, tissue_2d):
    with pytest.raises(OptionError, match=r"'n_step' in `CellGraphCLRConfig`.*Did you mean 'n_steps'"):
        CellGraphCLR(n_step=3)
    with pytest.raises(OptionError, match=r"`mask_features` to be a number in \[0, 1\), found 1"):
        CellGraphCLR(mask_features=1)
    for name, most in {"n_hops": 100, "n_layers": 100, "n_dims": 65536, "n_hidden": 65536}.items():
        with pytest.raises(OptionError, match=f"`{name}` to be a whole number between . and {most}, found 1000000000"):
            CellGraphCLR(**{name: 10**9})
    with pytest.raises(OptionError, match="`bound` with objective='infomax'"):
        CellGraphCLR(bound="nce")
    with pytest.raises(NoGraphError, match=r"Call `cgc.gr.contact_graph\(adata\)`"):
        CellGraphCLR(**QUICK).fit(tissue_2d.adata())
    with pytest.raises(LabelKeyError, match="'neighbours' in `positives`.*Did you mean 'neighbors'"):
        CellGraphCLR(positives="neighbours", **QUICK).fit(adata)
    with pytest.raises(CellGraphError, match="a fitted model"):
        CellGraphCLR(**QUICK).transform(adata)
    adata.X[3, 2] = np.nan
    with pytest.raises(NonFiniteError, match=r"1 values that are NaN or infinite in circularity \(1\)"):
        CellGraphCLR(**QUICK).fit(adata)


def test_training_without_a_positive_is_refused(adata):
    adata.obs["kind"] = "unassigned"
    with pytest.raises(LabelKeyError, match="only missing or 'unassigned'"):
        CellGraphCLR(positives="kind", **QUICK).fit(adata)
    adata.obs["kind"] = adata.obs_names.to_numpy()
    with pytest.raises(LabelKeyError, match="two cells of one class"):
        CellGraphCLR(positives="kind", **QUICK).fit(adata)
    adata.obsp["spatial_connectivities"] = adata.obsp["spatial_connectivities"] * 0
    with pytest.raises(NoGraphError, match="Expected edges in"):
        CellGraphCLR(positives="neighbors", **QUICK).fit(adata)


def test_the_seed_used_is_kept(adata, tmp_path):
    model = CellGraphCLR(random_state=None, **{**QUICK, "n_dims": np.int64(8)}).fit(adata)
    model.save(tmp_path / "m.safetensors")
    assert CellGraphCLR.load(tmp_path / "m.safetensors").seed_ == model.seed_


def test_fit_transform_takes_the_arguments_of_a_run(adata, tmp_path):
    out = CellGraphCLR(**QUICK).fit_transform(adata, checkpoint=tmp_path / "run.ckpt")
    assert out.shape == (adata.n_obs, 8 + adata.n_vars)
    assert (tmp_path / "run.ckpt").exists()
    with pytest.raises(OptionError, match="`random_state` as a whole number from 0 to .*, found -1"):
        CellGraphCLR(random_state=-1, **QUICK).fit(adata)
    with pytest.raises(OptionError, match="`jitter`"):
        CellGraphCLR(jitter=float("inf"))


@pytest.mark.parametrize(("alone", "n_threads"), [(10**6, 1), (1, 2)])
def test_a_small_graph_is_learned_from_by_one_thread(adata, monkeypatch, alone, n_threads):
    seen = []

    class Threads(lightning.Callback):
        def on_train_batch_end(self, *_args):
            seen.append(torch.get_num_threads())

    monkeypatch.setattr(devices, "ALONE", alone)
    adata.obs["half"] = np.where(np.arange(adata.n_obs) % 2, "a", "b")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model = CellGraphCLR(n_steps=2, progress=False).fit(adata, callbacks=[Threads()])
        head = CellGraphClassifier(model, n_steps=2, calibrate=False, progress=False)
        head.fit(adata, "half", callbacks=[Threads()])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [n_threads] * 4
