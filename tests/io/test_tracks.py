"""`read_tracks`: forms of files, and errors that name the line."""

import gzip

import numpy as np
import pandas as pd
import pytest

import cellgraph_clr as cgc
from cellgraph_clr._core.errors import FileFormatError, MissingFileError

GOOD = "1 0 3 0\n2 4 5 1\n3 4 6 1\n"


def table_of(text, tmp_path, name="man_track.txt"):
    (tmp_path / name).write_text(text)
    return cgc.io.read_tracks(tmp_path / name)


def test_text_csv_and_compressed_agree(tmp_path):
    found = table_of(GOOD, tmp_path)
    assert found.to_numpy().tolist() == [[1, 0, 3, 0], [2, 4, 5, 1], [3, 4, 6, 1]]
    assert (found.dtypes == np.int64).all()
    assert list(found.columns) == ["track", "begin", "end", "parent"]
    for head in ("track,begin,end,parent", "L,B,E,P", "label,start,end,parent"):
        pd.testing.assert_frame_equal(table_of(f"{head}\n{GOOD.replace(' ', ',')}", tmp_path, "t.csv"), found)
    with gzip.open(tmp_path / "t.txt.gz", "wt") as file:
        file.write(GOOD)
    pd.testing.assert_frame_equal(cgc.io.read_tracks(tmp_path / "t.txt.gz"), found)
    large = 2**53 + 1  # not a float
    assert table_of(f"{large} 0 3 0\n\n2 4 5 {large}\n", tmp_path)["parent"].tolist() == [0, large]


BAD = [  # text, what the message must say
    ("1 0 3 0\n\n1.7 4 5 1\n", "whole number as track in line 3.*'1.7'"),
    ("1 0 3 0\n2 4.5 5 1\n", "begin in line 2"),
    ("1 0 3 0\n2 5 4 1\n", "track 2 in line 2.*end at 5 or later, found 4"),
    ("1 0 3 0\n2 -1 4 1\n", "track 2 in line 2"),
    ("1 0 3 0\n0 4 5 1\n", "from 1 on in line 2"),
    ("1 0 3 0\n2 4 5 1\n\n1 6 7 0\n", "1 in line 1.*again in line 4"),
    ("1 0 3 0\n2 4 5 2\n", "parent of 2 in line 2.*itself"),
    ("1 0 3 0\n2 4 5 8\n", "parent of track 2 in line 2.*found 8"),
    ("1 0 1 3\n2 2 3 1\n3 4 5 2\n", "parents of track 1 in line 1.*come from others"),
    ("2 4 5 1\n1 0 4 0\n", "parent 1 of track 2 in line 1.*before 4.*its end at 4"),
    ("1 0 3 0 9\n", "four numbers in line 1"),
    ("1 0 3 0\n2 4\n", "line 2.*no end"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_what_is_wrong_is_named_with_its_line(text, words, tmp_path):
    with pytest.raises(FileFormatError, match=words):
        table_of(text, tmp_path)


def test_lines_of_a_csv_count_its_head(tmp_path):
    with pytest.raises(FileFormatError, match="parent of 2 in line 3"):
        table_of("track,begin,end,parent\n1,0,3,0\n2,4,5,2\n", tmp_path, "t.csv")
    with pytest.raises(FileFormatError, match="none or several of parent"):
        table_of("track,begin,end\n1,0,3\n", tmp_path, "t.csv")
    with pytest.raises(FileFormatError, match="none or several of track"):
        table_of("L,track,begin,end,parent\n1,1,0,3,0\n", tmp_path, "t.csv")
    with pytest.raises(FileFormatError):
        table_of("track,begin,end,parent\n1,0,3,0,5\n", tmp_path, "t.csv")
    with pytest.raises(MissingFileError):
        cgc.io.read_tracks(tmp_path / "nothing.csv")


def test_long_chains_are_no_circles(tmp_path):
    n = 5000
    text = "\n".join(f"{t} {t} {t} {t - 1}" for t in range(1, n + 1))
    assert len(table_of(text, tmp_path)) == n
