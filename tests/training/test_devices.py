"""Devices by name, generators and threads given back as they were."""

import pytest
import torch

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.training import devices
from cellgraph_clr.training.devices import one_thread, reseed, seeded, threads_for, usable_device


def test_devices_are_checked_by_use():
    assert usable_device("cpu") == "cpu"
    assert usable_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert usable_device("cpu:0") == usable_device(torch.device("cpu")) == "cpu"
    for name in ("gpu", "cuda:99", "", "cpu:x", "meta", None, b"cpu", 3):
        with pytest.raises(OptionError, match="a usable `device`.*Pass 'auto' or 'cpu'"):
            usable_device(name)


def test_a_seed_lasts_as_long_as_its_block():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with seeded(7):
        first = torch.rand(4)
    with pytest.raises(ZeroDivisionError), seeded(7):
        assert torch.equal(torch.rand(4), first)
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(4), first)


def test_reseeding_is_seeding():
    with seeded(0):
        torch.manual_seed(11)
        expected = torch.rand(4)
        reseed(11, torch.device("cpu"))
        assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("n", [1, 2])
def test_threads_are_given_back(n):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with pytest.raises(ZeroDivisionError), one_thread():
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError
        assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(before)


def test_few_cells_have_one_thread_and_many_all():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threads_for(devices.ALONE - 1):
            assert torch.get_num_threads() == 1
        with threads_for(devices.ALONE):
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
