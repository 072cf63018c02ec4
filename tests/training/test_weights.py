"""Weights come back as they were, or say why not."""

import resource

import pytest
import torch

from cellgraph_clr._core.errors import MissingFileError, ModelFileError, OptionError, OutputError
from cellgraph_clr.training.weights import load_weights, save_weights


def test_weights_round_trip_and_old_file_survives(tmp_path):
    path = tmp_path / "m.safetensors"
    tensors = {"a": torch.randn(3, 2), "b": torch.arange(4)}
    save_weights(path, tensors, {"kind": "Thing", "x": [1, 2]})
    back, header = load_weights(path, "Thing")
    assert header["x"] == [1, 2]
    for name, value in tensors.items():
        assert torch.equal(back[name], value)
    with pytest.raises(OptionError, match=r"JSON can hold, found \{1, 2\} \(set\)"):
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


def test_a_disk_that_refuses_is_named_and_the_old_file_stays(tmp_path):
    path = tmp_path / "m.safetensors"
    save_weights(path, {"a": torch.ones(3)}, {"kind": "Thing"})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"m\.safetensors' to be writable, found .*File too large"):
            save_weights(path, {"a": torch.ones(10_000)}, {"kind": "Thing"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_weights(path, "Thing")[0]["a"].tolist() == [1, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
