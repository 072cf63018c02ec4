"""Axes for tissue: one set of habits for every spatial plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, check_option
from cellgraph_clr._core.files import replacing
from cellgraph_clr.graphs.layout import unit_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

__all__ = ["PROJECTIONS", "new_axes", "picture_grid", "place", "plane", "point_size", "save_figure", "slab_rows"]

PROJECTIONS = ("xy", "xz", "yz")
UNIT_SIGNS = {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "pixel": "px"}


def new_axes(ax: Axes | None, size: tuple[float, float] = (6, 6)) -> Axes:
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure.add_subplot()


def picture_grid(names: Sequence[str], n_columns: int) -> np.ndarray:
    """Return axes (rows, n_columns) without frames of a new figure, the name of every row at its left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * n_columns + 0.6, 1.75 * len(names)), layout="constrained")
    axes = np.asarray(figure.subplots(len(names), n_columns, squeeze=False))
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.text(-0.06, 0.5, name, transform=ax.transAxes, rotation=90, ha="right", va="center")
    return axes


def plane(adata: AnnData, projection: str) -> np.ndarray:
    """Return the two coordinates (n, 2) of a projection; raises `OptionError` and `MissingKeyError`."""
    check_option("projection", projection, PROJECTIONS)
    check_key("spatial", list(adata.obsm), where="adata.obsm", remedy="Set x, y(, z).")
    xyz = np.asarray(adata.obsm["spatial"], float)
    columns = ["xyz".index(a) for a in projection]
    if max(columns) >= xyz.shape[1]:
        check_option("projection of 2D cells", projection, ("xy",))
    return xyz[:, columns]


def slab_rows(adata: AnnData, projection: str, slab: tuple[float, float] | None) -> np.ndarray:
    """Return the rows (bool) of cells within `slab` along the axis that the projection drops; all for None or in 2D."""
    xyz = np.asarray(adata.obsm["spatial"], float)
    if slab is None or xyz.shape[1] == 2:
        return np.ones(len(xyz), bool)
    depth = next(i for i, a in enumerate("xyz") if a not in projection)
    return (xyz[:, depth] >= slab[0]) & (xyz[:, depth] <= slab[1])


def place(ax: Axes, adata: AnnData, projection: str, title: str) -> None:
    """Set equal axes with units, y downwards as in images."""
    sign = UNIT_SIGNS.get(unit_of(adata), unit_of(adata))
    ax.set_aspect("equal")
    ax.set_xlabel(f"{projection[0]} ({sign})")
    ax.set_ylabel(f"{projection[1]} ({sign})")
    ax.set_title(title)
    if not ax.yaxis_inverted():
        ax.invert_yaxis()


def point_size(n: int) -> float:
    """Return a marker size at which n cells neither hide one another nor vanish."""
    return float(np.clip(12000 / max(n, 1), 2, 40))


def save_figure(ax: Axes, save: str | os.PathLike[str] | None) -> None:
    """Write the figure of `ax` to a file by suffix (beside, then renamed); nothing for None."""
    if save is None:
        return
    with replacing(save) as beside:
        ax.get_figure(root=True).savefig(beside, dpi=150)  # type: ignore[union-attr]
