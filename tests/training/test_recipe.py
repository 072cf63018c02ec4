"""Configurations by name, hashes of runs, and what every learner does, on one that adds numbers: its file and its form."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

from cellgraph_clr._core.errors import CellGraphError, MissingFileError, ModelFileError, OptionError
from cellgraph_clr.training.objects import built
from cellgraph_clr.training.recipe import Fitted, Recipe, config_of, run_digest
from cellgraph_clr.training.weights import load_weights, save_weights


@dataclass(frozen=True)
class Some:
    """Two fields."""

    width: int = 3
    rate: float = 0.1


def test_options_become_a_configuration():
    assert config_of(Some, {"width": 5}) == Some(5, 0.1)
    with pytest.raises(OptionError, match="'widht' in `Some`"):
        config_of(Some, {"widht": 5})


def test_runs_differ_by_what_they_are_and_learn_from(rng):
    x = rng.normal(size=(3, 4))
    base = run_digest({"a": 1}, [x])
    assert base == run_digest({"a": 1}, [x.copy()])
    others = [run_digest({"a": 2}, [x]), run_digest({"a": 1}, [x.T]), run_digest({"a": 1}, [x.astype(np.float32)])]
    assert base not in others


@dataclass(frozen=True)
class AdderConfig:
    """A number and a network."""

    width: int = 3
    layer: str | nn.Module | Callable[[int], nn.Module] = "linear"


class Adder(Recipe[AdderConfig]):
    """Learns the mean of what it is given."""

    config_class = AdderConfig

    def fit(self, x):
        """Return self."""
        torch.manual_seed(self.random_state)
        networks = self._new_networks({"width": self.config.width})
        history = {"loss": [2.0, 1.0]}
        self._state = Fitted(networks, history, self.random_state, {"width": self.config.width}, {"mean": x.mean(0)})
        return self

    def _new_networks(self, about):
        layer = self.config.layer
        kind = nn.Linear(about["width"], 2) if layer == "linear" else built(layer, about["width"], option="layer")
        return {"encoder": nn.Sequential(kind, nn.Dropout(0.5))}


class Pair(Recipe[AdderConfig]):
    """Holds an `Adder`."""

    config_class = AdderConfig
    models = {"base": Adder}  # noqa: RUF012 - never changed

    def __init__(self, base, **options):
        super().__init__(**options)
        self.base = base

    def fit(self):
        """Return self."""
        self._state = Fitted(self._new_networks({}), {"loss": [0.5]}, 9)
        return self

    def _new_networks(self, about):
        return {"head": nn.Linear(2, 2)}


def wide(n):
    """Return a layer."""
    return nn.Linear(n, 2, bias=False)


@dataclass
class Data:
    x: np.ndarray = field(default_factory=lambda: np.arange(6.0).reshape(2, 3).astype(np.float32))


@pytest.fixture
def x():
    return Data().x


def test_a_model_comes_back_from_its_file(tmp_path, x):
    model = Adder(random_state=7, device="cpu").fit(x)
    path = tmp_path / "m.safetensors"
    model.save(path)
    state = torch.get_rng_state()
    back = Adder.load(path, device="cpu")
    assert torch.equal(torch.get_rng_state(), state)
    assert back.config == model.config
    assert (back.seed_, back.random_state, back.device) == (7, 7, "cpu")
    assert back.history_ == {"loss": [2.0, 1.0]}
    np.testing.assert_array_equal(back._fitted().arrays["mean"], x.mean(0))
    assert not any(m.training for m in back.network().modules())
    for key, value in model.network().state_dict().items():
        assert torch.equal(back.network().state_dict()[key], value)
    with pytest.raises(OptionError, match="'head' in `networks`, found 'encoder'"):
        back.network("head")


def test_models_within_models_come_back(tmp_path, x):
    pair = Pair(Adder(random_state=5).fit(x), width=4).fit()
    pair.save(tmp_path / "p.safetensors")
    back = Pair.load(tmp_path / "p.safetensors")
    assert (back.seed_, back.base.seed_, back.config.width, back.base.config.width) == (9, 5, 4, 3)
    for one, other in ((back.network("head"), pair.network("head")), (back.base.network(), pair.base.network())):
        for key, value in other.state_dict().items():
            assert torch.equal(one.state_dict()[key], value)
    assert repr(pair) == "Pair(Adder(width=3, layer='linear'), width=4, layer='linear')"


def test_what_was_not_fitted_says_so(tmp_path):
    model = Adder()
    assert (model.history_, model.seed_) == ({}, 0)
    for call in (model.network, model.state, lambda: model.save(tmp_path / "m.safetensors")):
        with pytest.raises(CellGraphError, match="a fitted model, found one that was not fitted"):
            call()
    assert not list(tmp_path.iterdir())


def test_its_form_is_that_of_the_constructor():
    assert repr(Adder(width=5)) == "Adder(width=5, layer='linear')"
    assert eval(repr(Adder(width=5))).config == AdderConfig(5)
    assert repr(Adder(layer=wide)) == "Adder(width=3, layer=wide)"
    assert repr(Adder(layer=nn.Linear(3, 2))) == "Adder(width=3, layer=Linear)"
    assert Adder(width=np.int64(5), layer=wide).options == {"width": 5, "layer": "custom: wide"}
    with pytest.raises(OptionError, match="'widht' in `AdderConfig`.*Did you mean 'width'"):
        Adder(widht=5)


@pytest.mark.parametrize("layer", [wide, wide(3)], ids=["callable", "module"])
def test_objects_of_ones_own_are_asked_for_again(tmp_path, x, layer):
    path = tmp_path / "m.safetensors"
    model = Adder(layer=layer).fit(x)
    model.save(path)
    name = "wide" if layer is wide else "Linear"
    with pytest.raises(ModelFileError, match=rf"the objects layer={name}, found .*weights alone\. Pass them to `load`"):
        Adder.load(path)
    back = Adder.load(path, layer=layer)
    assert back.config.layer is layer
    assert torch.equal(back.network()[0].weight, model.network()[0].weight)
    with pytest.raises(OptionError, match="'width' in `objects of the saved model`"):
        Adder.load(path, layer=layer, width=4)
    with pytest.raises(ModelFileError, match="the weights of `encoder`, found those of another network"):
        Adder.load(path, layer=nn.Linear(3, 2))


def test_a_module_of_ones_own_is_copied(x):
    mine = nn.Linear(3, 2)
    kept = mine.weight.detach().clone()
    first, second = (built(mine, 3, option="layer") for _ in range(2))
    with torch.no_grad():
        first.weight.zero_()
    assert torch.equal(mine.weight, kept)
    assert torch.equal(second.weight, kept)
    assert built(wide, 4, option="layer").weight.shape == (2, 4)
    with pytest.raises(OptionError, match="a torch module from `layer`, found int"):
        built(lambda n: n, 4, option="layer")


@pytest.mark.parametrize(("version", "which"), [(None, "an earlier"), (1, "an earlier"), (3, "a later")])
def test_files_of_other_versions_are_refused_by_name(tmp_path, x, version, which):
    path = tmp_path / "m.safetensors"
    Adder().fit(x).save(path)
    tensors, header = load_weights(path, "Adder")
    header = {k: v for k, v in header.items() if k != "format"} | ({} if version is None else {"format": version})
    save_weights(path, tensors, json.loads(json.dumps(header)))
    with pytest.raises(
        ModelFileError, match=f"a model of this version, found one that {which} version saved. Fit the model again"
    ):
        Adder.load(path)


def test_files_of_others_are_refused(tmp_path, x):
    path = tmp_path / "m.safetensors"
    with pytest.raises(MissingFileError):
        Adder.load(path)
    Adder().fit(x).save(path)
    with pytest.raises(ModelFileError, match="a saved Pair, found Adder"):
        Pair.load(path)
