"""The commands as they are typed: each is built from the signatures of its functions when it is called, and no sooner."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from typer.core import TyperGroup

from cellgraph_clr.cli.by_hand import demo, doctor
from cellgraph_clr.cli.commands import COMMANDS, Command, options_from
from cellgraph_clr.cli.options import flag_of, option_of, parsed
from cellgraph_clr.cli.said import begin, finish
from cellgraph_clr.cli.signatures import Parameter

__all__ = ["app"]

BY_HAND: dict[str, tuple[Callable[..., None], str]] = {
    "demo": (demo, "Run the main job on a real tissue image and on generated tissue with known truth."),
    "doctor": (doctor, "Report versions and hardware, and compile what first calls need by a very small job."),
}
NAMES = ("demo", *COMMANDS, "doctor")
OUTPUTS = {  # what a command writes: help of --output, and whether it is needed
    "cells": ("Where to write: .h5ad or .zarr", False),
    "answer": ("Write the cells with the answer: .h5ad or .zarr", False),
    "new": ("Where to write: .h5ad or .zarr", True),
    "table": ("Write the cells of all frames, with features and events, as .h5ad", False),
    "page": ("Page to write: .html", True),
    "picture": ("Picture to write: .png, .pdf or .svg", True),
}
QUIET = Parameter("quiet", "bool", "False", "Show nothing but warnings and errors")


def _built(name: str) -> Any:
    """Return the command of a name."""
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    if name in BY_HAND:
        single.command(name, help=BY_HAND[name][1])(BY_HAND[name][0])
    else:
        command = COMMANDS[name]
        calls = ", ".join(f"cgc.{dotted}" for dotted in command.functions.values())
        text = f"{command.summary}\n\nPython: {calls}.\n\n\b\nExample:\n  {command.example}"
        single.command(name, help=text)(_callback(command))
    return typer.main.get_command(single)


def _callback(command: Command) -> Callable[..., None]:
    """Return the function that typer calls: its signature is that of the command."""
    options = {p.name: p for p in options_from(command)}

    def call(**typed: Any) -> None:
        begin(as_json=bool(typed.pop("json")), quiet=bool(typed.pop("quiet")))
        known = [n for n in (*options, command.choice) if typed.get(n) not in (None, [])]
        given = {n: parsed(options[n], typed[n]) if n in options else typed[n] for n in known}
        module, _, function = command.run.partition(".")
        getattr(importlib.import_module(f"cellgraph_clr.cli.{module}"), function)(command, typed, given)
        finish()

    signature = inspect.Signature(_parameters(command, options))
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return call


def _parameters(command: Command, options: Mapping[str, Parameter]) -> list[inspect.Parameter]:
    """Return the parameters of a command: what is read, what Python takes, where to write, how to say it."""
    out = []
    if "labels" not in command.arguments:
        several = command.run == "cells.concat"
        kind: Any = list[Path] if several else Path
        made = typer.Argument(help=command.inputs, show_default=False)
        out.append(inspect.Parameter("path", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Annotated[kind, made]))
    out += [option_of(options[name], argument=True) for name in command.arguments]
    if command.choice:
        values = [str(k) for k in command.functions]
        kind = "bool" if isinstance(command.default, bool) else f"Literal[{', '.join(values)}]"
        text = f"{command.functions[True]} instead" if kind == "bool" else "What to make"
        out.append(option_of(Parameter(command.choice, kind, str(command.default), text)))
    out += [option_of(p) for name, p in options.items() if name not in command.arguments]
    out += [_own(p) for p in command.extra]
    return [*out, *_written(command), _flag("quiet", QUIET.help), _flag("json", "Print one JSON object")]


def _flag(name: str, text: str) -> inspect.Parameter:
    annotation = Annotated[bool, typer.Option(flag_of(name), help=text)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)


def _own(p: Parameter) -> inspect.Parameter:
    if p.annotation != "PathLike":
        return option_of(p)
    annotation = Annotated[Optional[Path], typer.Option(flag_of(p.name), help=p.help)]  # noqa: UP045
    return inspect.Parameter(p.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _written(command: Command) -> Iterator[inspect.Parameter]:
    """Give the options that say where to write."""
    if command.writes == "table":
        table = Annotated[Path, typer.Option("--table", help="Where to write the table (.csv)")]
        yield inspect.Parameter("table", inspect.Parameter.KEYWORD_ONLY, annotation=table)
    if command.writes in OUTPUTS:
        text, is_needed = OUTPUTS[command.writes]
        made = typer.Option("--output", "-o", help=text)
        kind: Any = Annotated[Path, made] if is_needed else Annotated[Optional[Path], made]  # noqa: UP045
        default = {} if is_needed else {"default": None}
        yield inspect.Parameter("output", inspect.Parameter.KEYWORD_ONLY, annotation=kind, **default)
    if command.writes in ("cells", "answer"):
        yield _flag("in_place", "Write over the input")


class _Lazy(Mapping[str, Any]):
    """The commands by name, built when asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in NAMES:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _built(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Say wrong usage in one line on stderr, with the help that tells more."""
    try:
        yield
    except Exception as error:  # click's, wherever typer keeps it
        if not hasattr(error, "format_message") or type(error).__name__ == "NoArgsIsHelpError":
            raise
        words = " ".join(f"{error.format_message()}".split()).rstrip(".")
        place = getattr(error, "ctx", None)
        more = "" if place is None else f" See `{place.command_path} --help`."
        typer.echo(f"UsageError: {words}.{more}", err=True)
        raise typer.Exit(2) from error


class Commands(TyperGroup):
    """The group of all commands; its help names them without building them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Lazy()  # type: ignore[assignment]

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Return the context of what is typed; what is wrong of it is said in one line."""
        with _in_one_line():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what is wrong of its options is said in one line."""
        with _in_one_line():
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands."""
        rows = [(name, BY_HAND[name][1] if name in BY_HAND else COMMANDS[name].summary) for name in NAMES]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = typer.Typer(
    name="cellgraph-clr",
    cls=Commands,
    help="Spatial cell graphs: from segmented cells to learned, queryable tissue in AnnData.",
    epilog="Exit codes: 0 done; 1 `inspect` found problems; 2 wrong usage, or an input, option or output that does not fit, in"
    " one line on stderr; 3 out of memory; 130 interrupted; 141 nobody reads what is printed; 143 asked to end.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from cellgraph_clr import __version__

        typer.echo(f"cellgraph-clr {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take what goes before the command."""
