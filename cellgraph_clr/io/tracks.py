"""Lineage tables from files: of the Cell Tracking Challenge, and .csv."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import FileFormatError
from cellgraph_clr.cells.lineage import TRACK_COLUMNS, check_lineage, whole_numbers
from cellgraph_clr.io.foreign import file_to_read, named_errors

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pandas as pd

__all__ = ["read_tracks"]

NAMES = {"L": "track", "B": "begin", "E": "end", "P": "parent", "label": "track", "start": "begin"}
REMEDY = "man_track.txt has four numbers a line: track begin end parent."


@checked
def read_tracks(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Return a lineage table with the columns track, begin, end, parent, int64.

    Parameters
    ----------
    path : str or path-like
        `man_track.txt` of the Cell Tracking Challenge (four whole numbers a line, no header), or a .csv with these
        columns ("L B E P", "label" and "start" are understood). Frames count from 0, parent 0 is none.

    Returns
    -------
    pandas.DataFrame
        A lineage table with the columns track, begin, end, parent, int64.

    Raises
    ------
    MissingFileError
        If there is no such file.
    FileFormatError
        For a file of another form, and, with its line, for a number that is not whole, a track given twice or below 1, an end
        before the begin, a parent that is not there, is the track itself or a descendant, or ends after its child begins.

    Notes
    -----
    O(lines). A file of a header alone gives an empty table.

    Examples
    --------
    >>> from pathlib import Path
    >>> import cellgraph_clr as cgc
    >>> written = Path("man_track.txt").write_text("1 0 4 0\n2 5 9 1\n3 5 9 1\n")
    >>> cgc.io.read_tracks("man_track.txt")
       track  begin  end  parent
    0      1      0    4       0
    1      2      5    9       1
    2      3      5    9       1
    """
    target = file_to_read(path)
    table = _text(target)
    table = table.dropna(how="all")
    lines = [f"line {i} of {target.name}" for i in table.index]
    whole = whole_numbers(table, lines, FileFormatError)
    check_lineage(whole, lines, FileFormatError)
    return whole


def _text(target: Path) -> pd.DataFrame:
    """Return the four columns as text, by number of line from 1. Raises `FileFormatError` for other columns."""
    import pandas as pd

    as_text = {"dtype": str, "skip_blank_lines": False, "index_col": False, "keep_default_na": False, "na_values": [""]}
    with_head = target.suffix.lower() == ".csv"
    with named_errors(target, "a table of tracks"), warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # lines longer than the first
        try:
            if with_head:
                table = pd.read_csv(target, skipinitialspace=True, **as_text).rename(columns=NAMES)
            else:
                table = pd.read_csv(target, sep=r"\s+", header=None, names=[*TRACK_COLUMNS, "more"], **as_text)
        except pd.errors.ParserWarning as error:
            raise ValueError("lines of different lengths") from error
    table.index += 2 if with_head else 1
    absent = [c for c in TRACK_COLUMNS if list(table.columns).count(c) != 1]
    if absent:
        found = f"none or several of {', '.join(absent)} among {', '.join(map(str, table.columns))}"
        raise FileFormatError(
            expected(f"the columns {', '.join(TRACK_COLUMNS)} in {str(target)!r}", f"{found:.300}", REMEDY)
        )
    if not with_head and table["more"].notna().any():
        line = table.index[table["more"].notna()][0]
        raise FileFormatError(expected(f"four numbers in line {line} of {target.name}", "more", REMEDY))
    for name in TRACK_COLUMNS:
        bad = table.index[table[name].isna() & table.notna().any(axis=1)]
        if len(bad):
            raise FileFormatError(expected(f"four numbers in line {bad[0]} of {target.name}", f"no {name}", REMEDY))
    return table[list(TRACK_COLUMNS)]
