"""One file: nothing in it is loaded, and no text of a user becomes markup or script."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from cellgraph_clr._report.assembly import SCRIPTS, page, script_json
from cellgraph_clr._report.parts import Section, facts, table
from tests.report.conftest import HOSTILE


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.scripts, self._in = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = tag == "script"
        if self._in:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in = self._in and tag != "script"

    def handle_data(self, data):
        if self._in:
            self.scripts[-1] += data


@pytest.fixture
def text():
    rows = [[HOSTILE[0], 1], [HOSTILE[1], 2.5]]
    body = table(["class", HOSTILE[2]], rows, dots=["#fff", '"><script>']) + facts([(h, h, h) for h in HOSTILE])
    about = {"n": 3, "columns": [{"names": list(HOSTILE)}]}
    return page(
        title=HOSTILE[0],
        subtitle=HOSTILE[1],
        about=about,
        blocks={"a": "AAAA"},
        sections=[Section("one", HOSTILE[2], HOSTILE[0], body)],
        generator=HOSTILE[1],
    )


def test_texts_of_users_are_text(text):
    reader = Reader()
    reader.feed(text)
    tags = [t for t, _ in reader.tags]
    assert tags.count("script") == 4  # words, one block, the vendor's and ours
    assert "img" not in tags
    assert json.loads(reader.scripts[0]) == {"n": 3, "columns": [{"names": list(HOSTILE)}]}
    assert "{{" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).replace("{{title}} &amp;", "")


def test_nothing_is_loaded_and_only_our_scripts_run(text):
    reader = Reader()
    reader.feed(text)
    for _, attrs in reader.tags:
        assert not attrs.get("src", "data:").startswith(("http", "//"))
        assert attrs.get("href", "#").startswith("#")
        assert not [a for a in attrs if a.startswith("on")]
    policy = next(a["content"] for t, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "connect-src 'none'" in policy
    assert "http" not in policy
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    run = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in reader.scripts[2:]]
    assert run == allowed


def test_json_ends_no_script():
    held = script_json({"a": "</script><!--", "b": "\u2028&"})
    assert not set("<>&\u2028") & set(held)
    assert json.loads(held) == {"a": "</script><!--", "b": "\u2028&"}


def test_all_that_a_page_needs_is_in_the_package():
    held = files("cellgraph_clr._report")
    for name in (
        *(f"page/{s}" for s in SCRIPTS),
        "page/template.html",
        "page/style.css",
        "vendor/regl-scatterplot.min.js",
    ):
        assert held.joinpath(*name.split("/")).read_text(encoding="utf-8")
    licenses = held.joinpath("vendor", "LICENSES.txt").read_text()
    for name in ("regl-scatterplot 1.16.0 (MIT)", "regl 2.1.1 (MIT)", "Permission is hereby granted"):
        assert name in licenses
