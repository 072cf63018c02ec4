"""Errors and warnings in the words of the command line: options and commands where Python names arguments and functions."""

from __future__ import annotations

import re
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["in_options", "options_of", "warnings_in_options"]

PASSED = {
    "labels": "--labels LABELS",
    "max_gap": "--max-gap {}",
    "min_area": "--min-area {}",
}  # arguments of those functions
PARTS = re.compile(r"`adata\.(?=(?:X|obs|obsm|obsp|uns|var|layers|obs_names|var_names)\b)")
BARE = re.compile(r"""(?<![\w`.'"])(\w+)=('[^']*'|"[^"]*"|True|False|None|[\d.]*\d)""")
CALL = re.compile(r"`cgc\.((?:\w+\.)?\w+)(?:\(([^`]*)\))?`")
ARGUMENT = re.compile(r"`(\w+)(?:=([^`]*))?`")


def in_options(text: str, options: Mapping[str, str]) -> str:
    """Return a text in which calls of functions are commands, and arguments the options of a command.

    `options` are those of the command that runs, by the name of the argument. What has no option stays as it is.
    """
    known = _commands()

    def command(found: re.Match[str]) -> str:
        if found[1] not in known:
            return found[0]
        said = [part.strip().partition("=") for part in (found[2] or "").split(",")]
        passed = [PASSED[name].format(value or "…") for name, _, value in said if name in PASSED]
        return f"`cellgraph-clr {' '.join([known[found[1]], *passed])}`"

    def option(found: re.Match[str]) -> str:
        name = options.get(found[1])
        return found[0] if name is None else f"`{_typed(name, found[2] or '')}`"

    return BARE.sub(option, ARGUMENT.sub(option, CALL.sub(command, PARTS.sub("`", text))))


def _typed(flag: str, value: str) -> str:
    """Return an option as it is typed, for a value as Python writes it."""
    if value == "True":
        return flag
    if value == "False":
        return f"--no-{flag[2:]}"
    names = value.strip("[]()").split(",")
    typed = ",".join(name.strip().strip("'\"") for name in names if name.strip()).replace("None", "none")
    return flag if typed in ("", "…") else f"{flag} {typed}"


def _commands() -> dict[str, str]:
    """Return {function: command}, with the option that picks the function."""
    from cellgraph_clr.cli.commands import COMMANDS
    from cellgraph_clr.cli.options import flag_of

    out = {"pp.scale_features": "embed --scale"}
    for name, command in COMMANDS.items():
        for value, function in command.functions.items():
            flag = flag_of(command.choice) if command.choice else ""
            chosen = {True: f" {flag}", False: ""}.get(value, f" {flag} {value}") if command.choice else ""
            out.setdefault(function, name + chosen)
    return out


def options_of(words: list[str]) -> dict[str, str]:
    """Return the long options of the command that these words call, by the names of their arguments; none for no command."""
    import typer

    from cellgraph_clr.cli.app import app

    commands: Any = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = next((commands[w] for w in words if w in commands), None)
    if known is None:
        return {}
    named = {p.name: [o for o in p.opts if o.startswith("--")] for p in known.params}
    return {name: longest[0] for name, longest in named.items() if longest}


@contextmanager
def warnings_in_options() -> Iterator[None]:
    """Say warnings for users in one line each, in the words of the command line."""
    as_before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if category is not UserWarning:
            as_before(message, category, *place)
            return
        print(f"warning: {' '.join(in_options(str(message), options_of(sys.argv[1:])).split())}", file=sys.stderr)

    warnings.showwarning = show  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.showwarning = as_before
