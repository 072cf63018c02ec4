"""Graphs of cells that touch, from the contacts that the scan of the labels counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_in_range, expected
from cellgraph_clr._core.errors import MissingKeyError
from cellgraph_clr._core.ids import rows_of
from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.units import unit_sign
from cellgraph_clr.adata.fit import same_places
from cellgraph_clr.adata.images_of_cells import scale_of, stored_contacts
from cellgraph_clr.adata.provenance import unit_of
from cellgraph_clr.adata.writing import write_graph_columns
from cellgraph_clr.cells.gaps import MANY_ISOLATES
from cellgraph_clr.gr.common import SpatialGraph, cells_of, named, write_or_return
from cellgraph_clr.graphs import contact
from cellgraph_clr.graphs.combine import Isolates, with_isolates
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.samples import groups
from cellgraph_clr.io.matched_labels import labels_of_images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from cellgraph_clr.cells.table import CellTable
    from cellgraph_clr.graphs.samples import Group
    from cellgraph_clr.io.labels import Labels

__all__ = ["contact_graph"]


@checked
def contact_graph(
    adata: AnnData,
    labels: Labels | None = None,
    *,
    max_gap: float = 0.0,
    min_area: float = 0.0,
    isolates: Isolates = "keep",
    library_key: str | None = None,
    key_added: str = "spatial",
    copy: bool = False,
) -> SpatialGraph | None:
    """Join cells that touch in the label image, with the area of their contact.

    Parameters
    ----------
    adata : AnnData
        From `from_labels`; its scan already counted the contacts.
    labels : LabelImage or array-like or path-like or None, default None
        The label image, in any form that `from_labels` takes; for several samples a mapping from samples to images, or
        the `Movie` or `Plate` the cells were measured in. Needed for `max_gap`, or when the contacts of the scan are
        gone. Without a scale of their own labels have that of the cells; with another one they are refused.
    max_gap : float, default 0.0
        Widest background gap, in the unit of positions, that still counts as a contact.
    min_area : float, default 0.0
        Contacts up to this area (3D, unit squared) or length (2D) are left out.
    isolates : {"keep", "nearest", "raise"}, default "keep"
        Cells without contact are kept as they are, joined to the "nearest" cell (area 0), or refused ("raise").
    library_key : str or None, default None
        `obs` column of samples; None takes `obs["library_id"]`, else the column that the graph "spatial" was made with.
    key_added : str, default "spatial"
        Results go to `obsp[f"{key_added}_connectivities"]`, `_distances` (centre to centre), `_contact_area`,
        `uns[f"{key_added}_neighbors"]`, `obs["n_neighbors"]` and `obs["contact_fraction"]` (share of the surface that
        touches cells; without `labels` only), the last two with `key_added` in front unless it is "spatial".
    copy : bool, default False
        Return a `SpatialGraph` and leave `adata` alone.

    Returns
    -------
    SpatialGraph or None
        The SpatialGraph with `copy=True`, else None.

    Raises
    ------
    MissingKeyError
        If there are no contacts of a scan and no `labels`, or no labels for a sample.
    LabelImageError, NoCellsError, OptionError
        For bad labels or options, or labels with another scale than the cells.
    GeometryError
        For `isolates="raise"`, if a cell has no contact.

    Warns
    -----
    UserWarning
        If more than a fifth of the cells touch no other, with the width of the gaps and what to call instead.

    Notes
    -----
    Two cells touch when they share a voxel face; the area is the sum of these faces in physical units. Background never
    links cells. Without `labels` nothing is read: O(contacts).

    Examples
    --------
    >>> import cellgraph_clr as cgc
    >>> adata = cgc.datasets.tissue(120, random_state=0).adata()
    >>> cgc.gr.contact_graph(adata)
    >>> adata.obsp["spatial_connectivities"].shape == (adata.n_obs, adata.n_obs)
    True
    >>> "spatial_contact_area" in adata.obsp
    True
    """
    check_in_range("min_area", min_area, low=0)
    check_in_range("max_gap", max_gap, low=0)
    cells = cells_of(adata, library_key)
    if labels is None and max_gap > 0:
        raise MissingKeyError(
            expected("`labels` for `max_gap` above 0", "none", "Call `cgc.gr.contact_graph(adata, labels, max_gap=…)`.")
        )
    parts = groups(cells)
    found = _stored(adata, parts) if labels is None else _measured(adata, labels, parts, max_gap)
    pairs, areas = [], []
    for group, contacts in zip(parts, found, strict=True):
        local, area = contacts.between(cells.cell_id[group.rows], min_area=min_area)
        pairs.append(group.rows[local])
        areas.append(area)
    touching = CellGraph.from_pairs(cells, np.concatenate(pairs), {"contact_area": np.concatenate(areas)})
    graph = with_isolates(touching, isolates)
    params: dict[str, Any] = {"method": "contact", "connectivity": 2 * cells.position.shape[1], "isolates": isolates}
    scales = {scale_of(adata, g) for g in parts}
    if len(scales) == 1 and None not in scales:
        params["spacing"] = [float(x) for x in next(iter(scales)).spacing]  # type: ignore[union-attr]
    params |= {"max_gap": float(max_gap), "min_area": float(min_area), **named(adata, library_key)}
    columns = {}
    if labels is None and not copy:
        degree = np.bincount(graph.edges.ravel(), minlength=len(cells)).astype(np.int32)
        columns = {"n_neighbors": degree, "contact_fraction": _contact_fraction(adata, cells, graph)}
    out = write_or_return("gr.contact_graph", adata, graph, key_added=key_added, params=params, copy=copy)
    if columns:
        write_graph_columns(adata, key_added, columns)
    if isolates == "keep":
        _warn_of_isolates(touching, [c.gap for c in found], unit_of(adata), max_gap=max_gap, min_area=min_area)
    return out


def _stored(adata: AnnData, parts: Sequence[Group]) -> list[contact.Contacts]:
    """Return the contacts the scans left, for every image; raises `MissingKeyError` where they are gone."""
    entries = _entries(adata, parts)
    return [contact.Contacts(np.asarray(e["pairs"]), np.asarray(e["area"]), e.get("gap")) for e in entries]


def _entries(adata: AnnData, parts: Sequence[Group]) -> list[Mapping[str, Any]]:
    stored = stored_contacts(adata)
    if len(parts) == 1 and len(stored) == 1:  # one image, whatever it is called now
        stored = {(parts[0].sample, parts[0].frame): next(iter(stored.values()))}
    remedy = "Pass the label image: `cgc.gr.contact_graph(adata, labels)`."
    lost = [g.name for g in parts if (g.sample, g.frame) not in stored]
    if lost:
        what = f"contacts of {lost[0]!r} that the scan counted" if lost[0] else "contacts that the scan counted"
        raise MissingKeyError(expected(what, f"none for {len(lost)} of {len(parts)} samples", remedy))
    found = [stored[g.sample, g.frame] for g in parts]
    for group, entry in zip(parts, found, strict=True):
        if not same_places(adata, group, np.asarray(entry["cell_id"]), np.asarray(entry["position"])):
            what = f"contacts of the cells of {group.name!r}" if group.name else "contacts of these cells"
            said = "those of cells at other places (another sample, or positions that were scaled)"
            raise MissingKeyError(expected(what, said, remedy))
    return found


def _measured(adata: AnnData, labels: Labels, parts: Sequence[Group], max_gap: float) -> list[contact.Contacts]:
    image_of = labels_of_images(adata, labels, parts)
    return [contact.contacts_from_labels(image_of(g), max_gap=max_gap) for g in parts]


def _warn_of_isolates(
    graph: CellGraph, gaps: Sequence[float | None], unit: str, *, max_gap: float, min_area: float
) -> None:
    """Warn when more than a fifth of the cells touch no other, with the call to make instead."""
    n = len(graph.cells)
    n_alone = n - np.count_nonzero(np.bincount(graph.edges.ravel(), minlength=n))
    if n < 2 or n_alone <= MANY_ISOLATES * n:
        return
    known = [g for g in gaps if g is not None]
    if known:
        gap = float(np.median(known))
        digits = 1 - math.floor(math.log10(gap))  # two digits, rounded up, so that the gap is bridged
        wide = math.ceil(gap * 10**digits - 1e-6) / 10**digits
        reason = f"Background about {wide:g} {unit_sign(unit)} wide lies between most of them and the nearest cell"
        call = f"bridge it by `cgc.gr.contact_graph(adata, labels, max_gap={wide:g})`"
    elif max_gap > 0:
        reason, call = "No other cell lies within `max_gap`", "raise `max_gap`"
    elif min_area > 0:
        reason, call = "Smaller contacts were left out", "lower `min_area`"
    else:
        reason, call = "No gap was measured", "bridge gaps by `cgc.gr.contact_graph(adata, labels, max_gap=…)`"
    warn(
        f"{n_alone} of {n} cells touch no other cell. {reason}: {call}, or join neighbours by their position: "
        "`cgc.gr.delaunay_graph(adata)`."
    )


def _contact_fraction(adata: AnnData, cells: CellTable, graph: CellGraph) -> np.ndarray:
    area = graph.edge_features["contact_area"]
    touching = sum(np.bincount(side, weights=area, minlength=len(cells)) for side in graph.edges.T)
    surface = np.ones(len(cells))
    parts = groups(cells)
    for (_, _, rows, _), entry in zip(parts, _entries(adata, parts), strict=True):
        ids, areas = np.asarray(entry["cell_id"]), np.asarray(entry["surface"])
        at = rows_of(ids, cells.cell_id[rows])
        surface[rows] = np.where(at >= 0, areas[at], np.nan)
    return touching / surface
