"""An option of the command line from a parameter of Python: what may be typed, and what is handed on."""

from __future__ import annotations

import csv
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from cellgraph_clr.cli.signatures import MISSING, Parameter

__all__ = ["FILES", "flag_of", "option_of", "parsed"]

FILES = (
    "labels",
    "image",
    "nuclei",
    "model",
    "base",
    "layout",
    "tracks",
    "checkpoint",
)  # read from, or written to, paths
HELP = {  # where a docstring only names another function
    "device": "cpu, cuda, mps, or auto",
    "random_state": "Seed of everything random",
    "library_key": "obs column of samples",
    "neighbors_key": "The graph",
    "precision": "32 or bf16",
    "num_workers": "Processes that draw batches ahead",
    "isolates": "What to do with cells without neighbors: keep, or nearest",
    "checkpoint": "Save training here; go on from it if it exists",
    "spacing": "Pixel size z,y,x, or one number; default: as the file says",
    "model": "Apply this saved model instead of training",
    "image": "Image on the grid of the labels",
    "labels": "Label image",
}
TYPED = {"query": "Cell ids separated by commas (12,15), or column=value"}  # where less can be typed than Python takes
ELSEWHERE = re.compile(r"(As in|As of|Of) [A-Z]?\w+$")  # a docstring that only names another function
WHOLE = ("title",)  # text in which commas are commas: several are typed by repeating the option
ALSO = {"random_state": ("--seed",)}


def flag_of(name: str) -> str:
    """Return the long option of a parameter."""
    return ALSO.get(name, (f"--{name.replace('_', '-')}",))[0]


def option_of(p: Parameter, *, argument: bool = False) -> inspect.Parameter:
    """Return the parameter of a typer command; None stands for what was not typed, so that Python's default holds."""
    text = HELP[p.name] if p.name in HELP and (not p.help or ELSEWHERE.match(p.help)) else p.help
    text = TYPED.get(p.name, text)
    kind: Any = _typed(p)
    shown = "" if p.default in (MISSING, "None", "()") else p.default.strip("'")
    made: Any
    if argument:
        made = typer.Argument(help=text, show_default=False)
        if p.default == MISSING:
            return inspect.Parameter(p.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Annotated[kind, made])
        maybe: Any = Annotated[Optional[kind], made]  # noqa: UP045 - typer reads it when it runs
        return inspect.Parameter(p.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=maybe)
    flag = flag_of(p.name)
    flags = [flag, *([f"--{p.name.replace('_', '-')}"] if p.name in ALSO else [])]
    if kind is bool:
        flags = [f"{flag}/--no-{flag[2:]}"]
        shown = "on" if p.default == "True" else "off"
    told = f"{text} [default: {shown}]".strip() if shown else text
    made = typer.Option(*flags, help=told or None, show_default=False, metavar=_metavar(p, kind))
    annotation: Any = Annotated[Optional[kind], made]  # noqa: UP045 - typer reads it when it runs
    return inspect.Parameter(p.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _parts(annotation: str) -> list[str]:
    """Return the alternatives of an annotation, None left out."""
    inside = re.sub(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]", lambda m: m[0].replace("|", "/"), annotation)
    return [part.strip() for part in inside.split("|") if part.strip() != "None"]


def _optional_number(p: Parameter) -> Callable[[str], Any] | None:
    """Return int or float for a parameter that takes such a number or None, None for any other."""
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
    parts = _parts(p.annotation)
    return kinds.get(parts[0]) if "None" in p.annotation and len(parts) == 1 else None


def _takes_texts(p: Parameter) -> bool:
    """Return whether several texts can be typed."""
    return any(part.startswith(("Sequence[str", "tuple[str")) for part in _parts(p.annotation))


def _typed(p: Parameter) -> Any:
    parts = _parts(p.annotation)
    if _takes_texts(p):
        return list[str]
    if _optional_number(p) is not None:
        return str
    if p.name in FILES and parts != ["str"]:
        return Path
    for name, kind in (("bool", bool), ("int", int), ("float", float)):
        if parts == [name]:
            return kind
    return int if parts == ["RandomState"] else str


def _metavar(p: Parameter, kind: Any) -> str | None:
    """Return the values of a closed set, or what a list looks like."""
    closed = re.match(r"Literal\[([^\]]*)\]$", p.annotation)
    if closed:
        return "|".join(v.strip().strip("'") for v in closed[1].split(","))
    if _optional_number(p) is not None:
        return "INTEGER|none" if _optional_number(p) is int else "FLOAT|none"
    if kind == list[str]:
        return "<str>" if p.name in WHOLE else "A,B,…"
    return None


def parsed(p: Parameter, value: Any) -> Any:
    """Return a value as Python takes it. Raises `OptionError` for what cannot be one."""
    if isinstance(value, list):
        several = tuple(value) if p.name in WHOLE else tuple(name for text in value for name in _cells(p, text))
        return several[0] if len(several) == 1 and "str" in _parts(p.annotation) else several
    if not isinstance(value, str):
        return value
    parts = _parts(p.annotation)
    optional = _optional_number(p)
    if optional is not None:
        return None if value == "none" else _number(p, value, optional)
    if any(part.startswith(("Sequence[float", "tuple[float")) for part in parts):
        return _numbers(p, value, float, alone="float" in parts)
    if any(part.startswith(("Sequence[int", "tuple[int")) for part in parts):
        return tuple(_numbers(p, value, int, alone=False))
    if any(part.startswith("Mapping[") for part in parts) and "=" in value:
        pairs = [pair.rpartition("=") for pair in _cells(p, value)]
        return {name: _number(p, share, float) for name, _, share in pairs}
    for name, number in (("int", int), ("float", float)):
        if name in parts and re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value):
            return _number(p, value, number)
    return None if value == "none" and "None" in p.annotation else value


def _cells(p: Parameter, text: str) -> list[str]:
    """Return names separated by commas as in a row of a .csv: one in double quotes may hold commas. Raises `OptionError`."""
    from cellgraph_clr._core.errors import OptionError

    try:
        return next(csv.reader([text], strict=True)) or [""]
    except csv.Error as error:
        remedy = """Put a name with commas in double quotes, and all of it in single ones: '"a, b",c'."""
        found = f"Expected `{flag_of(p.name)}` as names separated by commas, found {text!r}. {remedy}"
        raise OptionError(found) from error


def _number(p: Parameter, text: str, kind: Callable[[str], Any]) -> Any:
    """Return one number. Raises `OptionError` for what is none."""
    from cellgraph_clr._core.errors import OptionError

    try:
        return kind(text)
    except ValueError as error:
        like = "0.5" if kind is float else "3"
        also = ", or `none`" if "None" in p.annotation else ""
        found = f"Expected `{flag_of(p.name)}` as a number like {like}, found {text!r}. Pass a number{also}."
        raise OptionError(found) from error


def _numbers(p: Parameter, text: str, kind: Callable[[str], Any], *, alone: bool) -> Any:
    """Return numbers separated by commas; one that is alone by itself. Raises `OptionError` for what are none."""
    from cellgraph_clr._core.errors import OptionError

    try:
        values = [kind(part) for part in text.split(",")]
    except ValueError as error:
        like = "0.5,0.2,0.2" if kind is float else "1,2"
        found = f"Expected `{flag_of(p.name)}` as numbers like {like}, found {text!r}. Separate by commas."
        raise OptionError(found) from error
    return values[0] if alone and len(values) == 1 else values
