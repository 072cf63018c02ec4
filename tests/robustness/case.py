"""A hostile case: what is tried, and what may become of it."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FINE, NAMED, RAW, WRONG, HANG, CRASH, BROKEN = (
    "right or fine",
    "named error",
    "raw traceback",
    "silently wrong",
    "hang",
    "crash",
    "broken case",
)
VERDICTS = (FINE, NAMED, RAW, WRONG, HANG, CRASH, BROKEN)
FAILURES = VERDICTS[2:]  # a broken case is one that fails before it reaches the library
OURS, HERE = "/cellgraph_clr/", "/tests/robustness/"


class Wrong(AssertionError):
    """A result that is not what the oracle or the law says, or a valid input that was refused."""


@dataclass(frozen=True)
class Case:
    """One thing to try: `call(folder, seed)` with an empty folder, which raises `Wrong` for a wrong result.

    `seeded` cases are other ones for another seed; the rest is tried once. `tries` tells how many inputs a case goes through.
    `slow` ones need scanpy's neighbours, which take half a minute to compile, and are in no sample.
    """

    area: str
    name: str
    call: Callable[[Path, int], object]
    seeded: bool = False
    tries: int = 1
    limit: float = 15.0  # seconds of wall time
    slow: bool = False


@dataclass(frozen=True)
class Result:
    """What became of a case: one of `VERDICTS`, and for failures why and where."""

    area: str
    name: str
    seed: int
    verdict: str
    text: str = ""
    tries: int = 1


# --- What must come of an input ---


def right(call: Callable[[], Any], check: Callable[[Any], object]) -> None:
    """Valid input: it is taken, and `check` holds for the result."""
    from cellgraph_clr import CellGraphError

    try:
        value = call()
    except CellGraphError as error:
        raise Wrong(f"valid, but refused: {type(error).__name__}: {error}") from error
    check(value)


def either(call: Callable[[], Any], check: Callable[[Any], object]) -> None:
    """Doubtful input: it is refused by a named error, or `check` holds for the result."""
    check(call())


def refused(call: Callable[[], Any], check: object = None) -> None:
    """Bad input: it is refused by a named error."""
    value = call()
    raise Wrong(f"accepted, gave {value!r:.150}")


def told(words: str) -> Callable[[Callable[[], Any], Callable[[Any], object]], None]:
    """Doubtful input: it is refused by a named error, a warning tells of it in these words, or `check` holds for the result."""

    def must(call: Callable[[], Any], check: Callable[[Any], object]) -> None:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            value = call()
        if not any(words in str(w.message) for w in seen):
            check(value)

    return must


def anything(value: object) -> None:
    """A check that holds for every result: where nobody knows the right one."""


# --- What became of it ---


def verdict_of(error: BaseException | None) -> tuple[str, str]:
    """Return the verdict on what a case raised (None: nothing), and for failures the message and where it comes from."""
    from cellgraph_clr import CellGraphError

    if error is None:
        return FINE, ""
    if isinstance(error, CellGraphError) or (isinstance(error, ValueError) and _from_sklearn(error)):
        return NAMED, ""
    text = (
        " ".join(f"{type(error).__name__}: {error}".split())
        .encode("ascii", "backslashreplace")
        .decode()
        .replace("\0", "?")[:300]
    )
    if isinstance(error, Wrong):
        return WRONG, text.removeprefix("Wrong: ")
    at = _inside(error)
    return (RAW, f"{text} @ {at}") if at else (BROKEN, f"{text} @ {_frames(error)[-1]}")


def _frames(error: BaseException) -> list[str]:
    return [f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]


def _inside(error: BaseException) -> str:
    """Return the innermost line of the package that an error went through."""
    ours = [f.split(OURS)[-1] for f in _frames(error) if OURS in f and HERE not in f]
    return ours[-1] if ours else ""


def _from_sklearn(error: ValueError) -> bool:
    """Whether scikit-learn checked the input of one of its estimators, which our classifiers are."""
    frames = _frames(error)
    return "/sklearn/" in frames[-1] and any("models/classifiers/" in f for f in frames)
