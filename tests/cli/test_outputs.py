"""What commands write: looked at before work, results before models, one line and a code for what fails."""

import errno
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from cellgraph_clr import cli, gr, read, write
from cellgraph_clr._core.errors import FileFormatError, OptionError, OutputError
from cellgraph_clr.cli import app as app_module
from cellgraph_clr.models.cell_graph.model import CellGraphCLR


def command(*words):
    """Run a command in this process; returns its exit code."""
    sys.argv = ["cellgraph-clr", *map(str, words)]
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


@pytest.fixture
def files(tissue_2d, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [])
    adata = tissue_2d.adata()
    gr.contact_graph(adata)
    write(adata, tmp_path / "a.h5ad")
    labels = np.asarray(tissue_2d.image.labels)
    tifffile.imwrite(tmp_path / "cells.tif", labels)
    zarr.save_array(tmp_path / "cells.zarr", labels)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").touch()
    write(adata, tmp_path / "other.h5ad")
    tifffile.imwrite(tmp_path / "picture.csv", labels)
    Image.fromarray(labels.astype(np.uint16)).save(tmp_path / "cells.png")
    (tmp_path / "text.h5ad").write_text("not HDF5")
    (tmp_path / "page.html").write_text("<html>notes</html>")
    (tmp_path / "table.csv").write_text("x,y\n1,2\n")
    np.save(tmp_path / "raw.npy", np.zeros((4, 8, 8)))
    return tmp_path


BEFORE = [  # command, error; none of them may read or compute
    ("measure cells.zarr -o cells.zarr", OutputError),
    ("measure cells.tif -o out.csv", FileFormatError),
    ("measure cells.zarr -o cells.zarr/in.h5ad", OptionError),
    ("measure cells.tif --image a.h5ad -o a.h5ad", OptionError),
    ("graph a.h5ad -o out.csv", FileFormatError),
    ("graph a.h5ad --labels cells.zarr -o cells.zarr", OutputError),
    ("graph a.h5ad -o a.h5ad", OptionError),
    ("embed a.h5ad -o out.csv", FileFormatError),
    ("embed a.h5ad -o b.h5ad --save-model folder", OutputError),
    ("embed a.h5ad -o b.h5ad --save-model b.h5ad", OptionError),
    ("embed a.h5ad -o b.h5ad --save-model m --checkpoint m", OptionError),
    ("embed a.h5ad --in-place --save-model a.h5ad", OptionError),
    ("embed a.h5ad --in-place --checkpoint folder", OutputError),
    ("embed a.h5ad -o b.h5ad --model m --save-model m", OptionError),
    ("classify a.h5ad kind -o table.csv/x.h5ad", OutputError),
    ("cluster a.h5ad -o out", FileFormatError),
    ("retrieve a.h5ad 5 -o b.h5ad --table folder", OutputError),
    ("retrieve a.h5ad 5 --table a.h5ad", OptionError),
    ("retrieve a.h5ad 5 --in-place --table a.h5ad", OptionError),
    ("table table.csv --position x,y -o table.h5ad/../out.csv", FileFormatError),
    ("plot a.h5ad -o picture", OptionError),
    ("plot a.h5ad -o folder", OutputError),
    ("plot a.h5ad --image raw.npy -o raw.npy", OptionError),
    ("events raw.npy --model m --table raw.npy", OptionError),
    ("events raw.npy --model m --table folder", OutputError),
    ("events raw.npy --model m --labels cells.tif --table t.csv -o out.csv", FileFormatError),
    ("profile folder -o out.csv", FileFormatError),
    ("profile folder -o p.h5ad --save-model folder/notes.txt", OptionError),
    ("demo -o table.csv", OutputError),
    ("demo -o new/folder", OutputError),
    ("measure cells.tif -o new/x.h5ad", OutputError),
    ("graph a.h5ad -o new/x.zarr", OutputError),
    ("embed a.h5ad -o b.h5ad --save-model new/m.safetensors", OutputError),
    ("embed a.h5ad -o b.h5ad --checkpoint new/run.ckpt", OutputError),
    ("retrieve a.h5ad 5 --table new/t.csv", OutputError),
    ("plot a.h5ad -o new/x.png", OutputError),
    ("report a.h5ad -o new/x.html", OutputError),
    ("report a.h5ad -o page.html", OutputError),
    ("measure cells.tif -o text.h5ad", OutputError),
    ("embed a.h5ad -o b.h5ad --save-model table.csv", OutputError),
    ("embed a.h5ad -o b.h5ad --save-model other.h5ad", OutputError),
    ("embed a.h5ad -o b.h5ad --save-model new.h5ad", OptionError),
    ("embed a.h5ad -o b.h5ad --save-model new", OptionError),
    ("profile folder -o p.h5ad --save-model new.bin", OptionError),
    ("retrieve a.h5ad 5,7 --reference other.h5ad --in-place", OptionError),
    ("retrieve a.h5ad 5 --table cells.tif", OptionError),
    ("retrieve a.h5ad 5 --table other.h5ad", OptionError),
    ("retrieve a.h5ad 5 --table picture.csv", OutputError),
    ("interactions a.h5ad kind --table cells.tif", OptionError),
    ("interactions a.h5ad kind --table other.h5ad", OptionError),
    ("events raw.npy --model m --table cells.tif", OptionError),
    ("plot a.h5ad -o cells.tif", OptionError),
    ("plot a.h5ad -o new.tiff", OptionError),
    ("plot a.h5ad -o cells.png", OutputError),
    ("concat a.h5ad -o new.h5ad", OptionError),
]


@pytest.mark.parametrize(("words", "error"), BEFORE)
def test_outputs_are_looked_at_before_anything_is_read(words, error, files, monkeypatch, capsys):
    def work(*_, **__):
        raise AssertionError("work began")

    monkeypatch.chdir(files)
    from cellgraph_clr import io
    from cellgraph_clr.cli import demo_colon
    from cellgraph_clr.io import anndata_files, cells, tables

    monkeypatch.setattr(anndata_files, "read", work)
    monkeypatch.setattr(cells, "from_labels", work)
    monkeypatch.setattr(tables, "from_table", work)
    monkeypatch.setattr(io, "read_movie", work)
    monkeypatch.setattr(io, "read_plate", work)
    monkeypatch.setattr(demo_colon, "run_colon", work)
    before = {p: p.stat().st_mtime_ns for p in sorted(files.rglob("*"))}
    assert command(*words.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{error.__name__}: Expected ")
    assert len(said.splitlines()) == 1
    assert {p: p.stat().st_mtime_ns for p in sorted(files.rglob("*"))} == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("embed", "Missing argument 'path'. See `.* embed --help`."),
        ("embed a.h5ad --nope 3 -o b.h5ad", "No such option: --nope .*. See `.* embed --help`."),
        ("embed a.h5ad --n-steps x -o b.h5ad", "Invalid value for '--n-steps': .*. See `.* embed --help`."),
        ("nothing", "No such command 'nothing'. See `.* --help`."),
        ("--nothing", "No such option: --nothing.* See `.* --help`."),
    ],
)
def test_wrong_usage_is_one_line(words, line, files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    assert command(*words.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(f"UsageError: {line}\n", said.err), said.err


def test_results_are_written_before_a_model_that_cannot_be(files, monkeypatch, capsys):
    def full(self, path):
        raise OutputError("Expected room.")

    monkeypatch.setattr(CellGraphCLR, "save", full)
    model = files / "m.safetensors"
    assert command("embed", files / "a.h5ad", "-o", files / "b.h5ad", "--n-steps", 1, "--save-model", model) == 2
    said = capsys.readouterr()
    assert said.err == f"OutputError: Expected room. The results were written: {files / 'b.h5ad'}.\n"
    assert "X_cellgraph" in read(files / "b.h5ad").obsm


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(errno.EIO, os.strerror(errno.EIO)), 2, "OSError: [Errno 5] Input/output error"),
        (MemoryError("3 TiB"), 3, "MemoryError: 3 TiB"),
        (MemoryError(), 3, "MemoryError: out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory:\nyou"), 3, "MemoryError: DefaultCPUAllocator"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (SystemExit(143), 143, "Terminated"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, "BrokenPipeError"),
        (OptionError("two\nlines"), 2, "OptionError: two lines"),
    ],
)
def test_what_fails_ends_in_one_line_and_a_code(error, code, line, files, monkeypatch, capsys):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("cellgraph_clr.io.anndata_files.read", fails)
    assert command("inspect", files / "a.h5ad") == code
    said = capsys.readouterr().err
    assert said.strip().splitlines()[-1].startswith(line)
    assert len(said.strip().splitlines()) == 1


def test_what_nobody_foresaw_is_shown_as_it_is(files, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("cellgraph_clr.io.anndata_files.read", fails)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        command("inspect", files / "a.h5ad")


def start(*words, **options):
    words = [sys.executable, "-m", "cellgraph_clr", *map(str, words)]
    options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, text=True, preexec_fn=_heed_interrupts, **options)


def _heed_interrupts():
    """Undo what a shell does to what it starts in the background: those ignore Ctrl-C, and so do their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_closed_pipe(files):
    closed = start("inspect", files / "a.h5ad")
    closed.stdout.close()
    with closed:
        assert closed.stderr.read() == "BrokenPipeError: nobody reads what is printed.\n"
    assert closed.returncode == 141


def test_an_interrupt(files):
    checkpoint = files / "c.ckpt"
    long = start("embed", files / "a.h5ad", "-o", files / "b.h5ad", "--n-steps", 10**6, "--checkpoint", checkpoint)
    until = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < until:
        time.sleep(0.05)
    long.send_signal(signal.SIGINT)
    said = long.communicate(timeout=120)[1]
    assert long.returncode == 130
    assert said.splitlines()[-1] == "Interrupted: what was being written was not replaced."
    assert "Traceback" not in said
    assert not (files / "b.h5ad").exists()


def test_the_codes_are_documented():
    assert cli.__doc__ is not None
    for code in ("0", "1", "2", "3", "130", "141", "143"):
        assert f"\n{code} " in cli.__doc__
        assert f" {code} " in app_module.app.info.epilog
