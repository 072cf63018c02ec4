"""Montage of windows of a plate: the most typical ones of every group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, check_option, check_whole
from cellgraph_clr.analysis.typical import typical_rows
from cellgraph_clr.graphs.labels import label_codes
from cellgraph_clr.graphs.layout import read_features
from cellgraph_clr.pl.canvas import picture_grid, save_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData

    from cellgraph_clr.cells.plate import Plate

__all__ = ["window_gallery"]

PLACE = ("sample", "well", "field")  # what tells a field from others


def window_gallery(
    adata: AnnData,
    plate: Plate,
    groupby: str,
    *,
    use_rep: str = "X_infomax",
    size: int = 128,
    n_windows: int = 5,
    channels: Sequence[int] = (0, 1, 2),
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw the most typical windows of every group, one row a group.

    Parameters
    ----------
    adata : windows of the plate (`tl.profile`).
    plate : that was profiled.
    groupby : categorical `obs` column, e.g. of `tl.cluster`.
    use_rep : `obsm` key that says what is typical.
    size : pixels of a window.
    n_windows : pictures in a row.
    channels : up to three, shown in red, green and blue; a single one in grey. Each between its 1 and 99.8 percentiles over
        the plate.
    save : write the figure to this file.

    Returns
    -------
    The axes (groups, n_windows); each picture is titled by its sample.

    Raises
    ------
    MissingKeyError, LabelKeyError, OptionError
        For missing keys, no group, or channels that are not there.
    """
    check_whole("n_windows", n_windows)
    check_whole("size", size, low=8)
    for channel in channels:
        check_option("channels", channel, tuple(range(len(plate.channels))))
    for name in (*PLACE, "x", "y"):
        check_key(name, list(adata.obs.columns), where="adata.obs", remedy="Make it by `cgc.tl.profile(plate)`.")
    vectors, _ = read_features(adata, use_rep)
    codes, names = label_codes(adata, groupby, as_listed=True)
    chosen = typical_rows(vectors, codes, n_windows)
    shown = plate.normalised("plate")
    line = {tuple(place): i for i, place in enumerate(plate.table[[*PLACE]].to_numpy())}
    axes = picture_grid(names, n_windows)
    for row, members in zip(axes, chosen, strict=False):
        for ax, member in zip(row, members, strict=False):
            o = adata.obs.iloc[member]
            image = shown.image(line[tuple(str(o[name]) for name in PLACE)])
            top, left = (max(int(o[a] - size / 2), 0) for a in ("y", "x"))
            part = np.clip(image[list(channels), top : top + size, left : left + size], 0, 1)
            if len(part) == 1:
                ax.imshow(part[0], cmap="gray", vmin=0, vmax=1)
            else:
                ax.imshow(np.stack([part[k] if k < len(part) else np.zeros_like(part[0]) for k in range(3)], axis=-1))
            ax.set_title(str(o["sample"]), fontsize=7)
    save_figure(axes[0, 0], save)
    return axes
