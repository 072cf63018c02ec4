"""Sections on what the data are, and on how results were made."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.units import unit_sign
from cellgraph_clr._report.parts import Section, Subject, facts, grid, lead, table
from cellgraph_clr.adata.images_of_cells import images_of, scale_of
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.provenance import recorded_runs, unit_of
from cellgraph_clr.adata.reading import raw_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

__all__ = ["data_section", "provenance_section"]

MOST_ROWS = 200
PARTS = ("cellgraph-clr", "anndata", "scanpy", "numpy", "torch", "scikit-learn")


def data_section(about: Subject) -> Section:
    """Return samples, cells, spacing and features with their units."""
    adata, images = about.adata, images_of(about.adata, about.library_key)
    samples = len({g.sample for g in images})
    unit, placed = unit_sign(unit_of(adata)), "spatial" in adata.obsm
    shown = [("cells", f"{adata.n_obs:,}", ""), ("samples", f"{samples:,}", "")]
    if len(images) > samples:
        shown.append(("frames", f"{len(images):,}", ""))
    shown.append(("features", f"{adata.n_vars:,}", ""))
    if placed:
        xyz = position_of(adata, whole=False)
        extent = np.nanmax(xyz, axis=0) - np.nanmin(xyz, axis=0) if len(xyz) else np.zeros(xyz.shape[1])
        shown.append(("extent", " × ".join(f"{e:.4g}" for e in extent), unit))
    parts = [facts(shown)]
    if len(images) > 1:
        parts.append("<h3>Samples</h3>" + _sample_table(adata, images, unit))
    elif (scale := scale_of(adata, images[0])) is not None:
        shape = " × ".join(str(n) for n in scale.shape) if scale.shape else "unknown"
        parts.append(
            f"<p>Measured in an image of {escape(shape)} pixels, one of {escape(str(scale))} (last axis x).</p>"
        )
    if adata.n_vars and adata.X is not None:
        parts.append("<h3>Features</h3>" + _feature_table(adata))
    vectors = [k for k in adata.obsm if k != "spatial"]
    if vectors:
        lines = [[k, str(np.shape(adata.obsm[k])[1]) if np.ndim(adata.obsm[k]) == 2 else "1"] for k in vectors]
        parts.append("<h3>Vectors of cells</h3>" + table(["key in obsm", "columns"], lines))
    return Section("data", "What the data are", "Data", "".join(parts))


def _sample_table(adata: AnnData, images: Sequence[Any], unit: str) -> str:
    lines = []
    placed = "spatial" in adata.obsm
    xyz = position_of(adata, whole=False) if placed else np.zeros((adata.n_obs, 2))
    for group in images[:MOST_ROWS]:
        scale = scale_of(adata, group)
        size = np.ptp(xyz[group.rows], axis=0)
        lines.append(
            [
                group.name,
                len(group.rows),
                " × ".join(f"{s:.4g}" for s in size) if placed else "–",
                str(scale) if scale is not None else "–",
            ]
        )
    return table(["sample", "cells", f"extent ({unit})", "spacing of the image (last axis x)"], lines) + _left(
        len(images)
    )


def _left(n: int) -> str:
    return f"<p>{n - MOST_ROWS} more are not listed.</p>" if n > MOST_ROWS else ""


def _feature_table(adata: AnnData) -> str:
    names = list(dict.fromkeys(map(str, adata.var_names)))
    group = (
        dict(zip(map(str, adata.var_names), adata.var["group"].astype(str), strict=True))
        if "group" in adata.var
        else {}
    )
    lines = []
    for name in names[:MOST_ROWS]:
        values, unit = raw_values(adata, name)
        known = values[np.isfinite(values)]
        low, middle, high = np.percentile(known, (5, 50, 95)) if len(known) else (np.nan,) * 3
        missing = len(values) - len(known)
        lines.append([name, group.get(name, ""), unit_sign(unit) if unit else "", middle, low, high, missing])
    head = ["feature", "group", "unit", "median", "5 %", "95 %", "missing"]
    return table(head, lines) + _left(len(names))


def provenance_section(about: Subject, command: str, notes: Sequence[str]) -> Section:
    """Return what made the results: every recorded call with its options, versions, the call that made the page, and notes."""
    from importlib.metadata import PackageNotFoundError, version

    runs = recorded_runs(about.adata)
    lines = []
    for key, text in sorted(runs.items()):
        run: dict[str, Any] = json.loads(text)
        versions = run.pop("versions", {})
        call = str(run.pop("function", ""))
        lines.append(
            [key, call, ", ".join(f"{k} = {_plain(v)}" for k, v in run.items()), versions.get("cellgraph_clr", "")]
        )
    parts = [
        lead("The calls whose results these are, with their options and seeds, as they were recorded with the data.")
    ]
    if lines:
        parts.append(table(["result", "call", "options", "version"], lines))
    else:
        parts.append("<p>No call of this package is recorded in the data.</p>")
    found = []
    for name in PARTS:
        try:
            found.append([name, version(name)])
        except PackageNotFoundError:
            continue
    parts.append(
        grid(
            [
                f'<h3>This page was made by</h3><pre tabindex="0">{escape(command)}</pre>'
                + "".join(f"<p>{escape(n)}</p>" for n in notes),
                "<h3>Versions</h3>" + table(["package", "version"], found),
            ],
            wide=True,
        )
    )
    return Section("provenance", "How it was made", "Provenance", "".join(parts))


def _plain(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    return text if len(text) <= 160 else text[:159] + "…"
