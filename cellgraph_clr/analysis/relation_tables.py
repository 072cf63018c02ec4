"""Log odds of several samples as one tidy table: by sample, pooled, by group, and between groups."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr.analysis.contact_choices import pair_numbers
from cellgraph_clr.analysis.pooling import Pooled, false_discovery, group_difference, interval, random_effects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from cellgraph_clr.analysis.interactions import Interactions

__all__ = ["LEVELS", "POOLED", "relation_table"]

LEVELS = ("sample", "pooled", "group", "difference")
POOLED = "pooled"


def relation_table(
    fits: Mapping[str, Interactions], types: Sequence[str], groups: Mapping[str, str] | None, *, confidence: float
) -> pd.DataFrame:
    """Return one row for every level, sample and unordered pair of types; columns as in `tl.interactions`.

    Parameters
    ----------
    fits : of the samples, by name.
    types : names of the types.
    groups : group of every sample; None compares none.
    confidence : of the intervals.

    Notes
    -----
    p-values are adjusted over the pairs of a sample, of the pooled, and of a group, and over all differences together. One sample
    is not pooled, and a group of one sample has estimates but no errors.
    """
    import pandas as pd

    names = list(fits)
    estimate, error, dof, seen, expected = (
        np.stack([getattr(f, part) for f in fits.values()])
        for part in ("log_odds", "error", "dof", "n_contacts", "expected")
    )
    told = np.isfinite(estimate) & np.isfinite(error)
    parts = []
    for s, name in enumerate(names):
        own = Pooled(estimate[s], error[s], dof[s], told[s].astype(np.int64), np.zeros(len(told[s])))
        parts.append(_rows("sample", name, own, seen[s], expected[s], confidence))
    seen, expected = np.where(told, seen, 0), np.where(told, expected, 0)  # of those that the pooled log odds are of
    if len(names) > 1:
        pooled = random_effects(estimate, error)
        parts.append(_rows(POOLED, POOLED, pooled, seen.sum(axis=0), expected.sum(axis=0), confidence))
    if groups is not None:
        parts += _group_rows(names, groups, estimate, error, seen, expected, confidence)
    _, first, second = pair_numbers(len(types))
    pairs = {"type_a": np.array(types, object)[first], "type_b": np.array(types, object)[second]}
    tables = [pd.DataFrame({"level": p.pop("level"), "sample": p.pop("sample"), **pairs, **p}) for p in parts]
    table = pd.concat(tables, ignore_index=True)
    between = (table["level"] == "difference").to_numpy()
    if between.any():
        table.loc[between, "q_value"] = false_discovery(table.loc[between, "p_value"].to_numpy())
    return table


def _group_rows(
    names: Sequence[str],
    groups: Mapping[str, str],
    estimate: np.ndarray,
    error: np.ndarray,
    seen: np.ndarray,
    expected: np.ndarray,
    confidence: float,
) -> list[dict[str, object]]:
    """Return the rows of every group, then those of every two groups."""
    of = np.array([groups[n] for n in names], object)
    members = {g: of == g for g in sorted(set(of))}
    pooled = {g: random_effects(estimate[m], error[m]) for g, m in members.items()}
    counts = {g: np.stack([seen[m].sum(axis=0), expected[m].sum(axis=0)]) for g, m in members.items()}
    rows = [_rows("group", g, pooled[g], counts[g][0], counts[g][1], confidence) for g in members]
    for a, b in combinations(members, 2):
        seen_in, expected_in = counts[a] + counts[b]
        found = group_difference(pooled[a], pooled[b])
        rows.append(_rows("difference", f"{b} - {a}", found, seen_in, expected_in, confidence))
    return rows


def _rows(
    level: str, sample: str, found: Pooled, seen: np.ndarray, expected: np.ndarray, confidence: float
) -> dict[str, object]:
    low, high, p_value = interval(found.estimate, found.error, found.dof, confidence)
    return {
        "level": level,
        "sample": sample,
        "log_odds": found.estimate,
        "low": low,
        "high": high,
        "p_value": p_value,
        "q_value": false_discovery(p_value),
        "n_contacts": seen,
        "expected": expected,
        "n_samples": found.n_samples,
    }
