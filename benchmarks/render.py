"""Tables of documents from `benchmarks/results`: `python -m benchmarks.render` rewrites what is between the markers.

`<!-- results: NAME TABLE -->` opens a table and `<!-- end -->` closes it; `<!-- results: NAME TABLE: one; another -->` shows
these lines of it alone.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.rows import RESULTS, Row, read

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"(<!-- results: (\w+) ([^:\n]+?)(?:: ([^\n]+?))? -->\n).*?(<!-- end -->)", re.DOTALL)


def documents() -> list[Path]:
    """Return the documents that may hold tables."""
    return [ROOT / "README.md", ROOT / "benchmarks" / "RESULTS.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rendered(text: str, folder: Path = RESULTS) -> str:
    """Return the text with every marked table as the files have it."""

    def table(found: re.Match[str]) -> str:
        rows = [row for row in read(found[2], folder)[0] if row.table == found[3]]
        if found[4]:
            rows = [row for name in found[4].split("; ") for row in rows if row.name == name]
        if not rows:
            raise ValueError(
                f"expected rows of {found[2]}, table {found[3]}, found none: measure them or mend the marker"
            )
        return f"{found[1]}{as_table(rows)}{found[5]}"

    return MARKED.sub(table, text)


def as_table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table: a line for each name, a column for each measure, control and chance at the end."""
    columns = _unique(_column(row) for row in rows)
    lines = {name: [r for r in rows if r.name == name] for name in _unique(row.name for row in rows)}
    cells = {name: [_cell(name, column, rows) for column in columns] for name in lines}
    for field in ("control", "chance"):
        if any(getattr(row, field) is not None for row in rows):
            columns.append(field)
            for name, line in lines.items():
                told = _unique((_part(r), r.shown(getattr(r, field))) for r in line if getattr(r, field) is not None)
                cells[name].append(" / ".join(value for _, value in told))
    table = [["", *columns], ["---"] * (1 + len(columns)), *([name, *line] for name, line in cells.items())]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |").replace("|  |", "| |") for line in table)


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
