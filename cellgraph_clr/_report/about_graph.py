"""Sections on the labels that cells come from, and on the graph that joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.errors import NoGraphError
from cellgraph_clr._core.units import unit_sign
from cellgraph_clr._report.charts import bars, figure, histogram
from cellgraph_clr._report.parts import Section, Subject, facts, grid, lead, table
from cellgraph_clr.adata.images_of_cells import images_of
from cellgraph_clr.adata.provenance import entries_of, unit_of
from cellgraph_clr.adata.reading import adjacency_of, graph_keys

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["graph_section", "quality_section"]

FLAGS = {
    "is_fragmented": "in several pieces",
    "has_holes": "with holes",
    "is_tiny": "very small",
    "is_huge": "very large",
    "is_thin": "one pixel thick",
    "touches_border": "cut by the border of the image",
}


def quality_section(about: Subject) -> Section | None:
    """Return how many cells have which fault of segmentation: by `im.label_qc` of the labels, or as `obs` has it; else None."""
    found = _faults(about)
    flags = [f for f in FLAGS if f in found.columns]
    if not flags:
        return None
    n = len(found)
    count = [int(np.asarray(found[f], bool).sum()) for f in flags]
    wrong = [f for f in flags if f != "touches_border"]
    clean = int((~np.asarray(found[wrong], bool).any(axis=1)).sum()) if wrong else n
    numbers = [("cells looked at", f"{n:,}", ""), ("without a fault", f"{clean:,}", f"{100 * clean / max(n, 1):.1f} %")]
    chart = figure("Cells that are", bars([FLAGS[f] for f in flags], count, label="cells with each fault"))
    worst = found[np.asarray(found[wrong], bool).any(axis=1)] if wrong else found[:0]
    order = np.argsort(-np.asarray(worst[wrong], int).sum(axis=1), kind="stable")[:12] if wrong else np.zeros(0, int)
    lines = [[str(worst.index[i]), ", ".join(FLAGS[f] for f in wrong if worst[f].iloc[i])] for i in order]
    listed = (
        "<h3>Cells to look at first</h3>" + table(["cell", "fault"], lines) if lines else "<p>No cell has a fault.</p>"
    )
    text = (
        "What segmentation leaves behind. Sizes are compared with those of all cells (Tukey's far fences on log sizes)."
    )
    return Section(
        "quality", "Quality of the labels", "Labels", lead(text) + facts(numbers) + grid([chart, listed], wide=True)
    )


def _faults(about: Subject) -> pd.DataFrame:
    """Return flags of cells: of the labels of every image where labels are given, else of `obs`."""
    import pandas as pd

    from cellgraph_clr.im import label_qc
    from cellgraph_clr.io.matched_labels import labels_of_images

    if about.labels is None:
        return about.adata.obs
    images = images_of(about.adata, about.library_key)
    labels_of = labels_of_images(about.adata, about.labels, images)
    tables = []
    for group in images:
        one = label_qc(labels_of(group))
        one.index = [f"{group.name}: {i}" if len(images) > 1 else str(i) for i in one.index]
        tables.append(one)
    return pd.concat(tables)


def graph_section(about: Subject) -> Section | None:
    """Return degrees, lengths of edges, contact areas and isolates; None without a graph."""
    from scipy.sparse.csgraph import connected_components

    adata = about.adata
    try:
        keys = graph_keys(adata, about.neighbors_key)
        graph = adjacency_of(adata, about.neighbors_key)
    except NoGraphError:
        return None
    degree = np.diff(graph.indptr)
    pieces, piece = connected_components(graph, directed=False)
    unit = unit_sign(unit_of(adata))
    params = entries_of(adata, f"{about.neighbors_key}_neighbors").get("params", {})
    method = str(params.get("method", "")) if hasattr(params, "get") else ""
    largest = int(np.bincount(piece).max(initial=0)) if len(piece) else 0
    numbers = [
        ("edges", f"{graph.nnz // 2:,}", ""),
        ("neighbors of a cell", f"{degree.mean() if len(degree) else 0:.2f}", "on average"),
        ("isolated cells", f"{int((degree == 0).sum()):,}", ""),
        ("connected pieces", f"{pieces:,}", f"the largest has {largest:,} cells"),
    ]
    drawn = [figure("Neighbors of a cell", histogram(degree, label="neighbors of a cell"))]
    if "distances" in keys:
        length = adata.obsp[keys["distances"]].tocoo()
        values = length.data[(length.row < length.col) & (length.data > 0)]
        drawn.append(figure("Length of edges", histogram(values, unit, label="length of edges"), f"({unit})"))
    if "contact_area" in keys:
        area = adata.obsp[keys["contact_area"]].tocoo()
        what, power = ("Length of contacts", "") if _is_flat(about) else ("Area of contacts", "²")
        values = area.data[(area.row < area.col) & (area.data > 0)]
        drawn.append(figure(what, histogram(values, unit + power, label=what), f"({unit}{power})"))
    how = f" It was made by the method {method!r}." if method else ""
    text = f"Cells are joined where they touch or lie near; regions grow along these edges.{how}"
    return Section("graph", "Who lies beside whom", "Graph", lead(text) + facts(numbers) + grid(drawn))


def _is_flat(about: Subject) -> bool:
    return "spatial" in about.adata.obsm and np.shape(about.adata.obsm["spatial"])[1] == 2
