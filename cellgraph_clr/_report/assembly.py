"""One file from the template, the styles and scripts beside it, and what they are to show."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellgraph_clr._report.parts import Section

__all__ = ["page", "script_json"]

SCRIPTS = ("data.js", "search.js", "flat.js", "maps.js", "colors.js", "card.js", "app.js")
VENDOR = "vendor/regl-scatterplot.min.js"


def page(
    *,
    title: str,
    subtitle: str,
    about: Mapping[str, Any],
    blocks: Mapping[str, str],
    sections: Sequence[Section],
    generator: str,
) -> str:
    """Return the text of a page that loads nothing: its policy allows the scripts in it, by their hashes, and no address.

    `unsafe-eval` is of WebGL's wrapper (regl), which compiles functions; `blob:` and `data:` are pictures in the page itself.
    Title, subtitle and generator are escaped here; sections are HTML already.
    """
    vendor, script = (
        _held(VENDOR),
        "\n".join(["(() => {", '"use strict";', *(_held(f"page/{name}") for name in SCRIPTS), "})();"]),
    )
    for text in (vendor, script):
        assert "</script" not in text.lower()
        assert "<!--" not in text
    allowed = " ".join(f"'sha256-{_digest(text)}'" for text in (vendor, script))
    policy = (
        f"default-src 'none'; script-src {allowed} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
        "connect-src 'none'; font-src 'none'; form-action 'none'; base-uri 'none'"
    )
    held = "\n".join(
        f'<script type="application/octet-stream" id="block-{name}">{text}</script>' for name, text in blocks.items()
    )
    filled = {
        "policy": escape(policy),
        "generator": escape(generator),
        "title": escape(title),
        "subtitle": escape(subtitle),
        "style": _held("page/style.css"),
        "contents": "".join(f'<a href="#{s.anchor}">{escape(s.short)}</a>' for s in sections),
        "n_cells": f"{about['n']:,}",
        "sections": "\n".join(s.html() for s in sections),
        "footer": escape(generator),
        "about": script_json(about),
        "blocks": held,
        "vendor": vendor,
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda m: filled[m[1]], _held("page/template.html"))


def script_json(value: Any) -> str:
    """Return JSON that can stand in a script element: no text in it, whatever its user wrote, can end the element."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _held(name: str) -> str:
    """Return the text of a file of this folder."""
    return files("cellgraph_clr._report").joinpath(*name.split("/")).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
