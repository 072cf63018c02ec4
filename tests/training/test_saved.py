"""Files that were changed after they were written: every fault has a name, and nothing is built of them."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cellgraph_clr import datasets
from cellgraph_clr._core.errors import ModelFileError
from cellgraph_clr.gr import knn_graph
from cellgraph_clr.models import CellGraphClassifier, CellGraphCLR
from cellgraph_clr.training.checkpoints import SafeCheckpoints
from cellgraph_clr.training.weights import load_weights, save_weights


@pytest.fixture(scope="module")
def adata():
    cells = datasets.tissue(120, ndim=2, random_state=0).adata()
    knn_graph(cells)
    return cells


@pytest.fixture(scope="module")
def model(adata):
    return CellGraphCLR(n_steps=2, n_dims=8, n_hidden=8, progress=False).fit(adata)


def _changed(model, path, *, header=None, tensors=None):
    """Save a model whose header and tensors were changed, with a hash that fits them."""
    old_tensors, old_header = model.state()
    save_weights(path, {**old_tensors, **(tensors or {})}, {**old_header, **(header or {})})
    return path


@pytest.mark.parametrize("text", ["[]", "5", "null", '"a"', "{", "{}", "nothing", '{"kind": "CellGraphCLR"}'])
def test_headers_that_are_none(model, tmp_path, text):
    tensors, _ = model.state()
    save_file(tensors, str(tmp_path / "m"), metadata={"cellgraph_clr": text})
    with pytest.raises(ModelFileError):
        CellGraphCLR.load(tmp_path / "m")


@pytest.mark.parametrize("name", ["config", "seed", "about", "history", "networks", "models"])
@pytest.mark.parametrize("value", [None, "a", [3], {"a": 1}, -1])
def test_fields_of_another_kind(model, tmp_path, name, value):
    if (name, value) in [("history", {"a": 1}), ("models", {"a": 1})]:
        pytest.skip("a history of another figure; models that are not asked for")
    with pytest.raises(ModelFileError):
        CellGraphCLR.load(_changed(model, tmp_path / "m", header={name: value}))


@pytest.mark.parametrize(
    "option",
    [
        {"n_layers": 10_000_000},
        {"n_hidden": 10_000_000},
        {"n_dims": 9},
        {"n_layers": "a"},
        {"encoder": "x"},
        {"new": 1},
    ],
)
def test_a_configuration_of_another_network_is_refused_before_it_is_built(model, tmp_path, option):
    config = {**model.state()[1]["config"], **option}
    with pytest.raises(ModelFileError):
        CellGraphCLR.load(_changed(model, tmp_path / "m", header={"config": config}))


def test_weights_of_another_shape_dtype_or_value(model, tmp_path):
    name, weight = next((k, v) for k, v in model.state()[0].items() if k.startswith("encoder") and v.ndim == 2)
    wrong = [
        weight[:-1],
        weight.double(),
        weight.new_full(weight.shape, torch.nan),
        weight.new_full(weight.shape, torch.inf),
    ]
    for value in wrong:
        with pytest.raises(ModelFileError, match="weights of `encoder`"):
            CellGraphCLR.load(_changed(model, tmp_path / "m", tensors={name: value.contiguous()}))
    tensors, header = model.state()
    tensors.pop(name)
    with pytest.raises(ModelFileError, match="weights of `encoder`"):
        CellGraphCLR.from_state(tensors, header)


def test_a_changed_byte_is_found(model, adata, tmp_path):
    model.save(tmp_path / "m")
    whole, rng = (tmp_path / "m").read_bytes(), np.random.default_rng(0)
    for place in rng.integers(len(whole), size=80):
        (tmp_path / "m").write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ModelFileError):
            CellGraphCLR.load(tmp_path / "m")


def test_a_model_inside_another_is_checked_alike(model, adata, tmp_path):
    adata.obs["kind"] = np.where(np.arange(adata.n_obs) % 2, "a", "b")
    outer = CellGraphClassifier(model, n_steps=2, calibrate=False, progress=False).fit(adata, "kind")
    for models in ({}, {"base": 3}, {"base": {"kind": "CellGraphCLR"}}):
        with pytest.raises(ModelFileError):
            CellGraphClassifier.load(_changed(outer, tmp_path / "m", header={"models": models}))
    again = CellGraphClassifier.load(_changed(outer, tmp_path / "m"))
    np.testing.assert_array_equal(again.predict_proba(adata), outer.predict_proba(adata))


def test_checkpoints_are_checked_alike(adata, tmp_path):
    path, options = tmp_path / "run", {"n_steps": 4, "n_dims": 8, "progress": False}
    CellGraphCLR(**options).fit(adata, checkpoint=path)
    tensors, header = load_weights(path, "training checkpoint")
    held = json.loads(header["checkpoint"])
    for name in ("run", "state_dict", "optimizer_states", "loops", "global_step"):
        for changed in ({k: v for k, v in held.items() if k != name}, {**held, name: 3.5}):
            save_weights(path, tensors, {**header, "checkpoint": json.dumps(changed)})
            with pytest.raises(ModelFileError):
                CellGraphCLR(**options).fit(adata, checkpoint=path)
    for text in ("[]", "{", '{"__tensor__": "x"}'):
        save_weights(path, tensors, {**header, "checkpoint": text})
        with pytest.raises(ModelFileError):
            SafeCheckpoints().load_checkpoint(path)


def test_weights_that_are_tied_are_written_once_each(tmp_path):
    weight = torch.arange(6.0).reshape(2, 3)
    save_weights(tmp_path / "m", {"a": weight, "b": weight, "c": weight[1], "d": weight.T}, {"kind": "Thing"})
    back, _ = load_weights(tmp_path / "m", "Thing")
    for name, value in {"a": weight, "b": weight, "c": weight[1], "d": weight.T}.items():
        assert torch.equal(back[name], value)
    with safe_open(str(tmp_path / "m"), framework="pt") as file:
        assert set(file.metadata()) == {"cellgraph_clr"}


def test_the_same_model_is_the_same_bytes(tmp_path):
    """Several keys of metadata would be written in an order by chance."""
    header = {"kind": "Thing", "b": [1.5, None], "a": {"z": 1, "y": "\u00e9"}, "c": {2: "two", 10: "ten"}}
    files = {tmp_path / str(k) for k in range(12)}
    for path in files:
        save_weights(path, {"w": torch.arange(4.0)}, header)
    assert len({path.read_bytes() for path in files}) == 1
    assert load_weights(files.pop(), "Thing")[1] == json.loads(json.dumps(header))
