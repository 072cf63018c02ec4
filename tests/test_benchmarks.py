"""Every benchmark runs once, at its smallest size, and returns rows that can be kept."""

import importlib

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.rows import Row, read, this_run, write


@pytest.mark.parametrize("name", NAMES)
def test_the_benchmark_runs(name, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("CELLGRAPH_DATA", raising=False)
    rows = importlib.import_module(f"benchmarks.{name}").run(size="small", data=None)
    out = capsys.readouterr().out
    assert all(isinstance(row, Row) and row.benchmark == name for row in rows)
    assert rows or "needs --data" in out
    assert len({row.key for row in rows}) == len(rows)
    write(name, rows, this_run("here"), tmp_path)
    assert read(name, tmp_path)[0] == list(rows)
    assert all(row.text in out for row in rows)
