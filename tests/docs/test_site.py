"""The documentation site: its code runs, its links lead somewhere, and it builds without a warning."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from tests.documented import check_code, resolve

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "generated" not in p.parts and "_build" not in p.parts)
FENCE = re.compile(r"^```python *([\w -]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
BLOCKS = {p: FENCE.findall(p.read_text()) for p in PAGES}
RUN_ELSEWHERE = {"own_systems.md"}  # tests/models
SLOW = {"gallery.md"}  # `docs/make_gallery.py` runs it


def named(page):
    return pytest.param(page, id=str(page.relative_to(DOCS)))


def is_run(marker):
    return marker == "" or (marker.startswith("needs-") and find_spec(marker.removeprefix("needs-")) is not None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "page", [named(p) for p, blocks in BLOCKS.items() if blocks and p.name not in RUN_ELSEWHERE | SLOW]
)
def test_the_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for marker, code in BLOCKS[page]:
        if is_run(marker):
            exec(compile(code, str(page), "exec"), names)
    plt.close("all")


@pytest.mark.parametrize("page", [named(p) for p, blocks in BLOCKS.items() if blocks])
def test_the_calls_exist(page):
    for marker, code in BLOCKS[page]:
        assert marker in ("", "no-run") or marker.startswith("needs-")
        check_code(code)


@pytest.mark.parametrize("page", [named(p) for p in PAGES])
def test_calls_in_the_text_exist(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for call in re.findall(r"`(cgc\.[^`]+)`", prose):
        if "…" in call:
            resolve(call.split("(")[0])
        else:
            check_code(call)


@pytest.mark.parametrize("page", [named(p) for p in PAGES])
def test_pages_speak_of_today(page):
    text = page.read_text()
    assert not re.search(r"\basked (0|1|for)\b|short by|of an earlier version|METHODS|DESIGN", text)


@pytest.mark.parametrize("page", [named(p) for p in PAGES])
def test_links_and_pictures_lead_somewhere(page):
    prose = re.sub(r"^```(?!\{).*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", prose):
        place = page.parent / target
        assert place.exists(), target


def test_ten_tasks_are_two_clicks_away():
    """The landing page links the tasks that readers come with; a second click is on that page."""
    text = (DOCS / "index.md").read_text()
    table = text.split("## Find it fast")[1].split("```{toctree}")[0]
    assert len(re.findall(r"^\| .* \| \[.*\]\(.*\) \|$", table, flags=re.MULTILINE)) == 10


def test_the_site_builds_without_a_warning(tmp_path):
    """A dry build: every page is read and every reference resolved; nothing is written but what autosummary needs."""
    for name in ("sphinx", "myst_nb", "numpydoc", "sphinx_book_theme", "sphinx_design", "sphinx_copybutton"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[docs]'")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-b",
        "dummy",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        tmp_path / "trees",
        DOCS,
        tmp_path,
    ]
    environment = os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "DOCS_INTERSPHINX": "0"}
    out = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert out.returncode == 0, out.stdout + out.stderr
