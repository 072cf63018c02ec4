"""Every benchmark runs once, at its smallest size."""

import importlib

import pytest

from benchmarks.__main__ import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_benchmark_runs(name, capsys, monkeypatch):
    monkeypatch.delenv("CELLGRAPH_DATA", raising=False)
    importlib.import_module(f"benchmarks.{name}").run(size="small", data=None)
    assert capsys.readouterr().out
