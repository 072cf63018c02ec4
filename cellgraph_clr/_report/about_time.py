"""Sections on movies and screens: events from frame to frame, and the wells of a plate."""

from __future__ import annotations

import re
from html import escape

import numpy as np

from cellgraph_clr._report.charts import bars, figure, series
from cellgraph_clr._report.parts import Section, Subject, grid, lead
from cellgraph_clr.adata.samples import frame_of
from cellgraph_clr.pl.colors import PALETTE, coloring

__all__ = ["plate_section", "time_section"]

WELL = re.compile(r"([A-P])0?(\d{1,2})$")
EVENTS = ("event", "events")  # columns that `tl.detect_events` writes


def time_section(about: Subject) -> Section | None:
    """Return cells and events by frame; None for a single frame."""
    adata = about.adata
    frame = frame_of(adata)
    frames, number = np.unique(frame, return_inverse=True)
    if len(frames) < 2:
        return None
    lines = {"cells": np.bincount(number).tolist()}
    drawn = [figure("Cells by frame", series(frames.tolist(), lines, PALETTE, x_name="frame", label="cells by frame"))]
    for key in EVENTS:
        if key in adata.obs and adata.obs[key].dtype.kind not in "iuf":
            found = coloring(adata[:], key)
            by_kind = {
                name: np.bincount(number[found.values == code], minlength=len(frames)).tolist()
                for code, name in enumerate(found.names)
                if name not in ("none", "unassigned") and (found.values == code).any()
            }
            if by_kind:
                chart = series(frames.tolist(), by_kind, PALETTE[1:], x_name="frame", label="events by frame")
                drawn.append(figure("Events by frame", chart))
    return Section("time", "Over time", "Time", lead(f"{len(frames)} frames.") + grid(drawn, wide=True))


def plate_section(about: Subject) -> Section | None:
    """Return the cells of every well as a map of the plate, and the samples; None without a column `well`."""
    adata = about.adata
    if "well" not in adata.obs:
        return None
    wells, count = np.unique(adata.obs["well"].astype(str).to_numpy(), return_counts=True)
    places = [WELL.match(w) for w in wells]
    if not all(places) or len(wells) < 2:
        return Section(
            "plate",
            "The plate",
            "Plate",
            figure("Cells by well", bars(wells.tolist(), count.tolist(), label="cells by well")),
        )
    at = [(ord(m[1]) - 65, int(m[2]) - 1) for m in places if m is not None]
    rows, columns = max(r for r, _ in at) + 1, max(c for _, c in at) + 1
    most = count.max()
    out = []
    for (r, c), n, well in zip(at, count, wells, strict=True):
        x, y = 26 + 24 * c, 20 + 24 * r
        shade = 0.15 + 0.85 * n / most
        place = f'x="{x}" y="{y}" width="22" height="22" rx="4" opacity="{shade:.2f}"'
        out.append(f'<rect class="bar" {place}><title>{escape(well)}: {n} rows</title></rect>')
    out += [f'<text x="16" y="{35 + 24 * r}" text-anchor="middle">{chr(65 + r)}</text>' for r in range(rows)]
    out += [f'<text x="{37 + 24 * c}" y="13" text-anchor="middle">{c + 1}</text>' for c in range(columns)]
    size = f"0 0 {30 + 24 * columns} {24 + 24 * rows}"
    label = 'role="img" aria-label="rows of the data in every well"'
    drawing = f'<svg class="chart" viewBox="{size}" {label}>{"".join(out)}</svg>'
    text = f"{len(wells)} wells; the darkest has {most:,} rows of the data."
    return Section("plate", "The plate", "Plate", lead(text) + drawing)
