"""Graphs on AnnData: contact, Delaunay, nearest-neighbour and radius graphs, and sums over neighbours.

Follows squidpy: results go to `obsp` and `uns`, `copy=True` returns them instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cellgraph_clr._core.checks import check_finite, check_in_range, check_key, expected
from cellgraph_clr._core.errors import MissingKeyError
from cellgraph_clr._core.log import log_written
from cellgraph_clr.cells.label_image import LabelImage
from cellgraph_clr.graphs import contact, neighbors, proximity
from cellgraph_clr.graphs import delaunay as triangulation
from cellgraph_clr.graphs.graph import CellGraph
from cellgraph_clr.graphs.layout import (
    adjacency_of,
    graph_keys,
    obs_prefix,
    read_features,
    stored_contacts,
    table_from_anndata,
    unit_of,
    write_graph,
)
from cellgraph_clr.graphs.samples import groups

if TYPE_CHECKING:
    from anndata import AnnData
    from scipy.sparse import csr_matrix

    from cellgraph_clr.cells.table import CellTable

__all__ = ["SpatialGraph", "aggregate_neighbors", "contact_graph", "delaunay_graph", "knn_graph", "radius_graph"]


class SpatialGraph(NamedTuple):
    """What a graph function returns with `copy=True`: symmetric (n, n) CSR matrices; areas for contact graphs only."""

    connectivities: csr_matrix
    distances: csr_matrix
    contact_area: csr_matrix | None = None


def _finish(
    function: str, adata: AnnData, graph: CellGraph, *, key_added: str, params: Mapping[str, Any], copy: bool
) -> SpatialGraph | None:
    if copy:
        wanted = [None, "length", *(["contact_area"] if "contact_area" in graph.edge_features else [])]
        return SpatialGraph(*graph.adjacencies(*wanted))
    log_written(function, write_graph(adata, graph, key_added=key_added, params=params))
    return None


def _cells(adata: AnnData, library_key: str | None) -> CellTable:
    return table_from_anndata(adata, library_key=library_key, features=False)


def _named(library_key: str | None) -> dict[str, str]:
    """Return the entry of `params` that names the sample column, when one was given."""
    return {"library_key": library_key} if library_key else {}


def contact_graph(
    adata: AnnData,
    labels: LabelImage | np.ndarray | Mapping[str, LabelImage | np.ndarray] | None = None,
    *,
    max_gap: float = 0.0,
    min_area: float = 0.0,
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

    Notes
    -----
    Two cells touch when they share a voxel face; the area is the sum of these faces in physical units. Background never
    links cells. Cells without contact stay, with `n_neighbors` 0. Without `labels` nothing is read: O(contacts).
    """
    check_in_range("min_area", min_area, low=0)
    check_in_range("max_gap", max_gap, low=0)
    cells = _cells(adata, library_key)
    if labels is None and max_gap > 0:
        raise MissingKeyError(
            expected("`labels` for `max_gap` above 0", "none", "Call `cgc.gr.contact_graph(adata, labels, max_gap=…)`.")
        )
    parts = groups(cells)
    names = [name for name, _ in parts]
    stored = _stored(adata, names) if labels is None else {}
    fresh = {} if labels is None else _by_sample(labels, names)
    pairs, areas = [], []
    for name, rows in parts:
        if labels is None:
            found = contact.Contacts(np.asarray(stored[name]["pairs"]), np.asarray(stored[name]["area"]))
        else:
            found = _fresh_contacts(adata, fresh[name], name, max_gap)
        local, area = found.between(cells.cell_id[rows], min_area=min_area)
        pairs.append(rows[local])
        areas.append(area)
    graph = CellGraph.from_pairs(cells, np.concatenate(pairs), {"contact_area": np.concatenate(areas)})
    params = {"method": "contact", "max_gap": float(max_gap), "min_area": float(min_area), **_named(library_key)}
    out = _finish("gr.contact_graph", adata, graph, key_added=key_added, params=params, copy=copy)
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


def _by_sample(
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


def _fresh_contacts(adata: AnnData, labels: LabelImage | np.ndarray, name: str, max_gap: float) -> contact.Contacts:
    """Return contacts of a label image; the spacing of a plain array is that of the scan of the sample."""
    if isinstance(labels, LabelImage):
        return contact.contacts_from_labels(labels.labels, labels.spacing, max_gap=max_gap)
    array = np.asarray(labels)
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
    spacing = [1.0] * array.ndim if entry is None else [float(s) for s in entry["spacing"]]
    return contact.contacts_from_labels(array, spacing, max_gap=max_gap)


def _contact_fraction(adata: AnnData, cells: CellTable, graph: CellGraph) -> np.ndarray:
    area = graph.edge_features["contact_area"]
    touching = sum(np.bincount(side, weights=area, minlength=len(cells)) for side in graph.edges.T)
    surface = np.ones(len(cells))
    parts = groups(cells)
    stored = _stored(adata, [name for name, _ in parts])
    for name, rows in parts:
        entry = stored[name]
        ids, areas = np.asarray(entry["cell_id"]), np.asarray(entry["surface"])
        order = np.argsort(ids)
        at = order[np.searchsorted(ids, cells.cell_id[rows], sorter=order).clip(max=len(ids) - 1)]
        surface[rows] = areas[at]
    return touching / surface


def delaunay_graph(
    adata: AnnData,
    *,
    max_distance: float | Literal["auto"] | None = "auto",
    library_key: str | None = None,
    key_added: str = "spatial",
    copy: bool = False,
) -> SpatialGraph | None:
    """Join cells by the Delaunay triangulation of their positions, long edges pruned.

    Parameters
    ----------
    adata : with `obsm["spatial"]`.
    max_distance : longest edge kept, in the unit of positions. "auto" is Tukey's upper fence on log lengths (reported in
        `uns[f"{key_added}_neighbors"]["params"]["max_distance"]`); None keeps all.
    library_key, key_added, copy : as in `contact_graph`.

    Raises
    ------
    GeometryError
        If a sample has fewer than d + 2 distinct positions, or they lie on a line or plane.
    OptionError, MissingKeyError, NoCellsError, NonFiniteError
        For wrong options, missing or bad positions.
    """
    graph, longest = triangulation.delaunay(_cells(adata, library_key), max_distance=max_distance)
    params = {"method": "delaunay", "max_distance": float(longest), **_named(library_key)}
    return _finish("gr.delaunay_graph", adata, graph, key_added=key_added, params=params, copy=copy)


def knn_graph(
    adata: AnnData,
    *,
    n_neighs: int = 6,
    mutual: bool = False,
    library_key: str | None = None,
    key_added: str = "spatial",
    n_jobs: int = -1,
    copy: bool = False,
) -> SpatialGraph | None:
    """Join every cell to its nearest cells: the union of both directions, or the intersection.

    Parameters
    ----------
    adata : with `obsm["spatial"]`.
    n_neighs : neighbours sought per cell.
    mutual : keep pairs only where each is among the nearest of the other.
    library_key, key_added, copy : as in `contact_graph`.
    n_jobs : threads of the search; -1 uses all. The result does not depend on it.

    Raises
    ------
    GeometryError
        If a sample has no more than `n_neighs` cells.
    OptionError, MissingKeyError, NoCellsError, NonFiniteError
        For wrong options, missing or bad positions.
    """
    graph = proximity.knn(_cells(adata, library_key), n_neighs=n_neighs, mutual=mutual, n_jobs=n_jobs)
    params = {"method": "knn", "n_neighs": int(n_neighs), "mutual": bool(mutual), **_named(library_key)}
    return _finish("gr.knn_graph", adata, graph, key_added=key_added, params=params, copy=copy)


def radius_graph(
    adata: AnnData,
    *,
    radius: float,
    library_key: str | None = None,
    key_added: str = "spatial",
    copy: bool = False,
) -> SpatialGraph | None:
    """Join all pairs of cells whose centres lie within `radius` (in the unit of positions).

    Other arguments as in `contact_graph`. Raises `OptionError` for a radius that is not above 0, and MissingKeyError,
    NoCellsError, NonFiniteError for missing or bad positions.
    """
    graph = proximity.radius(_cells(adata, library_key), radius=radius)
    params = {"method": "radius", "radius": float(radius), **_named(library_key)}
    return _finish("gr.radius_graph", adata, graph, key_added=key_added, params=params, copy=copy)


def aggregate_neighbors(
    adata: AnnData,
    *,
    use_rep: str | None = None,
    n_hops: int = 1,
    aggregations: Sequence[str] = ("mean",),
    weights: str | None = None,
    neighbors_key: str = "spatial",
    key_added: str = "X_aggregated",
    copy: bool = False,
) -> np.ndarray | None:
    """Set the features of every cell beside the statistics of its neighbours.

    Parameters
    ----------
    adata : with a spatial graph.
    use_rep : `obsm` key of the features; None is `X`.
    n_hops : hops; the statistics of a hop are those of the means of the hop before.
    aggregations : any of mean, std, max, min, sum.
    weights : "contact_area", "distances" or an `obsp` key to weight neighbours by; None weights them alike.
    neighbors_key : the graph.
    key_added : `obsm` key of the result, (n, f * (1 + n_hops * len(aggregations))) float32; column names in
        `uns[key_added]["names"]`.
    copy : return the matrix and leave `adata` alone.

    Raises
    ------
    NoGraphError, MissingKeyError
        If graph, features or weights are missing.
    NonFiniteError
        If features hold NaN.
    OptionError
        For wrong options.
    """
    adjacency = adjacency_of(adata, neighbors_key, weights)
    values, info = read_features(adata, use_rep)
    names = [i.name for i in info]
    check_finite(
        values, what="features", names=names, remedy="Call `cgc.pp.scale_features(adata, impute='median')` first."
    )
    out = neighbors.aggregate(values, adjacency, n_hops=n_hops, aggregations=aggregations)
    if copy:
        return out
    adata.obsm[key_added] = out
    columns = names + [f"{a}_{h}hop_{n}" for h in range(1, n_hops + 1) for a in aggregations for n in names]
    params = {"n_hops": int(n_hops), "aggregations": list(aggregations), "use_rep": use_rep or "X"}
    params |= {"weights": weights} if weights else {}
    params["connectivities_key"] = graph_keys(adata, neighbors_key)["connectivities"]
    adata.uns[key_added] = {"names": columns, "params": params}
    log_written("gr.aggregate_neighbors", [f"obsm[{key_added!r}]", f"uns[{key_added!r}]"])
    return None
