"""Batches visit every cell; weights come back as they were, or say why not."""

import numpy as np
import pytest
import torch

from cellgraph_clr._core.errors import MissingFileError, ModelFileError
from cellgraph_clr.cells.table import CellTable
from cellgraph_clr.training.batches import AnchorBatches
from cellgraph_clr.training.weights import load_weights, save_weights


@pytest.mark.parametrize("tiled", [True, False])
def test_every_cell_is_visited_about_equally_often(tiled, rng):
    cells = CellTable.build(np.arange(1000), rng.random((1000, 2)), unit="pixel")
    visits = np.zeros(1000)
    batches = AnchorBatches(cells, batch_size=128, tiled=tiled, seed=0)
    for step in range(80):
        batch = batches(step)
        assert len(np.unique(batch)) == len(batch)
        assert len(batch) <= 128
        visits[batch] += 1
    assert visits.min() >= 6
    assert visits.max() <= 14


@pytest.mark.parametrize("tiled", [True, False])
def test_a_batch_depends_on_seed_and_step_alone(tiled, rng):
    cells = CellTable.build(np.arange(1000), rng.random((1000, 2)), unit="pixel")
    one, other, third = (AnchorBatches(cells, batch_size=128, tiled=tiled, seed=s) for s in (0, 0, 1))
    forwards = [one(step) for step in range(20)]
    for step in reversed(range(20)):
        np.testing.assert_array_equal(other(step), forwards[step])
    assert not all(np.array_equal(third(step), forwards[step]) for step in range(20))


def test_tiles_are_compact(rng):
    cells = CellTable.build(np.arange(1000), rng.random((1000, 2)), unit="pixel")
    batch = AnchorBatches(cells, batch_size=160, tiled=True, seed=0)(0)
    inside = np.zeros(1000, bool)
    inside[batch] = True
    from scipy.spatial import cKDTree

    near = cKDTree(cells.position).query(cells.position[batch], 5)[1][:, 1:]
    assert inside[near].mean() > 0.4  # by chance 0.16


def test_weights_round_trip_and_old_file_survives(tmp_path):
    path = tmp_path / "m.safetensors"
    tensors = {"a": torch.randn(3, 2), "b": torch.arange(4)}
    save_weights(path, tensors, {"kind": "Thing", "x": [1, 2]})
    back, header = load_weights(path, "Thing")
    assert header["x"] == [1, 2]
    for name, value in tensors.items():
        assert torch.equal(back[name], value)
    with pytest.raises(TypeError):
        save_weights(path, tensors, {"kind": {1, 2}})  # a set is no JSON
    assert load_weights(path, "Thing")[1]["x"] == [1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_bad_files_are_named(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(MissingFileError, match="found nothing there"):
        load_weights(path, "Thing")
    save_weights(path, {"a": torch.ones(100)}, {"kind": "Thing"})
    with pytest.raises(ModelFileError, match="a saved Other, found Thing"):
        load_weights(path, "Other")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ModelFileError, match="unreadable file"):
        load_weights(path, "Thing")
