"""What a task says of its training is checked before it starts."""

import numpy as np
import pytest
import torch
from torch import nn

from cellgraph_clr._core.errors import OptionError, TaskError
from cellgraph_clr.training.run import Runtime, train
from cellgraph_clr.training.task import Schedule


class Line:
    """Fits a line; `draw` can be told to fail."""

    seed = 0

    def __init__(self, *, drawn=lambda step: torch.ones(2, 1), **schedule):
        self.drawn = drawn
        self.schedule = Schedule(**{"n_steps": 3, "learning_rate": 0.1, "weight_decay": 0.0, **schedule})

    def networks(self):
        return {"line": nn.Linear(1, 1)}

    def draw(self, step):
        return self.drawn(step)

    def loss(self, networks, batch):
        return networks["line"](batch).square().mean(), {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 0}, "`n_steps`"),
        ({"n_steps": 1.5}, "`n_steps`"),
        ({"patience": 0}, "`patience`"),
        ({"learning_rate": 0}, "`learning_rate`"),
        ({"learning_rate": float("nan")}, "`learning_rate`"),
        ({"weight_decay": -1}, "`weight_decay`"),
        ({"shape": "linear"}, "`shape`"),
        ({"rates": {"line": -1}}, r"rates\['line'\]"),
    ],
)
def test_schedules_are_checked(options, message):
    with pytest.raises(OptionError, match=message):
        Line(**options)


def test_a_rate_of_no_network_is_named():
    with pytest.raises(TaskError, match=r"'lime' in `Task.networks`.*Did you mean 'line'"):
        train(Line(rates={"lime": 0.5}), Runtime(progress=False))


def test_a_rate_of_nothing_leaves_a_network_as_it_is():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = nn.Linear(1, 1).weight.detach()
    still, moved = (train(Line(rates={"line": r}), Runtime(progress=False)).networks["line"] for r in (0.0, 1.0))
    assert torch.equal(still.weight, first)
    assert not torch.equal(moved.weight, first)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_draw_that_gives_nothing_ends_with_a_name(num_workers):
    for wrong, message in [(lambda step: next(iter([])), "StopIteration at step"), (lambda step: None, "None at step")]:
        with pytest.raises(TaskError, match=message):
            train(Line(drawn=wrong), Runtime(progress=False, num_workers=num_workers))


def test_numbers_of_numpy_are_taken():
    assert Schedule(np.int64(3), np.float32(0.5), 0.0).n_steps == 3
