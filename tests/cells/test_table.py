"""`CellTable`: identity is kept and checked."""

import numpy as np
import pytest

from cellgraph_clr._core.errors import CellGraphError, NonFiniteError, ShapeError
from cellgraph_clr.cells.table import CellTable, FeatureInfo


def table(ids=(5, 3, 9), **kwargs):
    options = {"unit": "micrometer", "features": np.eye(len(ids), 2), "info": (FeatureInfo("a"), FeatureInfo("b"))}
    return CellTable.build(np.array(ids), np.arange(3.0 * len(ids)).reshape(-1, 3), **{**options, **kwargs})


def test_ids_are_kept_as_they_are():
    t = table()
    assert t.cell_id.tolist() == [5, 3, 9]
    assert t.select(np.array([2, 0])).cell_id.tolist() == [9, 5]
    assert t.features.dtype == np.float32
    assert t.names == ["a", "b"]


def test_the_same_id_may_occur_in_two_samples_or_frames():
    assert len(table((1, 1, 2), sample=np.array(["a", "b", "a"]))) == 3
    assert len(table((1, 1, 2), frame=np.array([0, 1, 0]))) == 3
    with pytest.raises(CellGraphError, match="once per sample and frame, found repeated ids 1"):
        table((1, 1, 2))


def test_bad_tables_are_named():
    with pytest.raises(ShapeError, match=r"\(n, 2\) or \(n, 3\), found \(3, 4\)"):
        CellTable.build(np.arange(3), np.zeros((3, 4)), unit="pixel")
    with pytest.raises(NonFiniteError, match="finite positions, found 1"):
        CellTable.build(np.arange(2), np.array([[0, np.nan], [1, 1]]), unit="pixel")
    with pytest.raises(CellGraphError, match="repeated a"):
        table(info=(FeatureInfo("a"), FeatureInfo("a")))
    with pytest.raises(ShapeError, match=r"`features` rows as cell ids \(3\), found 2"):
        table(features=np.zeros((2, 2)))


@pytest.mark.parametrize("ids", [[1, -2], np.array([1, -2], np.int8)])
def test_negative_ids_are_refused(ids):
    with pytest.raises(CellGraphError, match="cell ids of 0 and above, found -2"):
        CellTable.build(ids, np.zeros((2, 2)), unit="pixel")


@pytest.mark.parametrize("ids", [np.array([1, 2**63], np.uint64), [1, 2**63], [1, 2**64]])
def test_ids_beyond_int64_are_refused(ids):
    with pytest.raises(CellGraphError, match=r"cell ids up to 2\*\*63 - 1, found 9223372036854775808|1844674"):
        CellTable.build(ids, np.zeros((2, 2)), unit="pixel")
    assert CellTable.build([0, 2**63 - 1], np.zeros((2, 2)), unit="pixel").cell_id.tolist() == [0, 2**63 - 1]
