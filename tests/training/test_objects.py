"""Objects of a user's are told by what they are made of, alike in every process."""

import os
import subprocess
import sys
from functools import partial

import torch
from torch import nn

from cellgraph_clr.training.objects import identity

SCRIPT = """
from cellgraph_clr.training.objects import identity
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
