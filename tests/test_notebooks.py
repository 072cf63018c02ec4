"""Notebooks: what ships runs, outputs are those of the sources, and a reader finds a question and where data come from."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from tests.documented import check_code
from tests.kernels import NAME, Forked

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 600_000  # bytes
PRIVATE = re.compile(r"/(home|tmp|root|work|Users|usr|opt|private|var)/|[A-Z]:\\|\bat 0x[0-9a-f]+|ipykernel")
FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)

spec = importlib.util.spec_from_file_location("run_notebooks", ROOT / "notebooks" / "run.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def said(cell, name):
    return "".join(output.text for output in cell.outputs if output.get("name") == name)


@pytest.fixture(scope="module")
def forked(tmp_path_factory):
    with Forked(tmp_path_factory.mktemp("forked")) as forked:
        yield forked


@pytest.fixture
def kernel(forked):
    return NAME


@pytest.mark.filterwarnings("ignore")  # of the kernel's machinery; the notebook's own are in its outputs
@each
def test_what_ships_runs(path, kernel, tmp_path):
    notebook = read(path)
    kept = {cell.id: len(tool.pictures(cell)) for cell in code(notebook)}
    tool.execute(notebook, tmp_path, kernel=kernel)
    assert any(kept.values())
    for cell in code(notebook):
        assert said(cell, "stderr") == "", cell.source
        assert len(tool.pictures(cell)) == kept[cell.id], f"pictures below:\n{cell.source}"


@each
def test_outputs_are_those_of_the_sources(path):
    notebook = read(path)
    prints = tool.fingerprints(notebook)
    for cell in code(notebook):
        remedy = "run `make notebooks`" + (" with DATA=" if tool.is_data(cell) else "")
        assert cell.metadata.get(tool.KEY) == prints[cell.id], f"{remedy}; changed since it was run:\n{cell.source}"
        assert not [output for output in cell.outputs if output.output_type == "error"]
        assert said(cell, "stderr") == "", cell.source


@each
def test_they_are_small_and_name_no_machine(path):
    assert path.stat().st_size < LARGEST
    for cell in code(read(path)):
        shown = [str({k: v for k, v in output.get("data", {}).items() if "image" not in k}) for output in cell.outputs]
        for words in (cell.source, said(cell, "stdout"), *shown):
            assert not PRIVATE.search(words), words


@each
def test_they_ask_a_question_and_tell_how_to_go_on(path):
    words = text(read(path))
    assert re.match(r"# [^\n]+\?\n", words[0])
    for heading in ("## Your own files", "## What can go wrong"):
        assert any(re.search(f"^{heading}$", part, flags=re.MULTILINE) for part in words), heading


@each
def test_the_data_section_tells_where_to_get_them(path):
    notebook = read(path)
    after = False
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert tool.is_data(cell) == after, cell.source
        elif cell.source.startswith("# A larger set: "):
            assert "**Where to get it.**" in cell.source
            assert "https://" in cell.source or "http://" in cell.source
            assert "CELLGRAPH_DATA" in cell.source
            after = True
    assert after or not any(tool.is_data(cell) for cell in code(notebook))


@each
def test_the_calls_exist(path):
    notebook = read(path)
    for source in [cell.source for cell in code(notebook)] + FENCE.findall("\n".join(text(notebook))):
        check_code(source)


@each
def test_they_are_listed_with_a_thumbnail(path):
    index = (ROOT / "docs" / "tutorials" / "index.md").read_text()
    title = text(read(path))[0].splitlines()[0].removeprefix("# ")
    assert re.search(rf"^{path.stem}$", index, flags=re.MULTILINE)
    assert title in index
    assert (ROOT / "docs" / "images" / f"tutorial_{path.stem}.jpg").stat().st_size < 40_000
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", "\n".join(text(read(path)))):
        assert (path.parent / target).exists(), target


def made(*sources, data=()):
    cells = [nbformat.v4.new_code_cell(s, id=f"c{i}") for i, s in enumerate(sources)]
    for i in data:
        cells[i].metadata["tags"] = ["data"]
    return nbformat.v4.new_notebook(cells=cells)


def test_fingerprints_follow_the_sources_of_their_part():
    before = tool.fingerprints(made("a", "b", "c", "d", data=(2, 3)))
    after = tool.fingerprints(made("a", "B", "c", "d", data=(2, 3)))
    assert [name for name in before if before[name] != after[name]] == ["c1"]
    earlier = tool.fingerprints(made("A", "b", "c", "D", data=(2, 3)))
    assert [name for name in before if before[name] != earlier[name]] == ["c0", "c1", "c3"]


@pytest.mark.filterwarnings("ignore")
def test_cells_on_data_are_run_with_data_alone(kernel, tmp_path):
    notebook = made("x = 1", "import os; print(x, os.path.basename(os.environ['CELLGRAPH_DATA']))", data=(1,))
    tool.execute(notebook, tmp_path, data=tmp_path / "sets", kernel=kernel)
    tool.tidy(notebook, data=True)
    assert said(notebook.cells[1], "stdout") == "1 sets\n"
    kept = notebook.cells[1].copy()
    tool.execute(notebook, tmp_path, kernel=kernel)
    tool.tidy(notebook, data=False)
    assert notebook.cells[1] == kept


@pytest.mark.filterwarnings("ignore")
def test_two_runs_give_the_same_file(kernel, tmp_path):
    drawing = "import matplotlib.pyplot as plt\nplt.imshow([[0, 1], [2, 3]]);"
    runs = []
    for _ in range(2):
        notebook = made("1 + 1", drawing)
        tool.execute(notebook, tmp_path, kernel=kernel)
        tool.tidy(notebook, data=False)
        runs.append(nbformat.writes(notebook))
    assert runs[0] == runs[1]
    assert "iopub" not in runs[0]
    assert len(tool.pictures(notebook.cells[1])) == 1


def test_imports_of_notebooks_say_nothing(forked):
    """In a kernel of its own a notebook would show it."""
    assert forked.said() == ""


@pytest.mark.filterwarnings("ignore")
def test_notebooks_share_imports_alone(kernel, tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        imports = "import os, sys, warnings, cellgraph_clr as cgc; print('torch' in sys.modules)"
        asked = "print('x' in dir(), os.path.basename(os.getcwd()), hasattr(cgc, 'y'), os.environ.get('Z'))"
        left = "x = cgc.y = 1; os.environ['Z'] = '1'; os.chdir('/'); warnings.simplefilter('ignore')"
        notebook = made(imports, asked, left)
        tool.execute(notebook, tmp_path / name, kernel=kernel)
        assert [said(cell, "stdout") for cell in notebook.cells[:2]] == ["True\n", f"False {name} False None\n"]


@pytest.mark.filterwarnings("ignore")
def test_warnings_and_errors_of_a_notebook_are_seen(kernel, tmp_path):
    notebook = made("import warnings; warnings.warn('told', UserWarning)")
    tool.execute(notebook, tmp_path, kernel=kernel)
    assert "UserWarning: told" in said(notebook.cells[0], "stderr")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        tool.execute(made("1 / 0"), tmp_path, kernel=kernel)
