"""The README: short, true and runnable."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import typer

from cellgraph_clr.cli.app import app
from tests.documented import check_code

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "benchmarks" / "RESULTS.md").read_text()
BLOCKS = re.findall(r"^```python *([\w -]*)\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    command.split("#")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    for command in line.split("&&")
    if command.strip().startswith("cellgraph-clr")
]


def is_run(marker):
    """Whether a block is run: all are, but those for the user's files, or for a package that is not installed."""
    return marker == "" or (marker.startswith("needs-") and find_spec(marker.removeprefix("needs-")) is not None)


@pytest.mark.filterwarnings("ignore")  # of scanpy and its neighbours
def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for marker, code in BLOCKS:
        if is_run(marker):
            exec(compile(code, "<README>", "exec"), names)
    assert names["adata"].obs["leiden"].nunique() > 1  # scanpy's
    plt.close("all")
    assert sum(is_run(marker) for marker, _ in BLOCKS) >= 3
    assert {p.name for p in tmp_path.iterdir()} >= set(re.findall(r'"(\w+\.(?:png|h5ad))"', BLOCKS[0][1]))
    assert len(names["regions"]) > 0


def block(number, marker, code):
    return pytest.param(marker, code, id=f"{number}-{marker or 'run'}")


@pytest.mark.parametrize(("marker", "code"), [block(i, *b) for i, b in enumerate(BLOCKS)])
def test_the_calls_exist(marker, code):
    assert marker in ("", "no-run") or marker.startswith("needs-")
    compile(code, "README.md", "exec")
    check_code(code)


def test_the_calls_in_the_text_exist():
    calls = [c for c in re.findall(r"`([^`]+)`", PROSE) if c.startswith("cgc.")]
    assert len(calls) >= 7
    for call in calls:
        check_code(call)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_exist(command):
    _, name, *arguments = shlex.split(command)
    if name.startswith("-"):
        return
    found = typer.main.get_command(app).commands[name]
    found.make_context(name, arguments, resilient_parsing="--help" in arguments)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake (\w+)", TEXT))))
def test_the_targets_of_make_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_it_is_short_and_speaks_of_today():
    assert len(TEXT.splitlines()) <= 150
    for text in (TEXT, RESULTS):
        assert not re.search(r"\basked\b|short by|of an earlier version", text, flags=re.IGNORECASE)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:|#)([^)#]+)", TEXT))))
def test_links_lead_somewhere(target):
    assert (ROOT / target).is_file()


def test_sections_of_the_results_exist():
    titles = {
        re.sub(r"[^\w -]", "", t).strip().lower().replace(" ", "-") for t in re.findall(r"^#+ (.*)$", RESULTS, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", RESULTS)) <= titles


def test_commands_of_the_results_exist():
    from benchmarks.__main__ import NAMES

    named = re.findall(r"python -m benchmarks ([\w ]+?)(?: --data DIR)?`", RESULTS)
    assert named
    assert set(" ".join(named).split()) <= set(NAMES)
