"""What is told, and how much of it."""

import logging

import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log
from cellgraph_clr._core.settings import Settings


@pytest.fixture
def settings():
    """Settings of their own, whose handler is taken away again."""
    level, handlers = log.level, list(log.handlers)
    yield Settings()
    log.setLevel(level)
    for handler in set(log.handlers) - set(handlers):
        log.removeHandler(handler)


def test_keys_are_told_once_where_asked_for_and_not_else(settings, capsys):
    adata = cgc.datasets.tissue(30, random_state=0).adata()
    cgc.gr.contact_graph(adata)
    assert capsys.readouterr().err == ""
    settings.verbosity = "info"
    settings.verbosity = 2
    cgc.gr.contact_graph(adata)
    told = capsys.readouterr()
    assert told.err.count("obsp['spatial_connectivities']") == 1
    assert told.err.startswith("gr.contact_graph wrote ")
    assert told.out == ""
    settings.verbosity = "warning"
    cgc.gr.contact_graph(adata)
    assert capsys.readouterr().err == ""


def test_levels_by_name_and_number(settings):
    for number, name in enumerate(("error", "warning", "info", "debug")):
        settings.verbosity = number
        assert settings.verbosity == name
        assert log.level == getattr(logging, name.upper())
    assert repr(settings) == "Settings(verbosity='debug')"


@pytest.mark.parametrize("value", [4, -1, True, "loud", None, 1.0])
def test_other_levels_are_refused(settings, value):
    with pytest.raises(OptionError, match="'error', 'warning', 'info', 'debug', or 0 to 3"):
        settings.verbosity = value
    assert settings.verbosity == "warning"
