"""Whether labels, or contacts that a scan left, are those of the cells: names change and repeat, places do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.axes import to_xyz
from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.ids import rows_of
from cellgraph_clr.adata.positions import position_of
from cellgraph_clr.adata.samples import cell_ids

if TYPE_CHECKING:
    from anndata import AnnData

    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.graphs.samples import Group

__all__ = ["check_labels_fit", "distance_ratio", "same_places"]

LOOKED_AT = 64  # cells whose own pixel is looked up
ENOUGH = 0.3  # share of them that lie on their own label: centroids of bent cells lie beside
EXACT = 0.02  # relative difference of distances between cells
MOST = 0.9  # share of distances that are to be equal


def distance_ratio(now: np.ndarray, then: np.ndarray) -> float | None:
    """Return what distances between cells (n, d) were multiplied by since `then`, 1 for cells turned or moved as a whole.

    None where there is no such factor: these are other cells. 1 for fewer than two cells. O(n).
    """
    n = len(now)
    if n < 2:
        return 1.0
    other = (np.arange(n) + max(n // 2, 1)) % n
    one, two = (np.linalg.norm(p - p[other], axis=1) for p in (now, then))
    known = two > 0
    if not known.any():
        return 1.0 if not one.any() else None
    ratio = one[known] / two[known]
    typical = float(np.median(ratio))
    alike = np.abs(ratio - typical) <= EXACT * typical
    return typical if typical > 0 and alike.mean() >= MOST else None


def same_places(adata: AnnData, group: Group, cell_id: np.ndarray, position: np.ndarray) -> bool:
    """Return whether cells that were measured at these places (n, d) z, y, x with these ids are those of an image.

    True where all that have an id among them lie as they did, perhaps turned or moved as a whole.
    """
    ids = cell_ids(adata)[group.rows]
    at = rows_of(cell_id, ids)
    now = to_xyz(position_of(adata)[group.rows])
    ratio = distance_ratio(now[at >= 0], np.asarray(position, float)[at[at >= 0]])
    return ratio is not None and abs(ratio - 1) <= EXACT


def check_labels_fit(adata: AnnData, group: Group, image: LabelImage, *, in_place: bool = False) -> None:
    """Raise `OptionError` for labels that are not those of the cells, or on another scale.

    Cells are to lie on their own label; where most do not (they are bent, or were moved or turned as a whole), half of the
    ids are to be in the labels, and distances between cells to be those of the labels (`in_place`: their positions). A look
    at 64 pixels; then a scan.
    """
    if "cell_id" not in adata.obs or len(group.rows) == 0:
        return
    some = group.rows[np.unique(np.linspace(0, len(group.rows) - 1, LOOKED_AT).astype(int))]
    zyx = to_xyz(position_of(adata)[some])
    origin = np.asarray(image.origin or (0.0,) * image.ndim)
    pixel = np.round((zyx - origin) / np.asarray(image.spacing))
    inside = np.isfinite(pixel).all(axis=1) & ((pixel >= 0) & (pixel < image.labels.shape)).all(axis=1)
    ids = cell_ids(adata)[some]
    hits = sum(
        int(np.asarray(image.labels[tuple(p)])) == i
        for p, i in zip(pixel[inside].astype(int).tolist(), ids[inside], strict=True)
    )
    if hits < ENOUGH * len(some):
        _check_by_scan(adata, group, image, in_place=in_place)


def _check_by_scan(adata: AnnData, group: Group, image: LabelImage, *, in_place: bool) -> None:
    from dataclasses import replace

    from cellgraph_clr.cells.measure import centroid
    from cellgraph_clr.cells.scan import scan_labels

    s = scan_labels(replace(image, image=None, channels=()), surface=False)
    ids = cell_ids(adata)[group.rows]
    at = rows_of(s.cell_id, ids)
    where = f" of {group.name!r}" if group.name else ""
    remedy = "Pass the labels that these cells were measured in, with their scale: `cgc.LabelImage.build(labels, spacing=…)`."
    n_known = int((at >= 0).sum())
    if n_known < len(ids) / 2:
        raise OptionError(expected(f"labels with the cells{where}", f"{n_known} of {len(ids)} ids in them", remedy))
    now = to_xyz(position_of(adata)[group.rows])[at >= 0]
    then = centroid(s, image.spacing)[at[at >= 0]] + np.asarray(image.origin or (0.0,) * image.ndim)
    ratio = distance_ratio(now, then)
    if ratio is None:
        raise OptionError(expected(f"labels of the cells{where}", "cells of these ids at other places", remedy))
    if abs(ratio - 1) > EXACT:
        found = f"positions {ratio:.3g} times as far apart as in the labels"
        raise OptionError(expected(f"labels on the scale of the cells{where}", found, remedy))
    off = np.abs(now - then).max(axis=1, initial=0) > 2 * max(image.spacing)
    if in_place and off.mean() > 1 - MOST:
        found = "cells that were moved or turned as a whole"
        raise OptionError(expected(f"labels where the cells{where} lie", found, "Move the labels alike."))
