"""Folders exchanged in one step, or by two renames; other writers that come between."""

import errno
import os
from pathlib import Path

import pytest

from cellgraph_clr._core import renames
from cellgraph_clr._core.errors import OutputError
from cellgraph_clr._core.renames import put_folder


def store(path, text):
    path.mkdir(parents=True)
    (path / "zarr.json").write_text('{"attributes": {"encoding-type": "anndata"}}')
    (path / "a").write_text(text)
    return path


@pytest.fixture(params=["exchange", "two renames"])
def way(request, monkeypatch):
    if request.param == "two renames":
        monkeypatch.setattr(renames.sys, "platform", "other")
    return request.param


def test_the_new_is_there_and_the_old_is_kept_aside(tmp_path, way):
    new, target, aside = store(tmp_path / "p" / "new", "1"), tmp_path / "t", tmp_path / "p" / "old" / "t"
    put_folder(new, target, aside=aside)
    assert not new.exists()
    put_folder(store(new, "2"), target, aside=aside)
    assert (target / "a").read_text() == "2"
    assert ((aside if way == "two renames" else new) / "a").read_text() == "1"


def test_something_else_is_not_replaced(tmp_path, way):
    target = tmp_path / "t"
    target.mkdir()
    (target / "notes").touch()
    with pytest.raises(OutputError):
        put_folder(store(tmp_path / "new", "1"), target, aside=tmp_path / "old")
    assert (target / "notes").exists()


def test_a_writer_that_comes_between_two_renames(tmp_path, monkeypatch):
    monkeypatch.setattr(renames.sys, "platform", "other")
    new, target = store(tmp_path / "new", "mine"), store(tmp_path / "t", "old")
    aside = tmp_path / "p" / "t"
    rename, calls = Path.rename, []

    def between(path, to):
        calls.append(path.name)
        if path == target and len(calls) == 2:  # another one takes it away, and puts its own there
            rename(target, tmp_path / "taken")
            store(target, "other")
        if path == new and len(calls) == 3:
            store(target, "third")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", between)
    put_folder(new, target, aside=aside)
    assert (target / "a").read_text() == "mine"


def test_an_exchange_that_the_system_refuses(tmp_path, monkeypatch):
    new, target = store(tmp_path / "new", "1"), store(tmp_path / "t", "0")
    for number, done in ((errno.EINVAL, False), (errno.ENOSYS, False)):
        monkeypatch.setattr(renames.ctypes, "get_errno", lambda number=number: number)
        assert renames._exchanged(new, tmp_path / "nothing") is done
    monkeypatch.setattr(renames.ctypes, "get_errno", lambda: errno.EBUSY)
    with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        put_folder(new, target, aside=tmp_path / "old") if renames._exchanged(new, tmp_path / "nothing") else None
