"""What a lineage must be: every track once, ends after it begins, parents that end before their children begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from cellgraph_clr._core.errors import CellGraphError

__all__ = ["TRACK_COLUMNS", "check_lineage", "whole_numbers"]

TRACK_COLUMNS = ("track", "begin", "end", "parent")
LARGEST = 2**53  # whole numbers that floats tell apart


def whole_numbers(
    table: pd.DataFrame, places: Sequence[str], error: type[CellGraphError] = OptionError
) -> pd.DataFrame:
    """Return the columns of a lineage as int64; text of whole numbers is read, nothing is rounded.

    Parameters
    ----------
    table : with `TRACK_COLUMNS`, numbers or text.
    places : what every row is called in errors: "line 3".
    error : what is raised for a value that is no whole number of 64 bits.
    """
    import pandas as pd

    columns = {}
    for name in TRACK_COLUMNS:
        values = np.empty(len(table), np.int64)
        for i, value in enumerate(table[name].tolist()):
            try:
                values[i] = _whole(value)
            except (ValueError, TypeError, OverflowError) as bad:
                remedy = "Tracks, frames and parents are whole numbers."
                found = "nothing" if value is None or value != value else repr(value)  # noqa: PLR0124 - NaN
                raise error(expected(f"a whole number as {name} in {places[i]}", f"{found:.60}", remedy)) from bad
        columns[name] = values
    return pd.DataFrame(columns)


def _whole(value: object) -> int:
    """Return a value as a whole number. Raises `ValueError`, `TypeError` and `OverflowError` where it is none."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError("a truth value")
    if isinstance(value, (int, np.integer)):
        return int(value)
    try:
        return int(value) if isinstance(value, str) and "_" not in value else _of_float(value)
    except ValueError:
        return _of_float(value)


def _of_float(value: object) -> int:
    number = float(value)  # type: ignore[arg-type]
    if number != int(number) or abs(number) > LARGEST or (isinstance(value, str) and "_" in value):
        raise ValueError("no whole number")
    return int(number)


def check_lineage(
    table: pd.DataFrame, places: Sequence[str], error: type[CellGraphError] = OptionError, *, whole: bool = True
) -> None:
    """Check what tracks say of one another.

    Parameters
    ----------
    table : as of `whole_numbers`.
    places : what every row is called in errors: "line 3".
    error : what is raised.
    whole : whether all parents must be there; those of a movie that was cut may have ended before it.

    Raises
    ------
    error
        For tracks below 1 or given twice, frames below 0, an end before the begin, a parent below 0 or (where `whole`) that is
        no track (0: none), is the track itself or a descendant of it, or has not ended before its child begins.

    Notes
    -----
    O(tracks).
    """
    track, begin, end, parent = (table[name].tolist() for name in TRACK_COLUMNS)
    row: dict[int, int] = {}
    for i, t in enumerate(track):
        if t < 1:
            raise error(expected(f"a track from 1 on in {places[i]}", t, "0 is the background."))
        if t in row:
            raise error(
                expected(f"every track once, {t} in {places[row[t]]}", f"it again in {places[i]}", "Keep one of them.")
            )
        if begin[i] < 0:
            raise error(
                expected(f"track {t} in {places[i]} to begin at frame 0 or later", begin[i], "Frames count from 0.")
            )
        if end[i] < begin[i]:
            remedy = "A line is: track begin end parent."
            raise error(expected(f"track {t} in {places[i]} to end at {begin[i]} or later", end[i], remedy))
        row[t] = i
    for i, (t, p) in enumerate(zip(track, parent, strict=True)):
        if p == 0:
            continue
        if p not in row and (whole or p < 0):
            raise error(expected(f"the parent of track {t} in {places[i]} to be a track", p, "Write 0 for none."))
        if p == t:
            raise error(expected(f"another track as the parent of {t} in {places[i]}", "itself", "Write 0 for none."))
    _check_cycles(track, parent, row, places, error)
    for i, (t, p) in enumerate(zip(track, parent, strict=True)):
        if p in row and end[row[p]] >= begin[i]:
            what = f"parent {p} of track {t} in {places[i]} to end before {begin[i]}, where the track begins"
            raise error(expected(what, f"its end at {end[row[p]]}", "Cut the parent where it divides."))


def _check_cycles(
    track: Sequence[int], parent: Sequence[int], row: dict[int, int], places: Sequence[str], error: type[CellGraphError]
) -> None:
    """Raise `error` for a track that descends from itself."""
    fine = {0, *(set(parent) - row.keys())}
    for t in track:
        path: dict[int, None] = {}
        at = t
        while at not in fine:
            if at in path:
                remedy = "Write 0 for none where the first one begins."
                raise error(
                    expected(f"the parents of track {at} in {places[row[at]]} to come from others", "itself", remedy)
                )
            path[at] = None
            at = parent[row[at]]
        fine |= path.keys()
