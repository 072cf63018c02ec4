"""Examples of docstrings run, and every public loss has one."""

import doctest
import importlib

import pytest

from cellgraph_clr import losses
from cellgraph_clr.losses import functional

MODULES = ("contrastive", "information", "modules", "multi_positive", "noncontrastive", "soft_targets")
PUBLIC = [getattr(losses, n) for n in losses.__all__ if n != "functional"] + [
    getattr(functional, n) for n in functional.__all__
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    result = doctest.testmod(importlib.import_module(f"cellgraph_clr.losses.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("public", PUBLIC, ids=lambda f: f.__name__)
def test_every_public_loss_says_what_it_takes(public):
    for section in ("Parameters\n", "Examples\n", ">>> "):
        assert section in public.__doc__
    described = public.__doc__ if not isinstance(public, type) else public.forward.__doc__ + public.__doc__
    assert "Return" in described
    assert public.__module__.split(".")[-1] in MODULES
