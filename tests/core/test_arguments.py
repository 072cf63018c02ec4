"""Arguments of another kind are named before the function is entered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from cellgraph_clr import CellGraphError
from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr.cells.label_image import LabelImage

ENTERED = []


@checked
def function(
    adata: AnnData,
    name: str | None = None,
    *,
    k: int = 3,
    share: float | Literal["auto"] = 0.5,
    copy: bool = False,
    names: Sequence[str] = (),
    random_state: RandomState = 0,
    labels: LabelImage | np.ndarray | None = None,
    **more: int,
):
    """Do nothing."""
    ENTERED.append(more)
    return k


CELLS = AnnData(np.zeros((2, 2), np.float32))
RIGHT = {
    "name": ["a", None, np.str_("a")],
    "k": [1, np.int32(4), -1],
    "share": [0.25, 1, np.float32(0.5), "auto"],
    "copy": [True, np.bool_(False)],
    "names": ["abc", ["a"], ("a",), np.array(["a"]), pd.Index(["a"])],
    "random_state": [7, None, np.random.default_rng(0)],
    "labels": ["a path", 3, None],  # of kinds that are not known here
    "other": ["anything"],
}
WRONG = {
    "name": [3, b"a", ["a"], np.zeros(2)],
    "k": ["3", 1.0, True, None, 2**70, np.array(3)],
    "share": ["half", None, [0.5], 1j],
    "copy": [1, "yes", [], None],
    "names": [(c for c in "ab"), 3, {"a": 1}, None, np.array("a")],
    "random_state": [-1, 0.5, "seed", 2**32],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in RIGHT.items() for v in values])
def test_right_kinds_pass(name, value):
    ENTERED.clear()
    function(CELLS, **{name: value})
    assert len(ENTERED) == 1


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_wrong_kinds_are_named(name, value):
    ENTERED.clear()
    with pytest.raises(OptionError, match=f"^Expected `{name}` as .*, found .*Pass such a `{name}`"):
        function(CELLS, **{name: value})
    assert ENTERED == []


@pytest.mark.parametrize("value", [None, "a.h5ad", 3, {}, pd.DataFrame()])
def test_what_should_be_cells_is_named_with_the_way_to_them(value):
    with pytest.raises(CellGraphError, match="`adata` as an AnnData, found .*`cgc.read`"):
        function(value)


def test_lists_of_different_lengths_are_named():
    @checked
    def drawn(figsize: tuple[float, float] | None = None, names: Any = None) -> None: ...

    with pytest.raises(OptionError, match=r"`figsize` as values, or rows of one length, found \[\[1, 2\], \[3\]\]"):
        drawn(figsize=[[1, 2], [3]])
    drawn(figsize=[1, 2], names=[[1, 2], [3]])


def test_the_call_stays_a_call():
    assert function(CELLS, k=5) == 5
    assert function.__doc__ == "Do nothing."
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        function()
    with pytest.raises(TypeError, match="by name, found a value without one"):
        function(CELLS, "a", 3)
