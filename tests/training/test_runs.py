"""Whole runs: killed and resumed, shared by two processes, stopped early, in bfloat16, fine-tuned."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cellgraph_clr import write
from cellgraph_clr._core.errors import CellGraphError, MissingKeyError, ModelFileError, OptionError
from cellgraph_clr.models import CellGraphCLR

QUICK = {"n_steps": 12, "n_dims": 8, "n_hidden": 16, "batch_size": 64, "progress": False}
SLOWLY = """
import sys, time
import torch
torch.set_num_threads(1)
from cellgraph_clr import read
from cellgraph_clr.models import CellGraphCLR
from cellgraph_clr.training.module import Checkpoints
CellGraphCLR(n_steps=12, n_dims=8, n_hidden=16, batch_size=64, progress=False)
keep = Checkpoints.on_train_batch_end
def slow(self, *args):
    keep(self, *args)
    time.sleep(0.2)
Checkpoints.on_train_batch_end = slow
model = CellGraphCLR(n_steps=12, n_dims=8, n_hidden=16, batch_size=64, progress=False)
model.fit(read(sys.argv[1]), checkpoint=sys.argv[2], checkpoint_every=3)
"""


def weights(model):
    return np.concatenate([p.detach().numpy().ravel() for p in model._encoder.parameters()])


def test_a_killed_run_ends_with_the_same_weights(adata, tmp_path):
    write(adata, tmp_path / "cells.h5ad")
    saved = tmp_path / "run.ckpt"
    run = subprocess.Popen([sys.executable, "-W", "ignore", "-c", SLOWLY, tmp_path / "cells.h5ad", saved])
    start = time.monotonic()
    while not saved.exists() and time.monotonic() - start < 120:
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


@pytest.mark.parametrize("objective", ["infonce_p", "vicreg"])
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


OBJECTIVES = {"infonce": {"n_positives": 1}, "nt_xent": {}, "composite_infonce": {}, "supcon_in": {}, "vicreg": {}}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(adata, objective):
    model = CellGraphCLR(objective=objective, **OBJECTIVES[objective], **{**QUICK, "n_steps": 40}).fit(adata)
    loss = model.history_["loss"]
    assert np.mean(loss[-5:]) < np.mean(loss[:5])
    with pytest.raises(OptionError, match="one positive per anchor for 'infonce', found 5"):
        CellGraphCLR(objective="infonce")
