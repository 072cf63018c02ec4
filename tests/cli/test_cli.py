"""The command line: the path from a label file to regions, help at once, errors in one line."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tifffile
from typer.testing import CliRunner

from cellgraph_clr import read
from cellgraph_clr.cli.app import app

COMMANDS = (
    "demo",
    "inspect",
    "measure",
    "graph",
    "embed",
    "classify",
    "retrieve",
    "cluster",
    "doctor",
    "table",
    "plot",
    "report",
)


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
    over = ("--in-place",)
    assert "edges" in run("graph", cells, *over)
    run("embed", cells, "--n-steps", 5, "--save-model", tmp_path / "m.safetensors", *over)
    assert "follows the layout" in run("inspect", cells)
    run("embed", cells, "--model", tmp_path / "m.safetensors", "--key-added", "again", *over)
    adata = read(cells)
    np.testing.assert_array_equal(adata.obsm["again"], adata.obsm["X_cellgraph"])
    adata.obs["kind"] = tissue_2d.truth.loc[adata.obs["cell_id"], "niche"].to_numpy()
    adata.write_h5ad(cells)
    assert "niche 0" in run("classify", cells, "kind", "--method", "soft_infonce", *over)
    run("cluster", cells, "--n-clusters", 3, *over)
    before = cells.read_bytes()
    result = CliRunner().invoke(app, ["cluster", str(cells), "--n-clusters", "0", *over])
    assert result.exit_code != 0
    assert "`n_clusters`" in str(result.exception)
    assert "rank" in run("retrieve", cells, "5,7", "--k", 3, "--table", tmp_path / "found.csv")
    assert (tmp_path / "found.csv").read_text().count("\n") == 4
    assert cells.read_bytes() == before  # a question changes nothing
    run("retrieve", cells, "5,7", "--k", 3, *over)
    assert "retrieval_rank" in read(cells).obs
    run("retrieve", cells, "kind=niche 1", "--regions", *over)
    back = read(cells)
    assert {"kind_pred", "leiden", "retrieval_region"} <= set(back.obs)
    assert "retrieval_rank" not in back.obs  # the answer to the older question
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("method", ["delaunay", "knn", "radius"])
def test_other_graphs(tissue_2d, tmp_path, method):
    tissue_2d.adata().write_h5ad(tmp_path / "a.h5ad")
    more = ("--radius", "20") if method == "radius" else ()
    run("graph", tmp_path / "a.h5ad", "--method", method, *more, "-o", tmp_path / "b.h5ad")
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
    result = process("graph", tmp_path / "none.h5ad", "--in-place")
    assert result.returncode == 2
    assert result.stderr.startswith("MissingFileError: Expected a file or folder at")
    assert "Traceback" not in result.stderr


def test_help_names_every_command_and_loads_nothing_heavy():
    code = (
        "import sys; from cellgraph_clr.cli import main; sys.argv = ['cellgraph-clr', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *(m for m in ('numpy', 'torch', 'pandas', 'anndata', 'numba', 'matplotlib') if m in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in result.stdout for name in COMMANDS)
    assert result.stdout.splitlines()[-1] == "LOADED"


def test_where_to_write_is_asked_before_work(tissue_2d, tmp_path):
    tissue_2d.adata().write_h5ad(tmp_path / "a.h5ad")
    for command in (("graph",), ("embed",), ("classify", "kind"), ("cluster",)):
        result = process(command[0], tmp_path / "a.h5ad", *command[1:])
        assert result.returncode == 2
        assert "OptionError: Expected either `--output` or `--in-place`, found neither" in result.stderr
    clash = process("retrieve", tmp_path / "a.h5ad", "5", "--table", tmp_path / "a.h5ad")
    assert "another file to write than those read, found a.h5ad" in clash.stderr
    assert read(tmp_path / "a.h5ad").n_obs
    assert "found both" in process("graph", tmp_path / "a.h5ad", "--in-place", "-o", tmp_path / "b.h5ad").stderr


def test_labels_take_the_scale_of_the_cells(tmp_path):
    labels = np.zeros((40, 60), np.uint16)
    labels[5:35, 5:24], labels[5:35, 25:50] = 1, 2  # a pixel of background between
    tifffile.imwrite(tmp_path / "l.tif", labels)
    run("measure", tmp_path / "l.tif", "--spacing", "0.5", "--unit", "um", "-o", tmp_path / "a.h5ad")
    run("graph", tmp_path / "a.h5ad", "--labels", tmp_path / "l.tif", "--max-gap", "0.5", "--in-place")
    back = read(tmp_path / "a.h5ad")
    assert back.obsp["spatial_contact_area"].max() == pytest.approx(30 * 0.5)
    assert back.uns["cellgraph_clr"]["unit"] == "micrometer"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_and_pictures(tmp_path, suffix):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": range(5, 65), "x": rng.random(60), "y": rng.random(60), "CD3": rng.random(60)})
    table["kind"] = ["a", "b"] * 30
    path = tmp_path / f"cells{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    run("table", path, "--position", "x,y", "--cell-id", "id", "--unit", "um", "-o", tmp_path / "a.h5ad")
    back = read(tmp_path / "a.h5ad")
    assert list(back.var_names) == ["CD3"]
    assert back.obs["cell_id"].tolist() == table["id"].tolist()
    assert back.obs["kind"].tolist() == table["kind"].tolist()
    np.testing.assert_allclose(back.obsm["spatial"], table[["x", "y"]])
    run("plot", tmp_path / "a.h5ad", "--color", "kind,CD3", "-o", tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 5000
    assert "Save the table as one" in process("table", tmp_path / "p.png", "--position", "x,y", "-o", "b.h5ad").stderr


def test_a_page_of_what_is_in_a_file(tissue_2d, tmp_path):
    tissue_2d.adata().write_h5ad(tmp_path / "a.h5ad")
    np.save(tmp_path / "image.npy", tissue_2d.image.image[:2])
    tifffile.imwrite(tmp_path / "labels.tif", tissue_2d.image.labels)
    options = ("--labels", tmp_path / "labels.tif", "--image", tmp_path / "image.npy", "--embedding", "spatial")
    page = tmp_path / "a.html"
    assert "MB)" in run("report", tmp_path / "a.h5ad", "-o", page, "--features", "area", "--title", "<b>T", *options)
    text = page.read_text()
    assert "&lt;b&gt;T" in text
    assert '"outlines"' in text
    assert '"name":"perimeter"' not in text
    assert "End it in .html" in process("report", tmp_path / "a.h5ad", "-o", tmp_path / "a.pdf").stderr
    assert "another file to write" in process("report", page, "-o", page).stderr


def test_doctor_lists_the_licenses_of_all_that_is_needed():
    lines = run("doctor", "--licenses").splitlines()
    named = {line.split()[0]: line for line in lines[:-1]}
    assert named.keys() >= {
        "cellgraph-clr",
        "torch",
        "numpy",
        "igraph",
        "llvmlite",
        "setuptools",
    }  # the last two by others
    assert "BSD-3-Clause" in named["cellgraph-clr"]
    assert lines[-1].startswith("copyleft: ")
    assert "igraph" in lines[-1]
    assert "numpy" not in lines[-1]


def test_a_quick_demo_goes_with_the_data_that_ship(tmp_path):
    done = CliRunner().invoke(app, ["demo", "--quick", "--data", str(tmp_path), "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "leave out --data or --quick" in done.output
    assert not (tmp_path / "out").exists()


def test_doctor_runs_the_smallest_job():
    output = run("doctor")
    assert "sound" in output
    assert "torch-geometric" in output
