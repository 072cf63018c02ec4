"""Objects of a user's are told by what they are made of, alike in every process."""

import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from torch import nn

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.training.objects import built, identity

SCRIPT = """
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.training.objects import built, identity
held = type("Held", (), {})()
held.names = {"one", "two", "three"}
print(identity([lambda x: x in {"a", "b", "c"} and held.names]), identity(held))
"""


def test_it_is_alike_in_every_process():
    def told(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, env=environment).stdout

    assert told("1") == told("2")


def test_what_an_object_holds_tells_it():
    def adding(number):
        return lambda x: x + number

    def itself(depth):
        return itself(depth - 1) if depth else 0

    class Scaled(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

    weights = nn.Linear(2, 2)
    moved = nn.Linear(2, 2)
    moved.load_state_dict({k: v.flip(0) for k, v in weights.state_dict().items()})
    one = [adding(1), partial(adding, 1), Scaled(1), weights, torch.arange(3), lambda x=1: x, itself]
    other = [adding(2), partial(adding, 2), Scaled(2), moved, torch.arange(3).flip(0), lambda x=2: x, adding]
    for a, b in zip(one, other, strict=True):
        assert identity(a) == identity(a) != identity(b)


class _Extra(nn.Linear):
    def get_extra_state(self):
        return "text"

    def set_extra_state(self, state):
        pass


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda *_: nn.LazyLinear(3), "weights of known sizes in `encoder`, found a lazy module"),
        (lambda *_: _Extra(2, 2), "tensors in the state of `encoder`, found _extra_state"),
        (nn.Linear(2, 2).bfloat16(), "float32 weights in `encoder`, found torch.bfloat16"),
        (nn.Linear(2, 2).double(), "float32 weights in `encoder`, found torch.float64"),
        (lambda *_: 3, "a torch module from `encoder`, found int"),
    ],
)
def test_networks_that_cannot_be_trained_and_kept_are_named(network, message):
    with pytest.raises(OptionError, match=message):
        built(network, 2, 2, option="encoder")
