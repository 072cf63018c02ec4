"""Checks at the border; every message names what was expected, what was found, and what to do."""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.errors import (
    CellGraphError,
    MissingKeyError,
    NonFiniteError,
    OptionError,
    ShapeError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "MOST_HOPS",
    "MOST_STEPS",
    "check_finite",
    "check_in_range",
    "check_key",
    "check_key_added",
    "check_not_owned",
    "check_option",
    "check_precision",
    "check_same_length",
    "check_text",
    "check_whole",
    "expected",
    "listing",
    "sample_name",
]


MOST_HOPS = 100  # to a neighbour: pairs, or columns, of every hop are kept
MOST_STEPS = 10_000  # over a graph, of walks and means: more of them only take longer


def expected(what: str, found: object, remedy: str) -> str:
    """Return the one form of message: what was expected, what was found, what to do."""
    return f"Expected {what}, found {found}. {remedy}"


def listing(items: Collection[Any], *, limit: int = 10) -> str:
    """Return the first `limit` items as text, with the number of those left out."""
    shown = [str(i) for i in list(items)[:limit]]
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") if len(items) else "none"


def check_option(name: str, value: object, allowed: Sequence[object]) -> None:
    """Raise `OptionError` unless `value` is one of `allowed`."""
    if not isinstance(value, Hashable) or value not in allowed:  # arrays would compare element by element
        choices = ", ".join(repr(a) for a in allowed)
        raise OptionError(expected(f"`{name}` to be one of {choices}", repr(value), "Choose one of them."))


def check_precision(precision: object) -> None:
    """Raise `OptionError` unless `precision` is one that networks are trained in: "32" or "bf16"."""
    check_option("precision", precision, ("32", "bf16"))


def check_in_range(
    name: str,
    value: float,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Raise `OptionError` unless `value` is a finite number between `low` and `high`."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    inside = (
        number
        and not (isinstance(value, int) and abs(value) > sys.float_info.max)
        and math.isfinite(value)
        and (value > low if low_open else value >= low)
        and (value < high if high_open else value <= high)
    )
    if not inside:
        left, right = ("(" if low_open else "["), (")" if high_open else "]")
        interval = f"`{name}` to be a number in {left}{low:g}, {high:g}{right}"
        raise OptionError(expected(interval, repr(value), f"Pass a `{name}` inside it."))


def check_whole(name: str, value: object, *, low: int = 1, high: float = np.inf) -> None:
    """Raise `OptionError` unless `value` is a whole number between `low` and `high`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (whole and low <= value <= high):  # type: ignore[operator]
        limit = f"between {low} and {high:g}" if np.isfinite(high) else f">= {low}"
        raise OptionError(expected(f"`{name}` to be a whole number {limit}", repr(value), f"Pass such a `{name}`."))


def check_text(name: str, value: object) -> None:
    """Raise `OptionError` unless `value` is text."""
    if not isinstance(value, str):
        raise OptionError(expected(f"`{name}` as text", repr(value), f"Pass such a `{name}`."))


def check_key(
    key: str,
    keys: Collection[str],
    *,
    where: str,
    remedy: str = "",
    error: type[CellGraphError] = MissingKeyError,
) -> None:
    """Raise `error` unless `key` is in `keys`, naming close matches and what is there."""
    if isinstance(key, Hashable) and key in keys:
        return
    close = get_close_matches(str(key), [str(k) for k in keys], n=3)
    hint = f"Did you mean {', '.join(map(repr, close))}? " if close else ""
    raise error(
        expected(f"{key!r} in `{where}`", listing([repr(k) for k in keys]), hint + (remedy or "Check the spelling."))
    )


RESERVED = {
    "obs": ("cell_id", "library_id", "region", "frame", "track", "line"),
    "obsm": ("spatial", "major_axis"),
}


def check_key_added(key: str, slot: str, *, beside: Collection[str] = ()) -> None:
    """Raise `OptionError` for a key that would overwrite what cells are (`RESERVED`, `beside`), or that files cannot hold."""
    if not isinstance(key, str) or not key or "/" in key:
        raise OptionError(expected("`key_added` as text without a slash", repr(key), "Files cannot hold another key."))
    if key in (*RESERVED.get(slot, ()), *beside):
        remedy = "Choose another key."
        raise OptionError(expected(f"`key_added` that may be written over in `{slot}`", repr(key), remedy))


def check_not_owned(names: Collection[str], what: str) -> None:
    """Raise `OptionError` for `obs` columns of a user's that would be written over what cells are; `what` brings them."""
    owned = [n for n in names if n in RESERVED["obs"]]
    if owned:
        taken = listing([repr(n) for n in RESERVED["obs"]])
        raise OptionError(
            expected(f"{what} with another name than {taken}", listing([repr(n) for n in owned]), "Rename it.")
        )


def sample_name(library_id: object) -> str | None:
    """Return the name of a sample as text, None for None. Raises `OptionError` for what is neither text nor a whole number."""
    if library_id is None:
        return None
    whole = isinstance(library_id, (int, np.integer)) and not isinstance(library_id, bool)
    if not (whole or isinstance(library_id, str)) or "\0" in str(library_id):
        raise OptionError(expected("`library_id` as text or a whole number", repr(library_id), "Name the sample."))
    return str(library_id)


def check_finite(values: np.ndarray, *, what: str, names: Sequence[str] | None = None, remedy: str) -> None:
    """Raise `NonFiniteError` that counts the bad values, per column when `names` are given.

    Cost: one pass over `values`. Empty input passes.
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    n_bad = int(values.size - np.count_nonzero(finite))
    where = ""
    if names is not None and values.ndim == 2:
        per_column = values.shape[0] - np.count_nonzero(finite, axis=0)
        columns = [f"{names[int(j)]} ({per_column[j]})" for j in np.flatnonzero(per_column)]
        where = f" in {listing(columns)}"
    raise NonFiniteError(expected(f"finite {what}", f"{n_bad} values that are NaN or infinite{where}", remedy))


def check_same_length(a: int, b: int, *, what_a: str, what_b: str, remedy: str) -> None:
    """Raise `ShapeError` unless both counts are equal."""
    if a != b:
        raise ShapeError(expected(f"as many {what_b} as {what_a} ({a})", b, remedy))
