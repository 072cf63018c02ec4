"""The command line: the path from a label file to regions, help at once, errors in one line."""

import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from cellgraph_clr import read
from cellgraph_clr.cli.app import app

COMMANDS = ("demo", "inspect", "measure", "graph", "embed", "classify", "retrieve", "cluster", "doctor")


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_path_from_labels_to_regions(tissue_2d, tmp_path):
    image = tissue_2d.image
    tifffile.imwrite(tmp_path / "labels.tif", image.labels)
    np.save(tmp_path / "image.npy", image.image)
    cells = tmp_path / "cells.h5ad"
    options = ("--spacing", "1,1", "--unit", "micrometer")
    assert "144 cells" in run(
        "measure", tmp_path / "labels.tif", "-o", cells, "--image", tmp_path / "image.npy", *options
    )
    assert "edges" in run("graph", cells)
    run("embed", cells, "--n-steps", 5, "--save-model", tmp_path / "m.safetensors")
    assert "follows the layout" in run("inspect", cells)
    run("embed", cells, "--model", tmp_path / "m.safetensors", "--key-added", "again")
    adata = read(cells)
    np.testing.assert_array_equal(adata.obsm["again"], adata.obsm["X_cellgraph"])
    adata.obs["kind"] = tissue_2d.truth.loc[adata.obs["cell_id"], "niche"].to_numpy()
    adata.write_h5ad(cells)
    assert "niche 0" in run("classify", cells, "kind")
    run("cluster", cells, "--n-clusters", 3)
    assert "rank" in run("retrieve", cells, "5,7", "--k", 3, "--table", tmp_path / "found.csv")
    assert (tmp_path / "found.csv").read_text().count("\n") == 4
    assert "retrieval_rank" in read(cells).obs
    run("retrieve", cells, "kind=niche 1", "--regions")
    back = read(cells)
    assert {"kind_pred", "leiden", "retrieval_region"} <= set(back.obs)
    assert "retrieval_rank" not in back.obs  # the answer to the older question
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("method", ["delaunay", "knn", "radius"])
def test_other_graphs(tissue_2d, tmp_path, method):
    tissue_2d.adata().write_h5ad(tmp_path / "a.h5ad")
    run("graph", tmp_path / "a.h5ad", "--method", method, "-o", tmp_path / "b.h5ad")
    assert read(tmp_path / "b.h5ad").uns["spatial_neighbors"]["params"]["method"] == method
    assert "spatial_connectivities" not in read(tmp_path / "a.h5ad").obsp


def test_inspect_describes_labels(tmp_path):
    np.save(tmp_path / "l.npy", np.eye(5, dtype=np.uint16) * 9)
    with pytest.warns(UserWarning, match="1 pixel is assumed"):
        assert "1 cells in 5 x 5 uint16, spacing 1 x 1 pixel" in run("inspect", tmp_path / "l.npy")


def process(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "cellgraph_clr", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_errors_are_one_line(tmp_path):
    result = process("graph", tmp_path / "none.h5ad")
    assert result.returncode == 2
    assert result.stderr.startswith("MissingFileError: Expected a file or folder at")
    assert "Traceback" not in result.stderr


def test_help_names_every_command():
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        result = process("--help")
        best = min(best, time.perf_counter() - start)
    assert all(name in result.stdout for name in COMMANDS)
    assert best < 0.5  # seconds, the best of three


def test_doctor_runs_the_smallest_job():
    output = run("doctor")
    assert "sound" in output
    assert "torch-geometric" in output
