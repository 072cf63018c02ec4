"""Results cannot drift: documents show what `benchmarks/results` holds, and the files hold what benchmarks return."""

import dataclasses
import json
import math
import re
import sys

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks.render import INLINE, MARKED, as_table, documents, rendered
from benchmarks.rows import RESULTS, Row, Rows, read, this_run, write

FILES = sorted(RESULTS.glob("*.json"))
RUN = {"command": "python -m benchmarks made", "date": "2026-01-01", "machine": {}, "versions": {}}
LATER = RUN | {"date": "2026-02-02"}


def row(name, measure, value, **more):
    return Row("made", "table", name, measure, value, **more)


@pytest.mark.parametrize("path", documents(), ids=lambda p: p.name)
def test_text_and_files_agree(path):
    text = path.read_text()
    assert text.count("<!-- results: ") == len(MARKED.findall(text))
    assert "\n<!-- result: " not in text  # Markdown would not read the rest of the line
    assert text.count("<!-- result: ") == len(INLINE.findall(text))
    assert text.count("<!-- end -->") == len(MARKED.findall(text)) + len(INLINE.findall(text))
    assert rendered(text) == text, "run `make results`"


def test_every_table_of_the_results_is_rendered():
    text = (RESULTS.parent / "RESULTS.md").read_text()
    assert len(MARKED.findall(text)) > 40
    assert not any(line.startswith("|") for line in MARKED.sub("", text).splitlines())


HELD_BY_TESTS = {"0.001", "0.005"}  # a tolerance, and a share that is worked out


@pytest.mark.parametrize(
    "path",
    [*sorted((RESULTS.parents[1] / "docs" / "explain").glob("*.md")), RESULTS.parents[1] / "docs" / "performance.md"],
    ids=lambda p: p.name,
)
def test_figures_of_explanations_are_rendered(path):
    """Measured figures are between markers: what is left has no spread, no third decimal and no unit of time or memory."""
    text = INLINE.sub("", MARKED.sub("", path.read_text()))
    text = re.sub(r"^```.*?^```$|`[^`]*`|\$[^$]*\$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"±|\b\d+\.\d{3}\b|\b\d+(?:\.\d+)? (?:ms|µs|ns|s|MiB|x)\b", text)
    assert set(found) <= HELD_BY_TESTS


def test_every_file_is_of_a_benchmark():
    assert len(FILES) > 20
    assert {path.stem for path in FILES} <= set(command.NAMES)
    assert {path.suffix for path in RESULTS.iterdir()} == {".json"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_file_holds_whole_rows(path):
    held = json.loads(path.read_text())
    fields = {f.name for f in dataclasses.fields(Row)} | {"run"}
    assert all(set(line) == fields for line in held["rows"])
    assert {line["run"] for line in held["rows"]} == set(range(len(held["runs"])))
    assert all(set(run) == set(RUN) and run["versions"]["cellgraph_clr"] for run in held["runs"])
    rows, _ = read(path.stem)
    assert len({r.key for r in rows}) == len(rows)
    for r in rows:
        assert r.benchmark == path.stem
        assert r.value is not None or r.interval is not None
        assert r.n >= 1
        assert r.name
        assert r.measure
        assert r.finite


def test_rows_come_back_and_those_not_measured_stay(tmp_path):
    old = [row("a", "x", 1.0), row("b", "x", None, interval=(1.0, 2.0), unit="ms")]
    write("made", old, RUN, tmp_path)
    assert read("made", tmp_path) == (old, [RUN, RUN])
    write("made", [row("a", "x", 3.0), row("c", "x", 4.0)], LATER, tmp_path)
    assert read("made", tmp_path) == ([row("a", "x", 3.0), old[1], row("c", "x", 4.0)], [LATER, RUN, LATER])
    write("made", [row("b", "x", 5.0)], LATER, tmp_path)
    assert json.loads((tmp_path / "made.json").read_text())["runs"] == [LATER]
    assert [p.name for p in tmp_path.iterdir()] == ["made.json"]


@pytest.mark.parametrize(
    "bad", [row("a", "x", math.nan), row("a", "x", 1.0, spread=math.inf), Row("other", "t", "a", "x", 1)]
)
def test_what_is_no_figure_of_the_benchmark_is_refused(bad, tmp_path):
    write("made", [row("a", "x", 1.0)], RUN, tmp_path)
    with pytest.raises(ValueError, match="expected finite figures of made"):
        write("made", [row("b", "x", 2.0), bad], LATER, tmp_path)
    assert read("made", tmp_path) == ([row("a", "x", 1.0)], [RUN])


def test_several_values_become_their_mean_and_spread(capsys):
    rows = Rows("made")
    rows.add("table", "a", "x", [1.0, 3.0], chance=np.float64(0.5))
    rows.add("table", "b", "x", np.float32(2), unit="s", digits=0)
    assert rows == [row("a", "x", 2.0, spread=1.0, n=2, chance=0.5), row("b", "x", 2.0, unit="s", digits=0)]
    rows.add("table", "c", "x", math.nan)
    rows.add("table", "c", "y", 1.0, spread=math.inf)
    assert len(rows) == 2
    assert capsys.readouterr().out.splitlines()[0].endswith("2.000 ± 1.000  chance 0.500")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (row("a", "x", 0.5), "0.500"),
        (row("a", "x", 1234.5, spread=0.25, unit="ms", digits=1), "1,234.5 ± 0.2 ms"),
        (row("a", "x", None, interval=(1.9, 2.5), unit="x", digits=1), "1.9 to 2.5 x"),
        (row("a", "x", -0.29, interval=(-0.43, 0.14), unit="log odds", digits=2), "−0.29 (−0.43 to +0.14)"),
    ],
)
def test_figures_are_shown(made, text):
    assert made.text == text


def test_tables_join_parts_and_end_with_control_and_chance():
    rows = [
        row("a", "x | acc", 0.5, chance=0.1, control=0.2),
        row("a", "x | ece", 0.6, chance=0.3),
        row("b", "y", 0.7, chance=0.4),
    ]
    assert as_table(rows).splitlines() == [
        "| | x | y |",
        "| --- | --- | --- |",
        "| a | 0.500 / 0.600 | |",
        "| b | | 0.700 |",
        "| control | 0.200 | |",
        "| chance | 0.100 / 0.300 | 0.400 |",
    ]
    differing = [row("a", "x", 0.5, chance=0.1), row("b", "x", 0.5, chance=0.2)]
    assert as_table(differing).splitlines()[0] == "| | x | chance |"
    assert as_table(differing).splitlines()[3] == "| b | 0.500 | 0.200 |"
    part = [row("a", "x | acc", 0.5), row("b", "x | acc", 0.5), row("b", "x | ece", 0.1)]
    assert as_table(part).splitlines()[2] == "| a | 0.500 / – |"


def test_markers_choose_lines_and_must_find_some(tmp_path):
    write("made", [row("a", "x", 1.0), row("b", "x", 2.0)], RUN, tmp_path)
    text = "<!-- results: made table: b -->\nold\n<!-- end -->\n"
    assert "| b | 2.000 |" in rendered(text, tmp_path)
    assert "| a |" not in rendered(text, tmp_path)
    assert rendered(rendered(text, tmp_path), tmp_path) == rendered(text, tmp_path)
    with pytest.raises(ValueError, match="expected rows of made, table other, found none"):
        rendered(text.replace("made table: b", "made other"), tmp_path)


def test_figures_in_sentences(tmp_path):
    write("made", [row("a, b", "x", 1.0, spread=0.5, chance=0.25)], RUN, tmp_path)
    text = "reaches <!-- result: made table; a, b; x -->7<!-- end --> (chance <!-- result: made table; a, b; x; chance --><!-- end -->)"
    shown = rendered(text, tmp_path)
    assert "x -->1.000 ± 0.500<!-- end --> (chance" in shown
    assert "chance -->0.250<!-- end -->)" in shown
    assert rendered(shown, tmp_path) == shown
    with pytest.raises(ValueError, match="expected a row of made for table; b; x, found none"):
        rendered(text.replace("a, b", "b"), tmp_path)


def test_a_run_is_told_without_names_of_machines():
    run = this_run("python -m benchmarks made")
    assert set(run) == set(RUN)
    assert run["machine"]["cores"] >= 1
    assert {"cellgraph_clr", "numpy", "torch"} <= set(run["versions"])
    assert "/" not in json.dumps(run["command"])


@pytest.mark.parametrize(("options", "written"), [([], True), (["--size", "small"], False)])
def test_only_full_runs_are_kept(options, written, monkeypatch, tmp_path):
    module = type(sys)("benchmarks.made")
    module.run = lambda **_: [row("a", "x", 1.0)]
    monkeypatch.setitem(sys.modules, "benchmarks.made", module)
    monkeypatch.setattr(command, "NAMES", ("made",))
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "made", "--data", "/somewhere", *options])
    command.main()
    assert (tmp_path / "made.json").exists() == written
    if written:
        assert read("made", tmp_path)[1][0]["command"] == "python -m benchmarks made --data DIR"


def test_small_runs_are_kept_where_it_is_said(monkeypatch, tmp_path):
    module = type(sys)("benchmarks.made")
    module.run = lambda **_: [row("a", "x", 1.0)]
    monkeypatch.setitem(sys.modules, "benchmarks.made", module)
    monkeypatch.setattr(command, "NAMES", ("made",))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "made", "--size", "small", "--output", str(tmp_path)])
    command.main()
    assert read("made", tmp_path)[1][0]["command"] == "python -m benchmarks made --size small"
