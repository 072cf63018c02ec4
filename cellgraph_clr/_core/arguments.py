"""Arguments of another kind than a signature says are named at the door, before work starts."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from typing import Any, Literal, ParamSpec, TypeVar, get_args

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import CellGraphError, OptionError
from cellgraph_clr._core.hints import option_hint

__all__ = ["checked"]

P = ParamSpec("P")
R = TypeVar("R")
MOST = 2**63  # what 64 bits hold
ELSEWHERE = ("spacing", "origin")  # checked for all who take them, with the axes they need
EVEN = ("figsize", "image", "library_id", "query", "rows", "slab")  # become arrays, whose rows are of one length
BARE = (bytes, Mapping, set)  # can be gone through, and are no sequence of values; what text is, the function knows


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and -MOST <= int(value) < MOST


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not (
        isinstance(value, int) and abs(value) >= 2**1023
    )


def _is_iterable(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, BARE) and getattr(value, "ndim", 1) > 0


def _is_sequence(value: Any) -> bool:
    return _is_iterable(value) and hasattr(value, "__len__")


def _is_random_state(value: Any) -> bool:
    return value is None or isinstance(value, np.random.Generator) or (_is_whole(value) and 0 <= value < 2**32)


KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {  # by annotation: what it is called, and whether a value is one
    "None": ("None", lambda v: v is None),
    "bool": ("True or False", lambda v: isinstance(v, (bool, np.bool_))),
    "int": ("a whole number", _is_whole),
    "float": ("a number", _is_number),
    "str": ("text", lambda v: isinstance(v, str)),
    "Sequence": ("a sequence", _is_sequence),
    "Iterable": ("a sequence", _is_iterable),
    "tuple": ("a sequence", _is_sequence),
    "ndarray": ("an array", lambda v: _is_sequence(v) and not isinstance(v, str)),
    "RandomState": ("a seed, a NumPy Generator or None", _is_random_state),
    "Mapping": ("a mapping", lambda v: isinstance(v, Mapping)),
    "PathLike": ("a path", lambda v: isinstance(v, os.PathLike)),
}
NOUNS: dict[str, tuple[tuple[str, ...], str]] = {  # classes: what tells one, and how to come by one
    "AnnData": (("is_view", "obsp"), "Read it from its file: `cgc.read`."),
    "Movie": (("frames", "frame_interval"), "Make one: `cgc.Movie.build`, or `cgc.read_movie`."),
    "Plate": (("table", "channels"), "Make one: `cgc.Plate.build`, or `cgc.read_plate`."),
    "DataFrame": (("columns", "iloc"), "Make a `pandas.DataFrame` of it."),
}
NOUNS["Noise"] = (("mixing", "pixel"), "Make one: `cgc.datasets.Noise`.")
MODELS = ("CellGraphCLR", "MorphoFeatures", "TimeArrow", "EventClassifier", "DeepInfoMax")
NOUNS |= dict.fromkeys(MODELS, (("state", "save", "options"), "Fit one, or load it: `cgc.models`."))


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the kinds of arguments by their annotations; those that say more than `KINDS` and `NOUNS` know pass.

    Raises `OptionError` for an option of another kind, or a whole number beyond 64 bits, and `CellGraphError` for what should
    be an AnnData, a movie, a plate or a table, and is none. A few microseconds a call.
    """
    signature = inspect.signature(function)
    takes_more = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:  # too many or missing ones: Python says so
            unknown = [] if takes_more else [name for name in kwargs if name not in signature.parameters]
            if not unknown:
                _check_number(function.__name__, signature, args)
                return function(*args, **kwargs)
            hint = option_hint(unknown[0], signature.parameters)
            raise TypeError(f"`{function.__name__}` has no option `{unknown[0]}`. {hint}") from error
        for name, value in given.items():
            parameter = signature.parameters[name]
            if parameter.kind is parameter.VAR_KEYWORD or name in ELSEWHERE or value is parameter.default:
                continue
            _check(name, value, str(parameter.annotation))
            if name in EVEN and isinstance(value, (list, tuple)):
                _check_even(name, value)
        return function(*args, **kwargs)

    return call


def _check_number(function: str, signature: inspect.Signature, args: tuple[object, ...]) -> None:
    """Raise `TypeError` for options that are given without their names."""
    parameters = signature.parameters.values()
    placed = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    if len(args) <= len(placed) or not named or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    meant = next((p for p in named if _fits(args[len(placed)], str(p.annotation))), named[0])
    remedy = f"Write `{function}({', '.join([*placed, f'{meant.name}=…'])})`."
    raise TypeError(expected(f"options of `{function}` by name", "a value without one", remedy))


def _check_even(name: str, value: Any) -> None:
    """Raise `OptionError` for a list of lists of different lengths."""
    try:
        np.shape(value)
    except ValueError as error:
        remedy = f"Pass such a `{name}`."
        raise OptionError(expected(f"`{name}` as values, or rows of one length", f"{value!r:.60}", remedy)) from error


def _fits(value: object, annotation: str) -> bool:
    known = [_known(part) for part in _parts(annotation)]
    return any(k is not None and k[1](value) for k in known)


def _check(name: str, value: Any, annotation: str) -> None:
    found = (
        f"{value!r:.60}"
        if isinstance(value, (bool, int, float, complex, str, bytes, type(None)))
        else type(value).__name__
    )
    known = [_known(part) for part in _parts(annotation)]
    if not known or any(k is None or k[1](value) for k in known):
        return
    names = [k[0] for k in known if k is not None]
    remedy = next((k[2] for k in known if k is not None and k[2]), f"Pass such a `{name}`.")
    nouns = any(k is not None and k[2] for k in known)
    raise (CellGraphError if nouns else OptionError)(expected(f"`{name}` as {' or '.join(names)}", found, remedy))


@cache
def _parts(annotation: str) -> tuple[str, ...]:
    """Return the alternatives of an annotation: "Sequence[str | int] | None" are two."""
    out, depth, start = [], 0, 0
    for i, sign in enumerate(annotation):
        depth += (sign in "[(") - (sign in "])")
        if sign == "|" and depth == 0:
            out.append(annotation[start:i].strip())
            start = i + 1
    return (*out, annotation[start:].strip())


@cache
def _known(part: str) -> tuple[str, Callable[[Any], bool], str] | None:
    """Return what an alternative is called, whether a value is one, and how to come by one; None where that is not known."""
    base = part.split("[")[0].rsplit(".", maxsplit=1)[-1]
    if base == "Literal":
        allowed = get_args(eval(part, {"Literal": Literal}))
        return (
            f"one of {', '.join(map(repr, allowed))}",
            lambda v: isinstance(v, (str, int, type(None))) and v in allowed,
            "",
        )
    if base in KINDS:
        return *KINDS[base], ""
    if base in NOUNS:
        attributes, remedy = NOUNS[base]
        article = "an" if base[0] in "AEIO" else "a"
        return f"{article} {base}", lambda v: all(hasattr(v, a) for a in attributes), remedy
    return None
