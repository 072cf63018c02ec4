"""Tables of cells, tracks, plates and layouts: columns of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

import cellgraph_clr as cgc
from tests.robustness.case import Case, Wrong, anything, either, refused, right, told
from tests.robustness.oracles import close

AREA = "tables, tracks and layouts"
N = 6
MERGED = "float32 makes one value of several"
BIG = 2**63 - 1


def good() -> pd.DataFrame:
    """Return a table of cells."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 4))
    return pd.DataFrame(
        {"id": range(1, N + 1), "x": x[:, 0], "y": x[:, 1], "z": x[:, 2], "f": x[:, 3], "kind": list("ababab")}
    )


COLUMNS: dict[str, tuple[Callable, str, Any]] = {  # what must come; a column, and its new values
    "ids near 2**63": (right, "id", [BIG - i for i in range(N)]),
    "ids of 8 bits": (right, "id", np.arange(1, N + 1, dtype=np.uint8)),
    "ids big endian": (right, "id", np.arange(1, N + 1, dtype=">i4")),
    "ids nullable": (either, "id", pd.array(range(1, N + 1), "Int64")),
    "ids of pyarrow": (either, "id", pd.array(range(1, N + 1), "int64[pyarrow]")),
    "ids as floats": (right, "id", np.arange(1.0, N + 1)),
    "ids as floats above 2**53": (refused, "id", 2.0**53 + 2 * np.arange(1, N + 1)),
    "ids of inf": (refused, "id", [np.inf, 2, 3, 4, 5, 6]),
    "ids of NaN": (refused, "id", [np.nan, 2, 3, 4, 5, 6]),
    "ids of NA": (refused, "id", pd.array([None, 2, 3, 4, 5, 6], "Int64")),
    "ids of 1e300": (refused, "id", [1e300, 2, 3, 4, 5, 6]),
    "ids of 1e19": (refused, "id", [1e19, 2, 3, 4, 5, 6]),
    "ids beyond 63 bits": (refused, "id", np.array([2**63 + 5, 2, 3, 4, 5, 6], np.uint64)),
    "ids beyond 64 bits": (refused, "id", [2**70, 2, 3, 4, 5, 6]),
    "ids negative": (refused, "id", [-1, 2, 3, 4, 5, 6]),
    "ids of halves": (refused, "id", [0.5, 2, 3, 4, 5, 6]),
    "ids double": (refused, "id", [1, 1, 3, 4, 5, 6]),
    "ids of text": (refused, "id", list("abcdef")),
    "ids as text": (refused, "id", list("123456")),
    "ids of bool": (refused, "id", [True] * N),
    "ids of dates": (refused, "id", pd.date_range("2020", periods=N)),
    "ids of objects": (either, "id", np.arange(1, N + 1).astype(object)),
    "ids complex": (refused, "id", np.arange(1, N + 1) + 0j),
    "ids categorical": (either, "id", pd.Categorical(range(1, N + 1))),
    "position NaN": (refused, "x", [np.nan, 2, 3, 4, 5, 6]),
    "position inf": (refused, "x", [np.inf, 2, 3, 4, 5, 6]),
    "position text": (refused, "x", list("abcdef")),
    "position complex": (refused, "x", np.arange(N) + 1j),
    "position bool": (either, "x", [True, False] * 3),
    "position dates": (refused, "x", pd.date_range("2020", periods=N)),
    "position nullable": (right, "x", pd.array(np.arange(N) * 0.5, "Float64")),
    "position nullable, one missing": (refused, "x", pd.array([None, 1, 2, 3, 4, 5], "Float64")),
    "position of 2**62": (right, "x", np.arange(N) + 2**62),
    "position of 1e300": (either, "x", np.arange(N) * 1e300),
    "position categorical": (refused, "x", pd.Categorical(range(N))),
    "position sparse": (right, "x", pd.arrays.SparseArray(np.arange(N) * 1.0)),
    "feature NaN": (right, "f", [np.nan, 1, 2, 3, 4, 5]),
    "feature inf": (either, "f", [np.inf, 1, 2, 3, 4, 5]),
    "feature 1e300": (either, "f", np.arange(1, N + 1) * 1e300),
    "feature 2**40": (told(MERGED), "f", np.arange(N) + 2**40),
    "feature 1e9 with small steps": (told(MERGED), "f", 1e9 + np.arange(N) / 9),
    "feature text": (refused, "f", list("abcdef")),
    "feature bool": (either, "f", [True, False] * 3),
    "feature complex": (refused, "f", np.arange(N) + 1j),
    "feature dates": (refused, "f", pd.date_range("2020", periods=N)),
    "feature nullable": (right, "f", pd.array([None, 1, 2, 3, 4, 5], "Float64")),
    "feature of objects": (refused, "f", np.array([1, "a", None, 2, 3, 4], object)),
    "kind missing": (right, "kind", ["a", None, "b", np.nan, "a", "b"]),
    "kind of numbers and text": (either, "kind", [1, "1", 2, "2", 1, "1"]),
    "kind of dates": (either, "kind", pd.date_range("2020", periods=N)),
    "kind of objects": (either, "kind", [object(), (), {}, [], 1, 2]),
    "kind with NUL": (either, "kind", ["a\0", "b"] * 3),
    "kind bytes": (either, "kind", [b"a", b"b"] * 3),
    "kind nullable bool": (either, "kind", pd.array([True, None, False] * 2, "boolean")),
    "kind categorical of NaN": (right, "kind", pd.Categorical([None] * N, categories=["a"])),
    "kind intervals": (either, "kind", pd.interval_range(0, N)),
}
OPTIONS: dict[str, tuple[Callable, dict[str, Any]]] = {
    "two axes": (right, {"position": ["x", "y"]}),
    "one axis": (refused, {"position": ["x"]}),
    "four axes": (refused, {"position": ["x", "y", "z", "f"]}),
    "position as text": (refused, {"position": "xy"}),
    "an axis twice": (either, {"position": ["x", "x"]}),
    "no position": (refused, {"position": []}),
    "position None": (refused, {"position": None}),
    "position a number": (refused, {"position": 3}),
    "an unknown column": (refused, {"features": ["g"]}),
    "features as text": (either, {"features": "f"}),
    "features a number": (refused, {"features": 3}),
    "a feature twice": (either, {"features": ["f", "f"]}),
    "obs cell_id": (refused, {"obs": ["cell_id"]}),
    "obs library_id": (refused, {"obs": ["library_id"], "library_key": "kind"}),
    "obs region": (either, {"obs": ["region"]}),
    "an unknown unit": (either, {"unit": "parsec"}),
    "unit a number": (refused, {"unit": 3}),
    "unit empty": (either, {"unit": ""}),
    "cell_id a number": (refused, {"cell_id": 3}),
    "cell_id a list": (refused, {"cell_id": ["id"]}),
    "library_key unknown": (refused, {"library_key": "nothing"}),
    "library_key a list": (refused, {"library_key": ["kind"]}),
}
FRAMES: dict[str, tuple[Callable, Callable[[pd.DataFrame], Any]]] = {
    "no rows": (refused, lambda t: t[:0]),
    "one row": (right, lambda t: t[:1]),
    "a strange index": (right, lambda t: t.set_index(pd.Index(list("aabbcc")))),
    "an index of levels": (right, lambda t: t.set_index(pd.MultiIndex.from_product([[1, 2], [1, 2, 3]]))),
    "columns of levels": (refused, lambda t: t.T.set_index(pd.MultiIndex.from_product([[1, 2], [1, 2, 3]])).T),
    "a column twice": (refused, lambda t: pd.concat([t, t[["x"]]], axis=1)),
    "columns of numbers": (refused, lambda t: t.set_axis(range(6), axis=1)),
    "an array": (refused, lambda t: t[["x", "y"]].to_numpy()),
    "a dict": (refused, lambda t: t.to_dict()),
    "a list": (refused, lambda t: [1, 2]),
    "a path": (refused, lambda t: "table.csv"),
    "None": (refused, lambda t: None),
    "a series": (refused, lambda t: t["x"]),
    "more columns": (right, lambda t: t.assign(cell_id=9, library_id="a", region="b")),
}
TEXTS = {  # of files, any of which is refused or read
    "empty": "", "a line": "x\n", "only a head": "label_id\tanchor_x\tanchor_y\n", "no head": "1\t2\t3\n",
    "ids of text": "label_id\tanchor_x\tanchor_y\na\t1\t2\n", "ragged": "label_id\tanchor_x\tanchor_y\n1\t2\n1\t2\t3\t4\t5\n",
    "quotes": 'label_id\tanchor_x\tanchor_y\n"1\t2\t3\n', "NUL": "label_id\tanchor_x\tanchor_y\n1\0\t2\t3\n",
    "not UTF-8": "label_id\tanchor_x\tanchor_y\n1\t2\t\udcff\n", "UTF-16": "\ufeffl\0a\0", "inf": "label_id\tanchor_x\tanchor_y\n1\tinf\t3\n",
    "ids beyond 64 bits": "label_id\tanchor_x\tanchor_y\n99999999999999999999\t2\t3\n", "head twice": "label_id\tlabel_id\tanchor_x\tanchor_y\n1\t1\t2\t3\n",
    "ids of 1e400": "label_id\tanchor_x\tanchor_y\n1e400\t2\t3\n", "four columns": "1 0 3 0\n", "tracks of text": "a b c d\n", "tracks of halves": "1 0.5 3 0\n",
    "tracks beyond 64 bits": "99999999999999999999 0 3 0\n", "five columns": "1 2 3 4 5\n", "end before begin": "1 5 2 0\n",
}  # fmt: skip
TRACKS: dict[str, tuple[Callable, str]] = {  # what must come; lines of tracks
    "two": (right, "1 0 3 0\n2 4 5 1\n"),
    "blank lines": (right, "1 0 3 0\n\n2 4 5 1\n\n"),
    "spaces": (right, "  1   0 3 0\n2 4 5 1  \n"),
    "whole floats": (right, "1.0 0 3.0 0\n"),
    "children before parents": (right, "2 4 5 1\n1 0 3 0\n"),
    "a begin of halves": (refused, "1 0.5 3 0\n"),
    "a track of 1.7": (refused, "1.7 0 3 0\n"),
    "1_0": (refused, "1_0 0 3 0\n"),
    "NaN": (refused, "1 nan 3 0\n"),
    "2**63": (refused, f"{2**63} 0 3 0\n"),
    "1e300": (refused, "1 0 1e300 0\n"),
    "an end before the begin": (refused, "1 5 2 0\n"),
    "a frame below 0": (refused, "1 -1 2 0\n"),
    "track 0": (refused, "0 0 2 0\n"),
    "a track below 0": (refused, "-3 0 2 0\n"),
    "a track twice": (refused, "1 0 3 0\n2 4 5 1\n1 6 7 0\n"),
    "its own parent": (refused, "1 0 3 1\n"),
    "a parent that is not there": (refused, "1 0 3 7\n"),
    "a parent below 0": (refused, "1 0 3 -1\n"),
    "a circle of two": (refused, "1 0 3 2\n2 4 5 1\n"),
    "a circle of three": (refused, "1 0 1 3\n2 2 3 1\n3 4 5 2\n"),
    "a parent that ends late": (refused, "1 0 6 0\n2 4 5 1\n"),
    "a parent that ends with the begin": (refused, "1 0 4 0\n2 4 5 1\n"),
    "five numbers": (refused, "1 0 3 0 9\n"),
    "five numbers later": (refused, "1 0 3 0\n2 4 5 1 9\n"),
    "six numbers": (refused, "1 0 3 0 9 9\n"),
    "three numbers later": (refused, "1 0 3 0\n2 4 5\n"),
}
READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "MoBIE": ("t.tsv", cgc.io.read_mobie_table),
    "tracks": ("man_track.txt", cgc.io.read_tracks),
    "tracks in csv": ("t.csv", cgc.io.read_tracks),
    "layout": ("layout.csv", lambda p: cgc.read_plate(p.parent, r"(?P<well>\w)\.png", layout=p)),
}


def cases() -> Iterator[Case]:
    """Yield tables with a column, an option or a shape of their own, and files."""
    for name, (must, column, values) in COLUMNS.items():
        yield Case(AREA, f"from_table, {name}", partial(_column, must, column, values))
    for name, (must, options) in OPTIONS.items():
        yield Case(AREA, f"from_table, {name}", partial(_options, must, options))
    for name, (must, change) in FRAMES.items():
        yield Case(AREA, f"from_table, {name}", partial(_frame, must, change))
    for name, text in TEXTS.items():
        for reader in READERS:
            yield Case(AREA, f"file of {reader}, {name}", partial(_file, reader, text))
    for name, (must, text) in TRACKS.items():
        for form in ("man_track.txt", "t.csv", "a table"):
            yield Case(AREA, f"tracks in {form}, {name}", partial(_tracks, form, must, text))


def made(table: Any, **options: Any) -> Any:
    """Return `from_table` of the columns of `good`."""
    return cgc.from_table(
        table,
        **{"cell_id": "id", "position": ["x", "y", "z"], "features": ["f"], "obs": ["kind"], "unit": "pixel"} | options,
    )


def check_columns(adata: Any, table: pd.DataFrame) -> None:
    """Raise `Wrong` unless ids, positions and features are those of the table, and files can hold the rest."""
    ids = [int(v) for v in table["id"]]
    if adata.obs["cell_id"].tolist() != ids:
        raise Wrong(f"ids {adata.obs['cell_id'].tolist()}, not {ids}")
    close(adata.obsm["spatial"], table[["x", "y", "z"]].to_numpy(float), "positions")
    feature = (
        table["f"].to_numpy(float, na_value=np.nan)
        if hasattr(table["f"].array, "_mask")
        else table["f"].to_numpy(float)
    )
    found = np.asarray(adata.X, float)[:, 0]
    close(found, feature, "features", rtol=1e-6)
    if len(np.unique(found)) < len(np.unique(feature)):
        raise Wrong(f"{len(np.unique(feature))} different features became {len(np.unique(found))}")
    cgc.write(adata, "t.h5ad")


def _column(must, column, values, folder, seed):
    table = good()
    table[column] = values
    must(lambda: made(table), lambda found: check_columns(found, table))


def _options(must, options, folder, seed):
    must(
        lambda: made(good().assign(cell_id=9, library_id=list("ababab"), region="b"), **options),
        lambda a: cgc.write(a, "t.h5ad"),
    )


def _frame(must, change, folder, seed):
    table = change(good())
    must(lambda: made(table), lambda found: check_columns(found, table))


def _file(reader, text, folder, seed):
    from PIL import Image

    name, read = READERS[reader]
    (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    Image.fromarray(np.ones((5, 5), np.uint8)).save(folder / "A.png")
    either(lambda: read(folder / name), anything)


def _tracks(form, must, text, folder, seed):
    if form == "t.csv":
        text = "track begin end parent\n" + text
        text = "\n".join(",".join(line.split()) for line in text.split("\n"))
    path = folder / ("man_track.txt" if form == "a table" else form)
    path.write_text(text)
    if form != "a table":
        must(lambda: cgc.io.read_tracks(path), _are_tracks)
    elif all(len(line.split()) in (0, 4) for line in text.split("\n")):
        table = pd.read_csv(path, sep=r"\s+", header=None, names=["track", "begin", "end", "parent"])
        must = right if text == TRACKS["a parent that is not there"][1] else must  # as of a movie that was cut
        must(lambda: cgc.Movie.build(np.zeros((9, 5, 5)), tracks=table).tracks, _are_tracks)


def _are_tracks(table):
    if table["track"].tolist() not in ([1], [1, 2], [2, 1]) or table.dtypes.nunique() != 1:
        raise Wrong(f"other tracks: {table.to_dict('list')}")
