"""What a command says: lines on stdout, or one JSON object at the end (`--json`), or nothing (`--quiet`)."""

from __future__ import annotations

import json
import math
from typing import Any

import typer

__all__ = ["begin", "finish", "is_quiet", "say"]

_STATE: dict[str, Any] = {"json": False, "quiet": False, "facts": {}}


def begin(*, as_json: bool, quiet: bool) -> None:
    """Start a command that says things."""
    _STATE.update(json=as_json, quiet=quiet, facts={})


def is_quiet() -> bool:
    """Return whether nothing but the answer is shown."""
    return bool(_STATE["quiet"] or _STATE["json"])


def say(text: str, **facts: Any) -> None:
    """Print a text, or keep the facts in it for the end; facts of one name that are lists are joined."""
    for name, value in facts.items():
        known = _STATE["facts"]
        known[name] = [*known[name], *value] if isinstance(known.get(name), list) else value
    if not is_quiet():
        typer.echo(text)


def finish() -> None:
    """Print the facts where JSON was asked for."""
    if _STATE["json"]:
        typer.echo(json.dumps(_plain(_STATE["facts"]), ensure_ascii=False))


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it: tables as lists of rows, what is not finite as null."""
    if hasattr(value, "columns"):
        return _plain(value.astype(object).where(value.notna(), None).to_dict("records"))
    if hasattr(value, "to_dict"):
        return _plain(value.astype(object).where(value.notna(), None).to_dict())
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
