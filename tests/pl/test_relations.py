"""Heat map of interactions: symmetric, marked where 0 is in the interval, of what is asked for."""

import numpy as np
import pytest

from cellgraph_clr import pl, tl
from cellgraph_clr._core.errors import MissingKeyError, OptionError
from tests.face.test_relations import NAMES, planted
from tests.pictures import check_picture


def test_squares_are_the_log_odds(tmp_path):
    adata = planted(2, n=300)
    adata.obs["drug"] = adata.obs["library_id"].map({"s0": "a", "s1": "b"})
    table = tl.interactions(adata, "type", groupby="drug")
    ax = pl.interactions(adata, sample="s1", save=tmp_path / "a.png")
    check_picture(ax)
    rows = table[(table["level"] == "sample") & (table["sample"] == "s1")]
    shown = np.asarray(ax.images[0].get_array())
    for r in rows.itertuples():
        i, j = list(NAMES).index(r.type_a), list(NAMES).index(r.type_b)
        assert shown[i, j] == shown[j, i] == r.log_odds
    sure = (rows["low"] > 0) | (rows["high"] < 0)
    same = rows["type_a"] == rows["type_b"]
    assert len(ax.texts) == (2 - same[sure]).sum()
    assert len(ax.patches) == (2 - same[~sure]).sum()
    assert (tmp_path / "a.png").stat().st_size > 0
    low, high = ax.images[0].get_clim()
    assert low == -high
    assert high == pytest.approx(rows["log_odds"][sure].abs().max())


def test_a_column_stands_for_its_table():
    adata = planted(n=300)
    adata.obs["other"] = adata.obs["type"]
    adata.uns["type"] = {"params": {"label_key": "truth"}}  # as `tl.classify` writes beside a column
    tl.interactions(adata, "type", key_added="who")
    shown = np.asarray(pl.interactions(adata, "who").images[0].get_array())
    np.testing.assert_array_equal(np.asarray(pl.interactions(adata, "type").images[0].get_array()), shown)
    with pytest.raises(MissingKeyError, match=r"`adata.uns`, found 'other', a column of obs; .*: none; in all: 'who'"):
        pl.interactions(adata, "other")
    tl.interactions(adata, "type", key_added="again")
    with pytest.raises(MissingKeyError, match="tables of it: 'who', 'again'"):
        pl.interactions(adata, "type")
    tl.interactions(adata, "type")
    pl.interactions(adata, "type")


def test_what_is_drawn():
    adata = planted(2, n=300)
    tl.interactions(adata, "type", key_added="who")
    assert "2 samples pooled" in pl.interactions(adata, "who").get_title()
    assert pl.interactions(adata, "who", sample="s0", title="mine", limit=3.0).get_title() == "mine"
    assert pl.interactions(adata, "who", sample="s0", limit=3.0).images[0].get_clim() == (-3, 3)
    tl.interactions(planted(n=300), "type")
    with pytest.raises(MissingKeyError, match="tl.interactions"):
        pl.interactions(adata)
    with pytest.raises(MissingKeyError, match="'s9'"):
        pl.interactions(adata, "who", sample="s9")
    adata.uns["who"]["table"] = adata.uns["who"]["table"].iloc[:0]
    with pytest.raises(MissingKeyError, match="the samples of the table"):
        pl.interactions(adata, "who")
    tl.interactions(adata, "type", key_added="who")
    with pytest.raises(OptionError, match="limit"):
        pl.interactions(adata, "who", limit=-1)


def test_rare_pairs_are_grey():
    adata = planted(n=300)
    table = tl.interactions(adata, "type", min_expected=1e3 + 0.0)
    assert table["log_odds"].isna().all()
    ax = pl.interactions(adata)
    check_picture(ax)
    assert np.ma.getmaskarray(ax.images[0].get_array()).all()
