"""Graphs of cells that touch, from the contacts that the scan of the labels counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import check_in_range, check_key, expected
from cellgraph_clr._core.errors import MissingKeyError
from cellgraph_clr._core.ids import rows_of
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.gr.common import Isolates, SpatialGraph, cells_of, finish, named
from cellgraph_clr.graphs import contact
from cellgraph_clr.graphs.combine import with_isolates
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.layout import PACKAGE_KEY, obs_prefix, stored_contacts, unit_of
from cellgraph_clr.graphs.samples import groups

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.cells.table import CellTable

__all__ = ["contact_graph", "labels_by_sample", "with_spacing"]


def contact_graph(
    adata: AnnData,
    labels: LabelImage | np.ndarray | Mapping[str, LabelImage | np.ndarray] | None = None,
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
    adata : from `from_labels`; its scan already counted the contacts.
    labels : the label image (several samples: a mapping sample → image). Needed for `max_gap`, or when the contacts of
        the scan are gone. The spacing of the scan is used for a plain array.
    max_gap : widest background gap, in the unit of positions, that still counts as a contact.
    min_area : contacts up to this area (3D, unit squared) or length (2D) are left out.
    isolates : cells without contact are kept as they are, joined to the "nearest" cell (area 0), or refused ("raise").
    library_key : `obs` column of samples; None takes `obs["library_id"]` when it is there.
    key_added : results go to `obsp[f"{key_added}_connectivities"]`, `_distances` (centre to centre), `_contact_area`,
        `uns[f"{key_added}_neighbors"]`, `obs["n_neighbors"]` and `obs["contact_fraction"]` (share of the surface that
        touches cells; without `labels` only), the last two with `key_added` in front unless it is "spatial".
    copy : return a `SpatialGraph` and leave `adata` alone.

    Raises
    ------
    MissingKeyError
        If there are no contacts of a scan and no `labels`, or no labels for a sample.
    LabelImageError, NoCellsError, OptionError
        For bad labels or options.
    GeometryError
        For `isolates="raise"`, if a cell has no contact.

    Notes
    -----
    Two cells touch when they share a voxel face; the area is the sum of these faces in physical units. Background never
    links cells. Without `labels` nothing is read: O(contacts).
    """
    check_in_range("min_area", min_area, low=0)
    check_in_range("max_gap", max_gap, low=0)
    cells = cells_of(adata, library_key)
    if labels is None and max_gap > 0:
        raise MissingKeyError(
            expected("`labels` for `max_gap` above 0", "none", "Call `cgc.gr.contact_graph(adata, labels, max_gap=…)`.")
        )
    parts = groups(cells)
    names = [name for name, _ in parts]
    stored = _stored(adata, names) if labels is None else {}
    fresh = {} if labels is None else labels_by_sample(labels, names)
    pairs, areas = [], []
    for name, rows in parts:
        if labels is None:
            found = contact.Contacts(np.asarray(stored[name]["pairs"]), np.asarray(stored[name]["area"]))
        else:
            found = contact.contacts_from_labels(with_spacing(adata, fresh[name], name), max_gap=max_gap)
        local, area = found.between(cells.cell_id[rows], min_area=min_area)
        pairs.append(rows[local])
        areas.append(area)
    graph = CellGraph.from_pairs(cells, np.concatenate(pairs), {"contact_area": np.concatenate(areas)})
    graph = with_isolates(graph, isolates)
    params: dict[str, Any] = {"method": "contact", "connectivity": 2 * cells.position.shape[1], "isolates": isolates}
    spacing = adata.uns.get(PACKAGE_KEY, {}).get("spacing")
    params |= {} if spacing is None else {"spacing": [float(x) for x in spacing]}
    params |= {"max_gap": float(max_gap), "min_area": float(min_area), **named(library_key)}
    out = finish("gr.contact_graph", adata, graph, key_added=key_added, params=params, copy=copy)
    if out is None and labels is None:
        adata.obs[f"{obs_prefix(key_added)}contact_fraction"] = _contact_fraction(adata, cells, graph)
    return out


def _stored(adata: AnnData, names: list[str]) -> dict[str, Mapping[str, Any]]:
    """Return the contacts the scans left, for every sample; raises `MissingKeyError` where they are gone."""
    stored = stored_contacts(adata)
    if len(names) == 1 and len(stored) == 1:
        stored = {names[0]: next(iter(stored.values()))}
    for name in names:
        check_key(
            name,
            list(stored),
            where="the contacts of the scan",
            remedy="Pass the label image: `cgc.gr.contact_graph(adata, labels)`.",
        )
    return stored


def labels_by_sample(
    labels: LabelImage | np.ndarray | Mapping[str, LabelImage | np.ndarray], names: list[str]
) -> dict[str, LabelImage | np.ndarray]:
    """Return one label image per sample; raises `MissingKeyError` for a sample without one."""
    if not isinstance(labels, Mapping):
        if len(names) > 1:
            raise MissingKeyError(
                expected(
                    f"a mapping sample → labels for {len(names)} samples", "one image", "Pass {sample: labels, …}."
                )
            )
        return {names[0]: labels}
    images = {str(k): v for k, v in labels.items()}
    if len(names) == 1 and len(images) == 1:
        return {names[0]: next(iter(images.values()))}
    for name in names:
        check_key(name, list(images), where="labels", remedy="Give one label image per sample.")
    return images


def with_spacing(adata: AnnData, labels: LabelImage | np.ndarray, name: str) -> LabelImage:
    """Return the labels of a sample as `LabelImage`; the spacing of a plain array is that of the scan of the sample.

    Raises `MissingKeyError` when that is not known and positions are not in pixels.
    """
    if isinstance(labels, LabelImage):
        return labels
    stored = stored_contacts(adata)
    entry = stored.get(name) or (next(iter(stored.values())) if len(stored) == 1 else None)
    if entry is None and unit_of(adata) != "pixel":
        raise MissingKeyError(
            expected(
                f"labels with a spacing, since positions are in {unit_of(adata)}",
                "a plain array",
                "Pass `cgc.LabelImage.build(labels, spacing=…)`.",
            )
        )
    return LabelImage.build(labels, spacing=None if entry is None else [float(s) for s in entry["spacing"]])


def _contact_fraction(adata: AnnData, cells: CellTable, graph: CellGraph) -> np.ndarray:
    area = graph.edge_features["contact_area"]
    touching = sum(np.bincount(side, weights=area, minlength=len(cells)) for side in graph.edges.T)
    surface = np.ones(len(cells))
    parts = groups(cells)
    stored = _stored(adata, [name for name, _ in parts])
    for name, rows in parts:
        entry = stored[name]
        ids, areas = np.asarray(entry["cell_id"]), np.asarray(entry["surface"])
        at = rows_of(ids, cells.cell_id[rows])
        surface[rows] = np.where(at >= 0, areas[at], np.nan)
    return touching / surface
