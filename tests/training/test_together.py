"""Tasks in one run learn as each would alone."""

import numpy as np
import pytest
import torch
from torch import nn

from cellgraph_clr.training.run import Runtime, Watch, train
from cellgraph_clr.training.task import Schedule, generators
from cellgraph_clr.training.together import Together


class Line:
    """Learns the slope of a line from rows of its own."""

    schedule = Schedule(12, 0.1, 0.01, "cosine")
    seed = 3

    def __init__(self, slope, n=8):
        self.slope, self.n = slope, n

    def networks(self):
        return {"head": nn.Linear(1, 1)}

    def draw(self, step):
        x = torch.randn(self.n, 1, generator=generators(self.seed, self.n, step)[1])
        return x, self.slope * x

    def loss(self, networks, batch):
        value = (networks["head"](batch[0]) - batch[1]).square().mean()
        return value, {"size": float(self.n)}


@pytest.fixture(scope="module")
def runs():
    tasks = {"all": Line(2.0), "fold1": Line(-1.0, 5), "fold10": Line(5.0, 3)}
    return tasks, train(Together(tasks), Runtime(progress=False))


def test_each_learns_as_it_would_alone(runs):
    tasks, together = runs
    assert sorted(together.networks) == ["all_head", "fold10_head", "fold1_head"]
    first = train(tasks["all"], Runtime(progress=False))
    assert torch.equal(together.networks["all_head"].weight, first.networks["head"].weight)
    assert together.history == first.history
    for name in ("fold1", "fold10"):
        start = together.networks[f"{name}_head"].weight.item()
        assert np.sign(start) == np.sign(tasks[name].slope)


def test_a_run_goes_on_from_its_checkpoint(runs, tmp_path):
    tasks, together = runs
    watch = Watch(tmp_path / "run", every=5)
    again = [train(Together(tasks), Runtime(progress=False, num_workers=n), watch) for n in (1, 0)]
    for name, network in together.networks.items():
        for other in again:
            assert torch.equal(other.networks[name].weight, network.weight)
