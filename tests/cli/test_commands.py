"""Commands are the functions: options, defaults and names are those of the signatures, and every function has its command."""

import inspect
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import typer
from typer.testing import CliRunner

import cellgraph_clr as cgc
from cellgraph_clr import read, write
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr.analysis.context import ContextOptions
from cellgraph_clr.cli.app import NAMES, app
from cellgraph_clr.cli.commands import COMMANDS, LEFT_OUT, NO_COMMAND
from cellgraph_clr.cli.options import HELP, option_of, parsed
from cellgraph_clr.cli.signatures import Parameter, parameters_of
from cellgraph_clr.training.recipe import Recipe

BUILT = typer.main.get_command(app).commands
ELSEWHERE = {"training.recipe.Recipe": Recipe, "analysis.context.ContextOptions": ContextOptions}
SOURCES = sorted({d for c in COMMANDS.values() for d in (*c.functions.values(), *c.configs)})


def run(*words):
    result = CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def made(dotted):
    found = ELSEWHERE.get(dotted, cgc)
    for part in [] if dotted in ELSEWHERE else dotted.split("."):
        found = getattr(found, part, None) or getattr(cgc.models.classifiers, part)
    return found


@pytest.mark.parametrize("dotted", SOURCES)
def test_signatures_read_from_source_are_those_of_python(dotted):
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    value = made(dotted)
    written = value.__init__ if inspect.isclass(value) else inspect.unwrap(value)
    real = {n: p for n, p in inspect.signature(written).parameters.items() if p.kind not in kinds and n != "self"}
    found = {p.name: p for p in parameters_of(dotted)}
    assert list(found) == list(real)
    for name, p in real.items():
        assert (found[name].default == "") == (p.default is p.empty), name
        if p.default is not p.empty and isinstance(p.default, (str, int, float, tuple, bool, type(None))):
            assert eval(found[name].default) == p.default, name
        assert found[name].help or name in HELP or name in LEFT_OUT, f"{dotted}({name}) is not described"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_of_a_function_is_one_of_its_command(name):
    command = COMMANDS[name]
    options = {p.name for p in BUILT[name].params}
    for dotted in (*command.functions.values(), *command.configs):
        for p in parameters_of(dotted):
            left_out = LEFT_OUT.get(p.name) or command.left_out.get(p.name)
            is_there = p.name in options and p.name not in ("path", "output")  # which every command has
            assert is_there != bool(left_out), f"{name}: {dotted}({p.name}=)"
    known = {p.name for dotted in (*command.functions.values(), *command.configs) for p in parameters_of(dotted)}
    assert set(command.left_out) <= known


def test_every_function_has_a_command_or_a_reason():
    called = {f for c in COMMANDS.values() for f in c.functions.values()}
    face = {f"{part}.{n}" for part in ("gr", "im", "pl", "pp", "tl") for n in getattr(cgc, part).__all__}
    face |= {n for n in cgc.__all__ if inspect.isfunction(getattr(cgc, n))}
    face = {n for n in face if not inspect.isclass(made(n))}
    assert sorted(face - called - set(NO_COMMAND)) == []
    assert sorted(set(NO_COMMAND) - (face - called)) == []
    assert all(NO_COMMAND.values())


def test_names_are_those_of_the_design():
    assert tuple(BUILT) == NAMES
    named = "demo inspect measure table concat split graph embed context interactions classify transfer cluster retrieve morpho "
    named += "events profile plot report doctor"
    assert tuple(named.split()) == NAMES


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_an_example_that_is_a_command(name):
    text = CliRunner().invoke(app, [name, "--help"]).output
    example = COMMANDS[name].example
    assert example in text
    program, first, *words = shlex.split(example)
    assert (program, first) == ("cellgraph-clr", name)
    BUILT[name].make_context(name, words)
    hand_written = [o for p in BUILT[name].params for o in p.opts if o.startswith("--") and not p.help]
    assert hand_written == []


CLOCKED = """
import resource, sys
from cellgraph_clr.cli import main

sys.argv = ["cellgraph-clr", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("LOADED", *{"numpy", "torch", "pandas", "anndata", "numba"} & set(sys.modules))
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["embed", "--help"], ["classify", "--help"], ["plot", "--help"]]
)
def test_help_and_version_answer_at_once(words):
    took = []
    for _ in range(3):  # seconds of the processor: other work does not count
        done = subprocess.run([sys.executable, "-c", CLOCKED, *words], capture_output=True, text=True, check=True)
        *_, loaded, seconds = done.stdout.splitlines()
        assert loaded == "LOADED"
        took.append(float(seconds))
    assert min(took) < 0.5


def test_the_version_is_that_of_the_package():
    assert run("--version") == f"cellgraph-clr {cgc.__version__}\n"


@pytest.mark.parametrize(
    ("annotation", "typed", "value"),
    [
        ("float | Sequence[float] | None", "0.5", 0.5),
        ("float | Sequence[float] | None", "2,0.5", [2.0, 0.5]),
        ("str | Sequence[str] | None", ["X"], "X"),
        ("str | Sequence[str] | None", ["X,Y"], ("X", "Y")),
        ("str | Sequence[str] | None", ["X", "Y,Z"], ("X", "Y", "Z")),
        ("str | tuple[str, ...]", ['"X, Y"'], "X, Y"),
        ("Sequence[str]", ["X"], ("X",)),
        ("Sequence[str] | None", ['"a, ""b""",c d,5"'], ('a, "b"', "c d", '5"')),
        ("Sequence[str]", [""], ("",)),
        ("tuple[int, ...]", "1,2", (1, 2)),
        ("int | Literal['auto']", "auto", "auto"),
        ("int | Literal['auto']", "7", 7),
        ("float | Literal['auto'] | None", "0.25", 0.25),
        ("float | Literal['auto'] | None", "none", None),
        ("Literal['training', 'estimated'] | Mapping[str, float]", "a=0.25,b=0.75", {"a": 0.25, "b": 0.75}),
        ("Literal['training', 'estimated'] | Mapping[str, float]", "estimated", "estimated"),
        (
            "Literal['training', 'estimated'] | Mapping[str, float]",
            '"a, b=0.25",c=d=0.75',
            {"a, b": 0.25, "c=d": 0.75},
        ),
        ("str | None", "none of these", "none of these"),
        ("int | None", "none", None),
        ("int | None", "7", 7),
        ("float | None", "none", None),
        ("float | None", "0.25", 0.25),
    ],
)
def test_what_is_typed_becomes_what_python_takes(annotation, typed, value):
    assert parsed(Parameter("a", annotation, "", ""), typed) == value


def test_numbers_that_are_none_are_named():
    with pytest.raises(OptionError, match="`--spacing` as numbers like 0.5,0.2,0.2, found 'a,b'"):
        parsed(Parameter("spacing", "float | Sequence[float] | None", "", ""), "a,b")
    with pytest.raises(OptionError, match="`--radius` as a number like 0.5, found 'wide'. Pass a number, or `none`"):
        parsed(Parameter("radius", "float | None", "", ""), "wide")
    with pytest.raises(OptionError, match="`--n-types` as a number like 3, found '1.5'"):
        parsed(Parameter("n_types", "int | None", "", ""), "1.5")
    assert option_of(Parameter("n_steps", "int", "150", "Steps")).default is None  # Python's default holds


def test_names_with_commas_are_quoted_and_titles_are_whole(cells, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match="`--features` as names separated by commas, found '\"a,b'"):
        parsed(Parameter("features", "Sequence[str]", "", ""), ['"a,b'])
    table = pd.DataFrame({"x": [1.0, 2, 4], "y": [1.0, 3, 2], "length, long": [1.0, 2, 3], "b": [4.0, 5, 6]})
    table.to_csv(tmp_path / "t.csv", index=False)
    for words in (('"length, long",b',), ('"length, long"', "--features", "b")):
        run(
            "table",
            tmp_path / "t.csv",
            "--position",
            "x,y",
            "--unit",
            "pixel",
            "--features",
            *words,
            "-o",
            tmp_path / "t.h5ad",
        )
        assert list(read(tmp_path / "t.h5ad").var_names) == ["length, long", "b"]
    titles = []
    monkeypatch.setattr("cellgraph_clr.pl.spatial", lambda *_, save, title, **__: (titles.append(title), save.touch()))
    for words in (("Kinds, all of them",), ("Kinds, all", "--title", "Area, in pixels")):
        run("plot", cells, "--color", "kind", "--title", *words, "-o", tmp_path / "p.png")
    assert titles == ["Kinds, all of them", ("Kinds, all", "Area, in pixels")]


def test_samples_are_joined_and_split(cells, tmp_path):
    write(read(cells), tmp_path / "b.h5ad")
    said = run("concat", cells, tmp_path / "b.h5ad", "--library-key", "slide", "-o", tmp_path / "ab.h5ad")
    assert "2 samples" in said
    assert set(read(tmp_path / "ab.h5ad").obs["slide"]) == {"a", "b"}
    counts = json.loads(
        run("split", tmp_path / "ab.h5ad", "--by", "library", "--test-size", 0.5, "--json", "--in-place")
    )
    assert counts["counts"]["test"] == counts["counts"]["train"]
    with pytest.raises(OptionError, match="files of different names, found a twice"):
        run("concat", cells, cells, "-o", tmp_path / "c.h5ad")


def test_types_are_carried_over_and_related(cells, tmp_path):
    before = cells.read_bytes()
    run("transfer", cells, cells, "kind", "--n-neighbors", 3, "-o", tmp_path / "t.h5ad")
    assert read(tmp_path / "t.h5ad").uns["cellgraph_clr"]["runs"]["kind_pred"].count('"n_neighbors": 3') == 1
    table = tmp_path / "i.csv"
    said = json.loads(run("interactions", cells, "kind", "--covariates", "distance", "--table", table, "--json"))
    assert said["written"] == [str(table)]
    assert len(said["table"]) == len(pd.read_csv(table))
    assert {"type_a", "type_b", "log_odds"} <= set(said["table"][0])
    assert cells.read_bytes() == before
    run("interactions", cells, "kind", "-o", tmp_path / "i.h5ad")
    assert "interactions" in read(tmp_path / "i.h5ad").uns
    run("plot", tmp_path / "i.h5ad", "--kind", "interactions", "-o", tmp_path / "i.png")
    assert (tmp_path / "i.png").stat().st_size > 5000


def test_a_reference_is_searched_and_written(cells, tmp_path):
    said = run("retrieve", cells, "kind=niche 1", "--reference", cells, "--k", 4, "--json", "-o", tmp_path / "r.h5ad")
    found = json.loads(said)
    assert len(found["table"]) == 4
    assert (read(tmp_path / "r.h5ad").obs["retrieval_rank"] > 0).sum() == 4


def test_shape_and_texture_are_learned_saved_and_applied(tissue_2d, cells, tmp_path):
    tifffile.imwrite(tmp_path / "l.tif", np.asarray(tissue_2d.image.labels))
    small = ("--kinds", "shape", "--n-points", 16, "--n-features", 4, "--n-hidden", 4, "--n-steps", 2)
    base = ("morpho", cells, "--labels", tmp_path / "l.tif")
    run(*base, *small, "--save-model", tmp_path / "m.safetensors", "-o", tmp_path / "b.h5ad", "--quiet")
    run(*base, "--model", tmp_path / "m.safetensors", "-o", tmp_path / "c.h5ad")
    learned, applied = (read(tmp_path / name).obsm["X_morpho"] for name in ("b.h5ad", "c.h5ad"))
    pd.testing.assert_frame_equal(learned, applied)
    filled = read(tmp_path / "b.h5ad")
    filled.obsm["X_morpho"] = filled.obsm["X_morpho"].fillna(0.0)
    write(filled, tmp_path / "b.h5ad")
    run("morpho", tmp_path / "b.h5ad", "--context", "--mode", "mean", "--in-place")
    assert read(tmp_path / "b.h5ad").obsm["X_morphocontext"].shape[0] == filled.n_obs
    with pytest.raises(OptionError, match=r"options of `--context`, found `--labels`"):
        run(*base, "--context", "-o", tmp_path / "d.h5ad")
    with pytest.raises(OptionError, match=r"beside `--model`, found `--n-steps`"):
        run(*base, "--model", tmp_path / "m.safetensors", "--n-steps", 3, "-o", tmp_path / "d.h5ad")


def test_options_of_another_way_are_named(cells, tmp_path):
    with pytest.raises(OptionError, match=r"options of `--method delaunay`, found `--n-neighbors`"):
        run("graph", cells, "--method", "delaunay", "--n-neighbors", 3, "-o", tmp_path / "b.h5ad")
    with pytest.raises(OptionError, match=r"`--method` to be one of 'contact', .* found 'near'"):
        run("graph", cells, "--method", "near", "-o", tmp_path / "b.h5ad")
    with pytest.raises(OptionError, match=r"Expected `--radius`, found none"):
        run("graph", cells, "--method", "radius", "-o", tmp_path / "b.h5ad")
    assert not (tmp_path / "b.h5ad").exists()


def test_quiet_says_nothing_and_json_one_object(cells, tmp_path):
    assert run("context", cells, "--no-learn", "--n-types", 4, "--quiet", "-o", tmp_path / "b.h5ad") == ""
    found = json.loads(run("inspect", cells, "--json"))
    assert (found["problems"], found["n_cells"]) == ([], read(cells).n_obs)
    broken = read(cells)
    del broken.obs["cell_id"]
    broken.write_h5ad(tmp_path / "c.h5ad")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "c.h5ad"), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["problems"]
    edges = json.loads(run("graph", cells, "--json", "-o", tmp_path / "g.h5ad"))
    assert edges == {
        "written": [str(tmp_path / "g.h5ad")],
        "n_edges": read(cells).obsp["spatial_connectivities"].nnz // 2,
    }


def test_the_page_on_the_command_line_is_true():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z]+)` \| (.*?) \|", page, flags=re.MULTILINE))
    assert list(rows) == list(NAMES)
    for name, command in COMMANDS.items():
        assert rows[name] == command.summary
        assert command.example in page
    for code in ("0", "1", "2", "3", "130", "141"):
        assert f"\n| {code} | " in page
