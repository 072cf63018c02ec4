"""What commands say as JSON is what was computed, and options do what the page says."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellgraph_clr import pp, read, tl, write
from cellgraph_clr.adata.keys import RAW_LAYER
from cellgraph_clr.cli.app import app
from cellgraph_clr.cli.said import begin, finish, say


def run(*words):
    result = CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_holds_numbers_as_they_are(capsys):
    table = pd.DataFrame(
        {
            "p_value": [3.03e-13, np.nan, np.inf],
            "third": [1 / 3, -np.inf, 0.0],
            "n": [2**60, 1, 2],
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "kind": pd.Categorical(["a", None, "b"]),
            "is_it": [True, False, True],
        }
    )
    begin(as_json=True, quiet=False)
    say("", table=table, counts=pd.Series([1, 2.5e-12], index=[5, "b"]), chance=np.float64(1e-15))
    finish()
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["counts"] == {"5": 1, "b": 2.5e-12}
    assert found["chance"] == 1e-15
    rows = found["table"]
    assert [r["p_value"] for r in rows] == [3.03e-13, None, None]
    assert [r["third"] for r in rows] == [1 / 3, None, 0.0]
    assert [r["n"] for r in rows] == [2**60, 1, 2]
    assert [r["whole"] for r in rows] == [1, None, 3]
    assert [r["kind"] for r in rows] == ["a", None, "b"]
    assert [r["is_it"] for r in rows] == [True, False, True]


def test_rows_say_which_cell_they_are(cells, tmp_path):
    adata = read(cells)
    del adata.obs["cell_id"]
    adata.obs_names = [f"cell {i}" for i in range(adata.n_obs)]
    adata.write_h5ad(tmp_path / "b.h5ad")
    words = ("retrieve", tmp_path / "b.h5ad", "kind=niche 1", "--k", 3, "--table", tmp_path / "t.csv", "--json")
    rows = json.loads(run(*words))["table"]
    assert [r["obs_name"] for r in rows] == pd.read_csv(tmp_path / "t.csv").iloc[:, 0].tolist()
    assert {r["obs_name"] for r in rows} <= set(adata.obs_names)


def test_features_are_scaled_wherever_they_are_read(cells, tmp_path):
    for number, (options, is_scaled) in enumerate(
        [
            (["--use-rep", "X"], True),
            (["--use-rep", "X,X_cellgraph"], True),
            (["--use-rep", "X_cellgraph"], False),
            (["--use-rep", "X,X_cellgraph", "--no-scale"], False),
        ]
    ):
        out = tmp_path / f"{number}.h5ad"
        run("context", cells, "--no-learn", "--n-types", 4, *options, "-o", out)
        assert (RAW_LAYER in read(out).layers) == is_scaled, options


def test_a_command_is_the_call_in_python_after_scaling(cells, tmp_path):
    run("context", cells, "--no-learn", "--n-types", 4, "-o", tmp_path / "b.h5ad")
    run("context", cells, "--no-learn", "--n-types", 4, "--no-scale", "-o", tmp_path / "c.h5ad")
    plain, scaled = read(cells), read(cells)
    pp.scale_features(scaled, impute="median")
    for adata, name in ((scaled, "b.h5ad"), (plain, "c.h5ad")):
        tl.context(adata, learn=False, n_types=4)
        np.testing.assert_array_equal(read(tmp_path / name).obsm["X_context"], adata.obsm["X_context"])
    for function, command in ((tl.context, "context"), (tl.embed, "embed")):
        said = " ".join(function.__doc__.split())
        assert (
            f'`pp.scale_features(adata, impute="median")` takes them away, and is what the command `cellgraph-clr {command}`'
            in said
        )


def test_none_is_none_for_numbers(cells, tmp_path):
    run("context", cells, "--no-learn", "--n-types", "none", "-o", tmp_path / "b.h5ad")
    assert '"n_types": null' in str(read(tmp_path / "b.h5ad").uns["cellgraph_clr"]["runs"])
    run("interactions", cells, "kind", "--radius", "none", "-o", tmp_path / "c.h5ad")
    run("transfer", cells, cells, "kind", "--min-confidence", "none", "-o", tmp_path / "d.h5ad")
    assert '"min_confidence": null' in str(read(tmp_path / "d.h5ad").uns["cellgraph_clr"]["runs"])
    run("retrieve", cells, "kind=niche 1", "--reference", "none", "-o", tmp_path / "e.h5ad")
    run("plot", tmp_path / "e.h5ad", "--kind", "retrieval", "--query", "none", "-o", tmp_path / "e.png")
    text = " ".join(CliRunner().invoke(app, ["context", "--help"]).output.split())
    assert "--n-types INTEGER|none" in text


@pytest.mark.parametrize("name", ["retrieve", "plot"])
def test_help_says_what_a_query_may_be(name):
    text = " ".join(CliRunner().invoke(app, [name, "--help"]).output.split())
    assert "Cell ids separated by commas (12,15), or column=value" in text
    assert "bool mask" not in text


@pytest.mark.parametrize("name", ["embed", "context"])
def test_help_says_when_features_are_scaled(name):
    text = " ".join(CliRunner().invoke(app, [name, "--help"]).output.split())
    assert "where X is read" in text


def test_a_reference_is_never_written_over_the_query(cells, tmp_path):
    write(read(cells)[:5].copy(), tmp_path / "five.h5ad")
    before = cells.read_bytes()
    words = ["retrieve", cells, "5,7", "--reference", tmp_path / "five.h5ad", "--in-place"]
    done = CliRunner().invoke(app, [str(w) for w in words])
    assert done.exit_code != 0
    assert "`--output` beside `--reference`, found `--in-place`" in str(done.exception)
    assert cells.read_bytes() == before
