"""The command line: `cellgraph-clr` mirrors the Python functions one to one; nothing heavy loads before it is needed."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; a named error of the package becomes one line on stderr and exit code 2."""
    from cellgraph_clr._core.errors import CellGraphError
    from cellgraph_clr.cli.app import app

    try:
        app()
    except CellGraphError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
