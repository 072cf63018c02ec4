"""The writer: what was there stays until the new is whole, nothing is left, links and modes stay."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cellgraph_clr._core import files, renames
from cellgraph_clr._core.errors import OutputError
from cellgraph_clr._core.files import replacing


def put(path, text="new", *, folder=False):
    with replacing(path, folder=folder) as beside:
        if folder:
            beside.mkdir()
            (beside / ".zattrs").write_text('{"encoding-type": "anndata"}')
            (beside / "a").write_text(text)
        else:
            beside.write_text(text)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_link_stays_one(tmp_path):
    (tmp_path / "deep").mkdir()
    real = tmp_path / "deep" / "real"
    real.write_text("old")
    (tmp_path / "link").symlink_to("deep/real")
    put(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert real.read_text() == "new"
    put(tmp_path / "deep" / "store", folder=True)
    (tmp_path / "folder").symlink_to("deep/store")
    put(tmp_path / "folder", "newer", folder=True)
    assert (tmp_path / "folder").is_symlink()
    assert (tmp_path / "deep" / "store" / "a").read_text() == "newer"
    assert names(tmp_path) == ["deep", "folder", "link"]


@pytest.mark.parametrize("folder", [False, True])
def test_modes_are_kept_and_new_ones_are_those_of_the_umask(tmp_path, folder):
    before = os.umask(0o027)
    try:
        put(tmp_path / "x", folder=folder)
        assert mode(tmp_path / "x") == (0o750 if folder else 0o640)
        (tmp_path / "x").chmod(0o700)
        put(tmp_path / "x", folder=folder)
        assert mode(tmp_path / "x") == 0o700
    finally:
        os.umask(before)


def test_what_is_not_ours_is_refused_before_the_work(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes").touch()
    for folder in (False, True):
        with pytest.raises(OutputError), replacing(tmp_path / "x", folder=folder):
            raise AssertionError("work began")
    assert names(tmp_path / "x") == ["notes"]


def test_what_came_to_be_there_during_the_work_is_not_replaced(tmp_path):
    with (
        pytest.raises(OutputError, match="something else than an AnnData"),
        replacing(tmp_path / "x", folder=True) as b,
    ):
        b.mkdir()
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "notes").touch()
    assert names(tmp_path / "x") == ["notes"]
    assert names(tmp_path) == ["x"]


def test_errors_of_the_system_are_named(tmp_path):
    put(tmp_path / "x", "old")
    said = r"'.*x' to be writable, found No space left on device\. Free some space"
    with pytest.raises(OutputError, match=said), replacing(tmp_path / "x"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (tmp_path / "x").read_text() == "old"
    assert names(tmp_path) == ["x"]


def test_names_of_the_greatest_length(tmp_path):
    put(tmp_path / ("x" * 255))
    put(tmp_path / ("y" * 255), folder=True)
    assert len(names(tmp_path)) == 2


def left_by(pid, machine=None):
    return f".cellgraph_clr-{machine or files._machine()}-{pid}-0123abcd.part"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    over = subprocess.Popen([sys.executable, "-c", ""])
    over.wait()
    dead = [left_by(over.pid), left_by(os.getpid())]  # the second by one that had our number
    alive = {left_by(os.getppid()), left_by(1)}  # which may be the same
    kept = [*alive, left_by(over.pid, "00000000"), ".cellgraph_clr-notes", "other.part"]
    for name in (*dead, *kept):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside").touch()
    with replacing(tmp_path / "y") as outer:  # one's own, at work
        outer.write_text("y")
        put(tmp_path / "x")
    assert names(tmp_path) == sorted([*kept, "x", "y"])


def test_a_store_that_was_moved_aside_is_put_back(tmp_path):
    over = subprocess.Popen([sys.executable, "-c", ""])
    over.wait()
    for name in ("gone.zarr", "there.zarr"):
        (tmp_path / left_by(over.pid) / "old" / name).mkdir(parents=True)
        (tmp_path / left_by(over.pid) / "old" / name / "old").touch()
    (tmp_path / "there.zarr").mkdir()
    (tmp_path / "there.zarr" / "new").touch()
    put(tmp_path / "x")
    assert names(tmp_path) == ["gone.zarr", "there.zarr", "x"]
    assert names(tmp_path / "gone.zarr") == ["old"]
    assert names(tmp_path / "there.zarr") == ["new"]


def test_all_is_on_the_disk_before_the_rename(tmp_path, monkeypatch):
    done = []
    real_sync = os.fsync

    def note(handle):
        done.append(str(Path(f"/proc/self/fd/{handle}").readlink()).rpartition("/new/")[2])
        real_sync(handle)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(files, "put_folder", lambda *a, **k: (done.append("rename"), renames.put_folder(*a, **k)))
    put(tmp_path / "s", folder=True)
    assert sorted(done[:3]) == ["s", "s/.zattrs", "s/a"]
    assert done[2:] == ["s", "rename", str(tmp_path)]
    done.clear()
    put(tmp_path / "f")
    assert done == ["f", str(tmp_path)]
