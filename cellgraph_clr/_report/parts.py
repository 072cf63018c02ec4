"""What sections of a page are made of: headings, facts and tables, every text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cellgraph_clr._report.charts import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anndata import AnnData

__all__ = ["Section", "Subject", "dot", "facts", "grid", "lead", "table"]


class Subject(NamedTuple):
    """What a page is about: all cells, and what was given beside them."""

    adata: AnnData
    library_key: str | None
    neighbors_key: str
    labels: Any
    image: Any
    truth: str | None


class Section(NamedTuple):
    """A section of a page: its anchor, its title, a shorter one for the menu, and its contents."""

    anchor: str
    title: str
    short: str
    body: str

    def html(self) -> str:
        """Return the section as text of a page."""
        title = f'<h2 id="{self.anchor}-title">{escape(self.title)}</h2>'
        place = f'class="part" id="{self.anchor}" aria-labelledby="{self.anchor}-title"'
        return f"<section {place}>{title}{self.body}</section>"


def lead(text: str) -> str:
    """Return the sentence under a title."""
    return f'<p class="lead">{escape(text)}</p>'


def grid(parts: Iterable[str], *, wide: bool = False) -> str:
    """Return parts side by side as there is room."""
    inside = "".join(f"<div>{p}</div>" for p in parts if p)
    return f'<div class="grid{" wide" if wide else ""}">{inside}</div>' if inside else ""


def facts(pairs: Sequence[tuple[str, str, str]]) -> str:
    """Return large numbers: (name, value, unit or remark)."""
    inside = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)} <small>{escape(more)}</small></dd></div>"
        for name, value, more in pairs
    )
    return f'<dl class="numbers">{inside}</dl>'


def dot(color: str) -> str:
    """Return a dot of a color, for the name of a class."""
    return f'<span class="dot" style="background:{escape(color)}"></span>'


def table(
    head: Sequence[str], rows: Iterable[Sequence[Any]], *, dots: Sequence[str] | None = None, of: str = ""
) -> str:
    """Return a table. Numbers stand right; the first column names the row, after a dot where colors are given.

    `of` is what it tells of, where a page has several with the same head: readers of screens name tables by both.
    """
    lines = list(rows)
    numeric = [bool(lines) and all(_is_number(line[j]) for line in lines) for j in range(len(head))]
    classes = ['class="n"' if n else "" for n in numeric]
    out = ["".join(f'<th scope="col" {c}>{escape(h)}</th>' for h, c in zip(head, classes, strict=True))]
    for i, line in enumerate(lines):
        first = (dot(dots[i]) if dots is not None else "") + _cell(line[0])
        rest = "".join(f"<td {c}>{_cell(v)}</td>" for v, c in zip(line[1:], classes[1:], strict=True))
        out.append(f'<th scope="row">{first}</th>{rest}')
    body = "".join(f"<tr>{line}</tr>" for line in out[1:])
    label = escape(", ".join(h for h in (of, *head) if h))
    inside = f"<table><thead><tr>{out[0]}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">{inside}</div>'


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return number(float(value)) if _is_number(value) else escape(str(value))
