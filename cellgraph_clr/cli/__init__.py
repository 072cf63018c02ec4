"""The command line: `cellgraph-clr` mirrors the Python functions one to one; nothing heavy loads before it is needed.

Whatever fails ends in one line on stderr and an exit code:

0    done
1    `inspect` found problems
2    wrong usage, a named error of the package, or a file that cannot be read or written
3    out of memory
130  interrupted (Ctrl-C)
141  nobody reads what is printed (a closed pipe)
143  asked to end (SIGTERM) while it learned
"""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

OUT_OF_MEMORY = ("can't allocate memory", "out of memory")  # as torch says it


def main() -> None:
    """Run the command line and leave with an exit code, see above."""
    try:
        from cellgraph_clr._core.errors import CellGraphError

        try:
            from cellgraph_clr.cli.app import app
            from cellgraph_clr.cli.words import in_options, options_of, warnings_in_options

            with warnings_in_options():
                app()
        except CellGraphError as error:
            _leave(2, f"{type(error).__name__}: {in_options(str(error), options_of(sys.argv[1:]))}")
    except SystemExit as stop:  # typer's own end
        if stop.code in (130, 143):
            word = "Interrupted" if stop.code == 130 else "Terminated"
            _leave(stop.code, f"{word}: what was being written was not replaced.")
        if isinstance(stop.__context__, BrokenPipeError):
            _leave(141, "BrokenPipeError: nobody reads what is printed.")
        raise
    except KeyboardInterrupt:
        _leave(130, "Interrupted: what was being written was not replaced.")
    except MemoryError as error:
        _leave(3, f"MemoryError: {str(error) or 'out of memory'}")
    except OSError as error:
        _leave(2, f"{type(error).__name__}: {error}")
    except RuntimeError as error:
        if not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
        _leave(3, f"MemoryError: {error}")


def _leave(code: int, line: str) -> None:
    """Print one line on stderr and leave; what was printed before is dropped where nobody reads it."""
    print(" ".join(line.split()), file=sys.stderr)
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):  # a closed pipe, no stdout at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)
