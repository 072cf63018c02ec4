"""What a function hands on by `**config` is shown one by one: in `help()`, by completion and in the reference."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["entries_of", "show_options", "shows"]

Made = TypeVar("Made", bound="Callable[..., Any]")
STARRED = re.compile(r"^\*\*\w+[^\n]*\n(?:    [^\n]*\n)+", re.MULTILINE)


def shows(
    *sources: type, without: Collection[str] = (), told: Mapping[type, str] | None = None
) -> Callable[[Made], Made]:
    """Return a decorator for a function whose `**more` are options of other classes.

    Parameters
    ----------
    *sources : type
        Classes whose parameters are these options, with a docstring in numpydoc's form. The first that has a name describes it;
        what the function names itself is left as it is.
    without : collection of str, default ()
        Names left out.
    told : mapping of type to str or None, default None
        What stands before the descriptions of a class.

    Returns
    -------
    callable
        The decorator; it returns the same function, with another `__signature__` and docstring.
    """

    def decorate(made: Made) -> Made:
        show_options(made, inspect.signature(made), sources, without=without, told=told or {})
        return made

    return decorate


def show_options(
    made: Any,
    signature: inspect.Signature,
    sources: Collection[type],
    *,
    without: Collection[str] = (),
    told: Mapping[type, str] | None = None,
) -> None:
    """Give a function or class a signature and docstring in which options of `sources` stand in place of `**more`."""
    given, named = signature.parameters, entries_of(made.__doc__)
    shown: dict[str, inspect.Parameter] = {}
    described: dict[str, str] = {}
    for source in sources:
        entries, before = entries_of(source.__doc__), (told or {}).get(source, "")
        for p in inspect.signature(source).parameters.values():
            if p.name in without:
                continue
            if p.name not in given:
                shown.setdefault(p.name, p.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            if p.name not in named:
                described.setdefault(p.name, entries.get(p.name, "").replace("\n    ", f"\n    {before}", 1))
    own = [p for p in given.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    made.__signature__ = signature.replace(parameters=[*own, *shown.values()])
    if made.__doc__:  # not under `python -OO`
        made.__doc__ = STARRED.sub(lambda _: "".join(described.values()), inspect.cleandoc(made.__doc__), count=1)


def entries_of(doc: str | None) -> dict[str, str]:
    """Return the entries of the section "Parameters" of a docstring in numpydoc's form, by name, with their ends of lines."""
    lines = inspect.cleandoc(doc or "").splitlines()
    if "Parameters" not in lines:
        return {}
    entries: dict[str, str] = {}
    name = ""
    for line, after in zip(
        lines[lines.index("Parameters") + 2 :], [*lines[lines.index("Parameters") + 3 :], ""], strict=True
    ):
        if re.fullmatch("-+", after):
            break
        if line and not line.startswith(" "):
            name = line.partition(" : ")[0]
            entries[name] = ""
        entries[name] += f"{line}\n"
    return {name: f"{text.rstrip()}\n" for name, text in entries.items()}
