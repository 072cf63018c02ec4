"""Vectors gathered over processes: values, gradients, no second derivative."""

import pytest
import torch
from torch import distributed

from cellgraph_clr.training.distributed import _Gather, gathered


@pytest.fixture
def alone():
    """A group of one process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_a_second_derivative_of_gathered_rows_raises(alone):
    own = torch.randn(5, 3, requires_grad=True)
    rows = _Gather.apply(torch.nn.functional.normalize(own, dim=1), 5)
    torch.testing.assert_close(rows, torch.nn.functional.normalize(own, dim=1))
    (slope,) = torch.autograd.grad(rows.pow(3).sum(), own, create_graph=True)
    with pytest.raises(RuntimeError, match="Expected a first derivative"):
        torch.autograd.grad(slope.square().sum(), own)


def test_alone_rows_come_back_as_they_are():
    own = torch.randn(5, 3)
    assert gathered(own, 5) is own
