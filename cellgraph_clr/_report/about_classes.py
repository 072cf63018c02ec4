"""Sections on classes of cells: clusters and their features, types and how far to trust them, who lies next to whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr._report.charts import bars, figure, heat, histogram, number, reliability_curve, risk_curve, shares
from cellgraph_clr._report.columns import categorical_columns
from cellgraph_clr._report.parts import Section, Subject, facts, grid, lead, table
from cellgraph_clr.adata.keys import UNASSIGNED
from cellgraph_clr.adata.labels import label_codes, label_names
from cellgraph_clr.adata.provenance import recorded_runs
from cellgraph_clr.adata.reading import raw_values
from cellgraph_clr.adata.samples import sample_of
from cellgraph_clr.analysis.calibration import reliability, risk_coverage, wilson_interval
from cellgraph_clr.pl.colors import coloring

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.pl.colors import Coloring

__all__ = ["cluster_section", "interaction_section", "type_section"]

MOST_COLUMNS = 6  # of classes that are described
MOST_CLASSES = 60
MOST_SAMPLES = 60
MOST_MARKERS = 4
MOST_FEATURES = 400


def cluster_section(about: Subject) -> Section | None:
    """Return sizes, composition by sample and what sets classes apart, for the first columns of classes; None without any."""
    adata = about.adata
    columns = []
    for name in categorical_columns(adata):
        found = coloring(adata[:], name)
        real = [n for n in found.names if n != UNASSIGNED]
        if 1 < len(real) <= MOST_CLASSES and not (set(real) <= {"True", "False"}):
            columns.append((name, found))
    made = {
        k for k, v in recorded_runs(adata).items() if json.loads(v).get("function") in ("tl.cluster", "tl.classify")
    }
    columns.sort(key=lambda pair: pair[0] not in made)
    if not columns:
        return None
    features = _standardised(adata)
    samples = sample_of(adata, about.library_key)
    body = [lead("How many cells each class has, and the features in which it differs most from all other cells.")]
    for name, found in columns[:MOST_COLUMNS]:
        body.append(f"<h3>{escape(name)}</h3>" + _described(found, features, samples))
    if len(columns) > MOST_COLUMNS:
        body.append(f"<p>{len(columns) - MOST_COLUMNS} more columns of classes are in the maps.</p>")
    return Section("classes", "Classes and clusters", "Classes", "".join(body))


def _standardised(adata: AnnData) -> tuple[list[str], np.ndarray]:
    """Return names and values (n, f) of features in standard deviations from their mean, missing ones at 0."""
    if adata.X is None:
        return [], np.zeros((adata.n_obs, 0), np.float32)
    names = list(dict.fromkeys(map(str, adata.var_names)))[:MOST_FEATURES]
    columns = []
    for name in names:
        values = raw_values(adata, name)[0]
        known = values[np.isfinite(values)]
        mean, spread = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
        columns.append(np.nan_to_num((values - mean) / spread if spread > 0 else values * 0).astype(np.float32))
    return names, np.stack(columns, axis=1) if columns else np.zeros((adata.n_obs, 0), np.float32)


def _described(found: Coloring, features: tuple[list[str], np.ndarray], samples: np.ndarray) -> str:
    names, values = features
    known = found.values >= 0
    count = np.bincount(found.values[known], minlength=len(found.names))
    lines, colors = [], []
    for code, name in enumerate(found.names):
        if count[code] == 0:
            continue
        markers = "" if name == UNASSIGNED else _markers(names, values, found.values == code)
        lines.append([name, int(count[code]), f"{100 * count[code] / len(found.values):.1f} %", markers])
        colors.append(found.colors[code])
    out = table(
        ["class", "cells", "share", "features that set it apart (standard deviations from the others)"],
        lines,
        dots=colors,
        of=found.title,
    )
    groups, number = np.unique(samples, return_inverse=True)
    if not 1 < len(groups) <= MOST_SAMPLES:
        return out
    part = np.zeros((len(groups), len(found.names)))
    np.add.at(part, (number[known], found.values[known]), 1)
    return out + figure(
        "Composition of samples",
        shares([str(g) for g in groups], part, found.colors, label="share of classes in every sample"),
    )


def _markers(names: list[str], values: np.ndarray, mine: np.ndarray) -> str:
    """Return the features whose means differ most between these cells and the others, with the difference."""
    if not names or mine.all() or not mine.any():
        return ""
    differs = values[mine].mean(axis=0) - values[~mine].mean(axis=0)
    best = np.argsort(-np.abs(differs), kind="stable")[:MOST_MARKERS]
    return ", ".join(f"{names[j]} {differs[j]:+.1f}".replace("-", "−") for j in best if abs(differs[j]) >= 0.3)


def type_section(about: Subject) -> Section | None:
    """Return how sure predicted types are, and with true classes how often they are right; None where none were predicted."""
    adata = about.adata
    keys = [c.removesuffix("_confidence") for c in map(str, adata.obs.columns) if c.endswith("_confidence")]
    keys = [k for k in keys if k in adata.obs and k in categorical_columns(adata)]
    if not keys:
        return None
    body = [lead("Every predicted class comes with the probability that it is right; a cell may stay unassigned.")]
    body += [f"<h3>{escape(key)}</h3>" + _trust(about, key) for key in keys[:MOST_COLUMNS]]
    return Section("types", "Predicted types and how far to trust them", "Types", "".join(body))


def _trust(about: Subject, key: str) -> str:
    adata = about.adata
    confidence = adata.obs[f"{key}_confidence"].to_numpy(float)
    found = coloring(adata[:], key)
    run = json.loads(recorded_runs(adata).get(key, "{}"))
    learned = _learned_from(adata, key)
    unseen = confidence[~learned & np.isfinite(confidence)]
    middle = f"{np.median(unseen):.2f}" if len(unseen) else "–"
    numbers = [("median confidence", middle, "of cells not learned from" if learned.any() else "")]
    if UNASSIGNED in found.names:
        left = int((found.values == found.names.index(UNASSIGNED)).sum())
        numbers.append(("unassigned", f"{left:,}", f"{100 * left / max(adata.n_obs, 1):.1f} %"))
    if "n_labelled" in run:
        numbers.append(("learned from", f"{int(run['n_labelled']):,}", "labeled cells"))
    drawn = [
        figure("Confidence of all cells", histogram(confidence, label="confidence")),
        _confidence_by_class(confidence, found, learned),
    ]
    note = ""
    judged = _judged(about, key, run, found)
    if judged is None:
        note = (
            "<p>Name a column of true classes by <code>truth_key=</code> in Python or <code>--truth-key</code> on the command "
            "line to see reliability and errors on cells that were not learned from.</p>"
        )
    else:
        rows, right = judged
        bins = reliability(confidence[rows].clip(0, 1), right, n_bins=10)
        low, high = wilson_interval(bins.accuracy * bins.count, bins.count)
        coverage, risk, area = risk_coverage(confidence[rows], right)
        numbers.append(("accuracy", f"{right.mean():.3f}", f"on {len(rows):,} cells not learned from"))
        numbers.append(("calibration error", f"{bins.ece:.3f}", ""))
        drawn.append(
            figure("Reliability", reliability_curve(bins.confidence, bins.accuracy, low, high), "95 % intervals")
        )
        drawn.append(figure("Errors among the most confident", risk_curve(coverage, risk), f"mean {area:.3f}"))
    return facts(numbers) + grid(drawn) + note


def _learned_from(adata: AnnData, key: str) -> np.ndarray:
    """Return the cells (n,) bool that `tl.classify` learned a prediction from, as far as the column of labels is known."""
    entry = adata.uns.get(key, {})
    params = entry.get("params", {}) if isinstance(entry, Mapping) else {}
    run = json.loads(recorded_runs(adata).get(key, "{}"))
    recorded = run.get("label_key") if run.get("function") == "tl.classify" else None
    label_key = params.get("label_key", recorded) if isinstance(params, Mapping) else recorded
    if label_key in adata.obs:
        with suppress(CellGraphError):  # a column that is no classes, or has no label any more
            return label_names(adata, str(label_key)) != ""
    return np.zeros(adata.n_obs, bool)


def _confidence_by_class(confidence: np.ndarray, found: Coloring, learned: np.ndarray) -> str:
    """Return the mean confidence of every predicted class over the cells not learned from, which are recalled too surely."""
    use = ~learned & np.isfinite(confidence)
    means, told = [], []
    for code in range(len(found.names)):
        mine = found.values == code
        n = int((mine & use).sum())
        means.append(float(confidence[mine & use].mean()) if n else np.nan)
        none = "no cell besides the labelled ones" if (mine & learned).any() else "no cell"
        told.append(f"{number(means[-1])} (n = {n:,})" if n else none)
    return figure(
        "Mean confidence by predicted class",
        bars(found.names, means, found.colors, label="mean confidence by class", told=told),
        "of cells that were not learned from" if learned.any() else "",
    )


def _judged(about: Subject, key: str, run: Mapping[str, Any], found: Coloring) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the rows with a true class that were not learned from, and whether each is right; None without any."""
    adata = about.adata
    if about.truth is None:
        return None
    true, classes = label_codes(adata, about.truth)
    known = true >= 0
    label_key = str(run.get("label_key", ""))
    if label_key in adata.obs and label_key != about.truth:
        with suppress(CellGraphError):  # a column that is no classes
            known &= label_codes(adata, label_key)[0] < 0
    if UNASSIGNED in found.names:
        known &= found.values != found.names.index(UNASSIGNED)
    rows = np.flatnonzero(known & np.isfinite(adata.obs[f"{key}_confidence"].to_numpy(float)))
    if len(rows) == 0:
        return None
    named = np.asarray(found.names, object)[found.values[rows]]
    return rows, named == np.asarray(classes, object)[true[rows]]


def interaction_section(about: Subject) -> Section | None:
    """Return the log odds of contact between types where `tl.interactions` left them; else None."""
    adata = about.adata
    drawn = []
    for key, entry in adata.uns.items():
        if not (isinstance(entry, Mapping) and "table" in entry and "types" in entry):
            continue
        rows, types = entry["table"], [str(t) for t in entry["types"]]
        if not {"level", "type_a", "type_b", "log_odds", "low", "high"} <= set(rows.columns):
            continue
        level = next(v for v in ("pooled", "sample") if (rows["level"] == v).any())
        rows = rows[rows["level"] == level]
        rows = rows[rows["sample"].astype(str) == str(rows["sample"].iloc[0])]
        odds = np.full((len(types), len(types)), np.nan)
        unsure = np.ones(odds.shape, bool)
        at = {t: i for i, t in enumerate(types)}
        for a, b, value, low, high in zip(
            *(rows[c] for c in ("type_a", "type_b", "log_odds", "low", "high")), strict=True
        ):
            i, j = at[str(a)], at[str(b)]
            odds[i, j] = odds[j, i] = value
            unsure[i, j] = unsure[j, i] = not (low > 0 or high < 0)
        name = "all samples pooled" if level == "pooled" else str(rows["sample"].iloc[0])
        note = f"log odds of contact, {name}" if name else "log odds of contact"
        drawn.append(
            figure(
                str(key),
                heat(types, odds, unsure, label="log odds of contact between types"),
                note,
            )
        )
    if not drawn:
        return None
    text = (
        "Red: types that touch more than random mixing of what is near would have it; blue: less. Pale: the interval "
        "includes 0. Grey: too few cells."
    )
    return Section("interactions", "Which types lie next to which", "Interactions", lead(text) + grid(drawn, wide=True))
