"""Rows of several samples: what is pooled comes from the same samples in every column."""

import numpy as np
import pytest

from cellgraph_clr.analysis.interactions import Interactions
from cellgraph_clr.analysis.relation_tables import relation_table


def fit(log_odds, error, n_contacts):
    """Return the fit of two types: pairs AA, AB, BB."""
    log_odds, error, n_contacts = (np.array(v, float) for v in (log_odds, error, n_contacts))
    return Interactions(
        log_odds=log_odds,
        error=error,
        dof=np.where(np.isfinite(error), 9.0, np.nan),
        n_contacts=n_contacts,
        expected=n_contacts + 1,
        effect=np.zeros(0),
        effect_error=np.zeros(0),
        log_likelihood=0.0,
        null=0.0,
        n_anchors=9,
        n_blocks=9,
    )


FITS = {
    "s1": fit([1.0, -1.0, 2.0], [0.1, 0.1, 0.2], [10, 20, 30]),
    "s2": fit([2.0, np.nan, np.nan], [0.1, np.nan, np.nan], [100, 200, 300]),
    "s3": fit([3.0, -2.0, 1.0], [0.1, 0.1, np.nan], [1000, 2000, 3000]),
}


def test_pooled_counts_are_of_the_samples_whose_log_odds_are_pooled():
    table = relation_table(FITS, ["A", "B"], None, confidence=0.95)
    pooled = table[table["level"] == "pooled"]
    assert pooled["n_samples"].tolist() == [3, 2, 1]
    assert pooled["n_contacts"].tolist() == [1110, 2020, 30]
    assert pooled["expected"].tolist() == [1113, 2022, 31]
    assert pooled["log_odds"].iloc[2] == pytest.approx(2.0)  # the one sample that told
    assert pooled["low"].notna().tolist() == [True, True, False]


def test_rows_of_a_sample_keep_their_counts_where_nothing_is_told():
    table = relation_table(FITS, ["A", "B"], None, confidence=0.95)
    own = table[table["sample"] == "s2"]
    assert own["n_contacts"].tolist() == [100, 200, 300]
    assert own["log_odds"].notna().tolist() == [True, False, False]


def test_rows_of_groups_and_differences_count_what_told():
    table = relation_table(FITS, ["A", "B"], {"s1": "x", "s2": "y", "s3": "y"}, confidence=0.95)
    group = table[(table["level"] == "group") & (table["sample"] == "y")]
    assert group["n_contacts"].tolist() == [1100, 2000, 0]
    difference = table[table["level"] == "difference"]
    assert difference["n_contacts"].tolist() == [1110, 2020, 30]
