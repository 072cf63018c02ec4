"""Tables of documents from `benchmarks/results`: `python -m benchmarks.render` rewrites what is between the markers.

`<!-- results: NAME TABLE -->` opens a table and `<!-- end -->` closes it; `<!-- results: NAME TABLE: one; another -->` shows
these lines of it alone. In a sentence, `<!-- result: NAME TABLE; line; measure -->` (or `; measure; chance`) stands before
a single figure and `<!-- end -->` after it; not at the start of a line, where Markdown would take the line as it is.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.rows import RESULTS, Row, read

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"(<!-- results: (\w+) ([^:\n]+?)(?:: ([^\n]+?))? -->\n).*?(<!-- end -->)", re.DOTALL)

INLINE = re.compile(r"(<!-- result: (\w+) ([^;\n]+); ([^;\n]+); ([^;\n]+?)(; chance|; control)? -->).*?(<!-- end -->)")


def documents() -> list[Path]:
    """Return the documents that may hold tables."""
    return [ROOT / "README.md", ROOT / "benchmarks" / "RESULTS.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rendered(text: str, folder: Path = RESULTS) -> str:
    """Return the text with every marked table and figure as the files have it."""

    def table(found: re.Match[str]) -> str:
        rows = [row for row in read(found[2], folder)[0] if row.table == found[3]]
        if found[4]:
            rows = [row for name in found[4].split("; ") for row in rows if row.name == name]
        if not rows:
            raise ValueError(
                f"expected rows of {found[2]}, table {found[3]}, found none: measure them or mend the marker"
            )
        return f"{found[1]}{as_table(rows)}{found[5]}"

    def figure(found: re.Match[str]) -> str:
        held = {row.key: row for row in read(found[2], folder)[0]}
        row = held.get((found[3], found[4], found[5]))
        if row is None:
            raise ValueError(f"expected a row of {found[2]} for {found[3]}; {found[4]}; {found[5]}, found none")
        text = row.text if found[6] is None else row.shown(getattr(row, found[6].removeprefix("; ")))
        return f"{found[1]}{text}{found[7]}"

    return INLINE.sub(figure, MARKED.sub(table, text))


def as_table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table: a line for each name, a column for each measure.

    Control and chance are a last line where every column has one of them, else a last column.
    """
    measures = _unique(_column(row) for row in rows)
    names = _unique(row.name for row in rows)
    table = [["", *measures], *([name, *(_cell(name, measure, rows) for measure in measures)] for name in names)]
    for field in ("control", "chance"):
        held = [row for row in rows if getattr(row, field) is not None]
        below = [_beside(field, [row for row in held if _column(row) == measure]) for measure in measures]
        if held and len(names) > 1 and all(len(told) == len({part for part, _ in told}) for told in below):
            table.append([field, *(_joined(told) for told in below)])
        elif held:
            beside = [_joined(_beside(field, [row for row in held if row.name == name])) for name in names]
            head = [
                [*line, cell] for line, cell in zip(table, [field, *beside], strict=False)
            ]  # a last line stays short
            table = head + table[len(head) :]
    width = len(table[0])
    table.insert(1, ["---"] * width)
    return "".join(
        "|" + "".join(f" {cell} |" if cell else " |" for cell in line) + "\n" for line in _padded(table, width)
    )


def _padded(table: list[list[str]], width: int) -> list[list[str]]:
    return [[*line, *[""] * (width - len(line))] for line in table]


def _beside(field: str, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the parts of a measure with their control or chance, each once."""
    return _unique((_part(row), row.shown(getattr(row, field))) for row in rows)


def _joined(told: list[tuple[str, str]]) -> str:
    return " / ".join(shown for _, shown in told)


def _cell(name: str, column: str, rows: Sequence[Row]) -> str:
    parts = _unique(_part(row) for row in rows if _column(row) == column)
    held = {_part(row): row.text for row in rows if row.name == name and _column(row) == column}
    return " / ".join(held.get(part, "–") for part in parts) if held else ""


def _column(row: Row) -> str:
    return row.measure.partition(" | ")[0]


def _part(row: Row) -> str:
    return row.measure.partition(" | ")[2]


def _unique(values: Iterable) -> list:
    return list(dict.fromkeys(values))


def main() -> None:
    """Rewrite the tables of all documents."""
    for path in documents():
        old = path.read_text()
        new = rendered(old)
        if new != old:
            path.write_text(new)
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
