"""Whole runs: killed and resumed, shared by two processes, stopped early, in bfloat16, fine-tuned."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from cellgraph_clr import write
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, ModelFileError, NonFiniteError, OptionError
from cellgraph_clr.models import CellGraphCLR

QUICK = {"n_steps": 12, "n_dims": 8, "n_hidden": 16, "batch_size": 64, "progress": False}
SLOWLY = """
import sys, time
import torch
torch.set_num_threads(1)
from cellgraph_clr import read
from cellgraph_clr.models import CellGraphCLR
from cellgraph_clr.training.watchers import KeepRun
CellGraphCLR(n_steps=12, n_dims=8, n_hidden=16, batch_size=64, progress=False)
keep = KeepRun.on_train_batch_end
def slow(self, *args):
    keep(self, *args)
    time.sleep(0.2)
KeepRun.on_train_batch_end = slow
model = CellGraphCLR(n_steps=12, n_dims=8, n_hidden=16, batch_size=64, progress=False)
model.fit(read(sys.argv[1]), checkpoint=sys.argv[2], checkpoint_every=3)
"""


def weights(model):
    return np.concatenate([p.detach().numpy().ravel() for p in model.encoder().parameters()])


def test_a_killed_run_ends_with_the_same_weights(adata, tmp_path):
    write(adata, tmp_path / "cells.h5ad")
    saved = tmp_path / "run.ckpt"
    run = subprocess.Popen([sys.executable, "-W", "ignore", "-c", SLOWLY, tmp_path / "cells.h5ad", saved])
    while not saved.exists() and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert saved.exists()
    resumed = CellGraphCLR(**QUICK).fit(adata, checkpoint=saved)
    straight = CellGraphCLR(**QUICK).fit(adata)
    np.testing.assert_array_equal(weights(resumed), weights(straight))
    assert resumed.history_ == straight.history_
    again = CellGraphCLR(**QUICK).fit(adata, checkpoint=saved)  # the run is over: nothing is left to do
    np.testing.assert_array_equal(weights(again), weights(straight))


def test_checkpoints_of_other_runs_and_halves_are_refused(adata, tmp_path):
    saved = tmp_path / "run.ckpt"
    CellGraphCLR(**QUICK).fit(adata, checkpoint=saved, checkpoint_every=5)
    with pytest.raises(ModelFileError, match=r"a checkpoint of this run .*, found one of another run"):
        CellGraphCLR(random_state=1, **QUICK).fit(adata, checkpoint=saved)
    saved.write_bytes(saved.read_bytes()[:-20])
    with pytest.raises(ModelFileError, match="unreadable file"):
        CellGraphCLR(**QUICK).fit(adata, checkpoint=saved)
    CellGraphCLR(**QUICK).fit(adata).save(saved)
    with pytest.raises(ModelFileError, match="a saved training checkpoint, found CellGraphCLR"):
        CellGraphCLR(**QUICK).fit(adata, checkpoint=saved)


@pytest.mark.parametrize("objective", ["infonce_p", "vicreg", "infomax"])
def test_two_processes_give_what_one_gives(adata, objective):
    options = {**QUICK, "n_steps": 4, "objective": objective, "learning_rate": 1e-3}
    one = CellGraphCLR(**options).fit(adata)
    two = CellGraphCLR(n_processes=2, **options).fit(adata)
    np.testing.assert_allclose(two.history_["loss"], one.history_["loss"], rtol=1e-5)
    np.testing.assert_allclose(two.transform(adata), one.transform(adata), atol=2e-5)


def test_bfloat16_stays_near_float32(adata):
    one, half = (CellGraphCLR(precision=p, **QUICK).fit(adata) for p in ("32", "bf16"))
    np.testing.assert_allclose(half.history_["loss"], one.history_["loss"], rtol=0.05)
    assert half.transform(adata).dtype == np.float32
    assert not np.array_equal(half.history_["loss"], one.history_["loss"])
    with pytest.raises(OptionError, match="`precision`"):
        CellGraphCLR(precision="16")


def test_training_stops_when_it_no_longer_helps(adata):
    model = CellGraphCLR(**{**QUICK, "n_steps": 400, "patience": 10, "learning_rate": 0.5}).fit(adata)
    n = len(model.history_["loss"])
    assert n < 400
    assert n % 10 == 0


def test_fine_tuning_starts_from_the_weights(adata):
    model = CellGraphCLR(**{**QUICK, "n_steps": 60}).fit(adata)
    embedded = model.transform(adata)
    model.config = CellGraphCLR(**{**QUICK, "learning_rate": 1e-9}).config
    model.fit(adata, warm_start=True)  # next to nothing is learned, and nothing is forgotten
    np.testing.assert_allclose(model.transform(adata), embedded, atol=1e-4)
    with pytest.raises(CellGraphError, match="a fitted model"):
        CellGraphCLR(**QUICK).fit(adata, warm_start=True)


@pytest.mark.parametrize("encoder", ["gin", "gatv2", "gen"])
def test_every_encoder_trains_and_comes_back(adata, encoder, tmp_path):
    model = CellGraphCLR(encoder=encoder, **QUICK).fit(adata)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        CellGraphCLR.load(tmp_path / "m.safetensors").transform(adata), model.transform(adata)
    )
    edges = [] if encoder == "gin" else ["contact_area", "length"]
    assert model.edge_feature_names_ == edges
    if edges:
        del adata.obsp["spatial_contact_area"]
        del adata.uns["spatial_neighbors"]["contact_area_key"]
        with pytest.raises(ModelFileError, match="missing: contact_area"):
            model.transform(adata)


def test_contact_areas_weigh_positives_only_where_there_are_any(adata):
    one, other = (CellGraphCLR(positive_weights=w, **QUICK).fit(adata) for w in ("contact_area", "closeness"))
    assert not np.array_equal(weights(one), weights(other))
    del adata.obsp["spatial_contact_area"]
    del adata.uns["spatial_neighbors"]["contact_area_key"]
    with pytest.raises(MissingKeyError, match="contact_area"):
        CellGraphCLR(positive_weights="contact_area", **QUICK).fit(adata)
    with pytest.raises(OptionError, match="`positive_weights` with n_hops = 1, found 2"):
        CellGraphCLR(positive_weights="closeness", n_hops=2)


OBJECTIVES = {
    "infonce": {"n_positives": 1},
    "nt_xent": {"positives": "views"},
    "composite_infonce": {},
    "supcon_in": {},
    "vicreg": {},
}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(adata, objective):
    model = CellGraphCLR(objective=objective, **OBJECTIVES[objective], **{**QUICK, "n_steps": 40}).fit(adata)
    loss = model.history_["loss"]
    assert np.mean(loss[-5:]) < np.mean(loss[:5])
    with pytest.raises(OptionError, match="one positive per anchor for 'infonce', found 5"):
        CellGraphCLR(objective="infonce")
    with pytest.raises(OptionError, match="positives='views' for 'nt_xent', found 'both'"):
        CellGraphCLR(objective="nt_xent")
    with pytest.raises(OptionError, match="neighbours among the positives, found 'views'"):
        CellGraphCLR(positives="views", n_hops=3)


def test_a_run_is_told_by_all_that_it_is_made_of(adata, tmp_path):
    saved = tmp_path / "run.ckpt"
    options = {**QUICK, "positives": "true_type", "n_steps": 3}
    CellGraphCLR(**options).fit(adata, checkpoint=saved)
    other = adata.copy()
    other.obs["true_type"] = np.roll(other.obs["true_type"].to_numpy(), 1)
    with pytest.raises(ModelFileError, match="one of another run"):
        CellGraphCLR(**options).fit(other, checkpoint=saved)
    moved = adata.copy()
    moved.obsm["spatial"] = moved.obsm["spatial"] * [1, 3]
    with pytest.raises(ModelFileError, match="one of another run"):
        CellGraphCLR(**options).fit(moved, checkpoint=saved)
    model = CellGraphCLR(**options).fit(adata)
    with pytest.raises(ModelFileError, match="one of another run"):
        model.fit(adata, checkpoint=saved, warm_start=True)


def test_a_run_that_stopped_early_is_over(adata, tmp_path):
    options = {**QUICK, "n_steps": 400, "patience": 10, "learning_rate": 0.5}
    one, again = (CellGraphCLR(**options).fit(adata, checkpoint=tmp_path / "run.ckpt") for _ in range(2))
    assert again.history_ == one.history_
    np.testing.assert_array_equal(weights(again), weights(one))


def test_an_interrupted_fit_leaves_the_model_as_it_was(adata, monkeypatch):
    model = CellGraphCLR(**QUICK).fit(adata)
    before = model.transform(adata)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cellgraph_clr.models.cell_graph.task.ContrastTask.loss", interrupted)
    other = adata.copy()
    other.X = other.X * 7 + 3
    with pytest.raises(KeyboardInterrupt):
        model.fit(other)
    np.testing.assert_array_equal(model.transform(adata), before)


def test_a_loss_that_is_not_finite_is_named(adata):
    with pytest.raises(NonFiniteError, match="a finite loss, found nan"):
        CellGraphCLR(**{**QUICK, "learning_rate": 1e30}).fit(adata)


def test_training_leaves_the_global_generator_alone(adata):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    CellGraphCLR(**QUICK).fit(adata)
    assert torch.equal(torch.get_rng_state(), state)


def test_isolates_and_lengths_are_read_as_they_were_fitted(adata):
    model = CellGraphCLR(edge_lengths=True, **QUICK).fit(adata)
    alone = adata[:1].copy()
    vector = model.transform(alone)
    wide = adata.copy()
    edges = wide.obsp["spatial_connectivities"].tolil()
    edges[0] = 0
    edges[:, 0] = 0
    wide.obsp["spatial_connectivities"] = edges.tocsr()
    wide.obsm["spatial"] = wide.obsm["spatial"] * 10
    np.testing.assert_allclose(model.transform(wide)[:1], vector, atol=1e-5)
    wide.uns["cellgraph_clr"]["unit"] = "nanometer"
    with pytest.raises(ModelFileError, match="lengths in micrometer, as fitted, found nanometer"):
        model.transform(wide)


def test_samples_of_other_units_or_without_edges(adata):
    lone = adata[:1].copy()
    model = CellGraphCLR(encoder="gatv2", **QUICK).fit([adata, lone])
    assert model.edge_feature_names_ == ["contact_area", "length"]
    assert model.transform(lone).shape == (1, 8 + lone.n_vars)
    other = adata.copy()
    other.uns["cellgraph_clr"]["unit"] = "pixel"
    with pytest.raises(CellGraphError, match="samples in one space, found 2D in micrometer beside 2D in pixel"):
        CellGraphCLR(**QUICK).fit([adata, other])


def test_stored_zeros_relate_nobody(adata):
    relation = adata.obsp["spatial_connectivities"].copy()
    relation.data[::2] = 0
    adata.obsp["friends"] = relation
    clean = relation.copy()
    clean.eliminate_zeros()
    adata.obsp["clean"] = clean
    one, other = (CellGraphCLR(positives=k, **QUICK).fit(adata) for k in ("friends", "clean"))
    assert one.history_["loss"] == other.history_["loss"]
