"""What is looked at before work: places, what lies there, outputs that are inputs."""

import os
import re

import pytest

from cellgraph_clr._core.errors import OptionError, OutputError
from cellgraph_clr._core.outputs import check_apart, check_output, not_written


def store(path, *, version=3):
    path.mkdir()
    name, text = (
        ("zarr.json", '{"attributes": {"encoding-type": "anndata"}}'),
        (".zattrs", '{"encoding-type": "anndata"}'),
    )[version == 2]
    (path / name).write_text(text)
    return path


def test_what_can_be_written_is_returned_with_links_followed(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "new").symlink_to("nothing")
    assert check_output(tmp_path / "link") == tmp_path / "a"
    assert check_output(tmp_path / "new") == tmp_path / "nothing"
    (tmp_path / "empty").mkdir()
    for name, kind in (("empty", "store"), ("empty", "folder"), ("later", "store"), ("later", "folder")):
        assert check_output(tmp_path / name, kind) == tmp_path / name
    for version in (2, 3):
        check_output(store(tmp_path / f"v{version}", version=version), "store")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "empty", "link", "new", "v2", "v3"]


@pytest.mark.parametrize("kind", ["file", "model", "store", "folder"])
def test_a_folder_that_is_missing_is_named_and_not_made(tmp_path, kind):
    missing = re.escape(str(tmp_path / "new"))
    with pytest.raises(
        OutputError, match=f"the folder of '{missing}/x' to be there, found no folder '{missing}'. Make it"
    ):
        check_output(tmp_path / "new" / "x", kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "kind", "found"),
    [
        (lambda p: p.mkdir(), "file", "a folder there"),
        (lambda p: p.write_text("x"), "store", "a file there"),
        (lambda p: p.write_text("x"), "folder", "a file there"),
        (os.mkfifo, "file", "no file"),
        (lambda p: p.symlink_to(p), "file", "no file"),
        (lambda p: (p.mkdir(), (p / "notes.txt").touch()), "store", "something else than an AnnData"),
        (lambda p: (p.mkdir(), (p / "zarr.json").write_text("[]")), "store", "something else than an AnnData"),
        (lambda p: (p.mkdir(), (p / ".zattrs").write_text("{")), "store", "something else than an AnnData"),
    ],
)
def test_what_lies_there_is_not_replaced(tmp_path, make, kind, found):
    path = tmp_path / "x.zarr"
    make(path)
    with pytest.raises(OutputError, match=rf"Expected '.*x\.zarr' to be writable, found .*{found}"):
        check_output(path, kind)


def test_paths_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    for path, reason in (
        (tmp_path / "file" / "x", "Not a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
        (tmp_path / ("x" * 300) / "y", "File name too long"),
        (f"{tmp_path}/a\0b", "null"),
        ("/proc/nothing", "No such file|not permitted|denied"),
    ):
        with pytest.raises(OutputError, match=reason):
            check_output(path)


def test_a_write_protected_file_or_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "x").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(OutputError, match="a write-protected file"):
        check_output(tmp_path / "x")
    with pytest.raises(OutputError, match="a write-protected folder"):
        check_output(tmp_path, "folder")


def test_reasons_and_remedies():
    assert "found No space left on device. Free some space" in str(not_written("x", OSError(28, os.strerror(28))))
    assert "found two lines. Choose another path" in str(not_written("x", "two\nlines"))


def test_outputs_are_apart_from_inputs_and_from_one_another(tmp_path, monkeypatch):
    a, b = tmp_path / "a.h5ad", tmp_path / "b.h5ad"
    a.touch()
    (tmp_path / "link.h5ad").symlink_to(a)
    os.link(a, tmp_path / "hard.h5ad")
    check_apart([b, None], [a, None])
    monkeypatch.chdir(tmp_path)
    for same in (a, tmp_path / "link.h5ad", tmp_path / "hard.h5ad", "a.h5ad", "./x/../a.h5ad", f"{a}/"):
        with pytest.raises(OptionError, match="another file to write than those read"):
            check_apart([same], [a])
        with pytest.raises(OptionError, match="places of their own"):
            check_apart([a, same], [])
    with pytest.raises(OptionError, match="places of their own"):
        check_apart([tmp_path / "s.zarr", tmp_path / "s.zarr" / "model"], [])
    with pytest.raises(OptionError, match="places of their own"):
        check_apart([tmp_path / "s.zarr" / "model", tmp_path / "s.zarr"], [])


def test_outputs_inside_of_inputs(tmp_path):
    labels = tmp_path / "labels.zarr"
    labels.mkdir()
    (labels / ".zarray").touch()
    with pytest.raises(OptionError, match=r"found in\.h5ad in labels\.zarr"):
        check_apart([labels / "in.h5ad"], [labels])
    with pytest.raises(OptionError, match="another file to write"):
        check_apart([labels], [labels / "0"])
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.tif").touch()
    (images / "p.h5ad").touch()
    check_apart([images / "p.h5ad", images / "new.model"], [images])  # beside the images
    with pytest.raises(OptionError, match=r"found a\.tif in images"):
        check_apart([images / "a.tif"], [images])
