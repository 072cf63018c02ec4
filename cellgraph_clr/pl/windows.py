"""Montage of windows of a plate: the most typical ones of every group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_key, check_option, check_whole
from cellgraph_clr._core.units import PIXEL
from cellgraph_clr.adata.labels import label_codes
from cellgraph_clr.adata.reading import read_features
from cellgraph_clr.analysis.typical import typical_rows
from cellgraph_clr.pl.canvas import finish, picture_grid, plain, scale_bar
from cellgraph_clr.pl.door import drawn

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData

    from cellgraph_clr.cells.plate import Plate

__all__ = ["window_gallery"]

PLACE = ("sample", "well", "field")  # what tells a field from others


@drawn
def window_gallery(
    adata: AnnData,
    plate: Plate,
    groupby: str,
    *,
    use_rep: str = "X_infomax",
    window_px: int = 128,
    n_examples: int = 5,
    channels: Sequence[int | str] | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """Draw the most typical windows of every group, one row a group.

    Parameters
    ----------
    adata : AnnData
        Windows of the plate (`tl.profile`).
    plate : Plate
        That was profiled.
    groupby : str
        Categorical `obs` column, e.g. of `tl.cluster`.
    use_rep : str, default "X_infomax"
        `obsm` key that says what is typical.
    window_px : int, default 128
        Pixels of a window.
    n_examples : int, default 5
        Pictures in a row.
    channels : sequence of int or str or None, default None
        Names or numbers of up to three, shown in red, green and blue, or of one, in grey; None takes the first three
        there are. Each between its 1 and 99.8 percentiles over the plate.
    title : str or None, default None
        Of the figure; None names the channels and their colours.
    figsize : tuple of float, float or None, default None
        As in `pl.cell_gallery`.
    show : bool or None, default None
        As in `pl.cell_gallery`.
    save : str or path-like or None, default None
        As in `pl.cell_gallery`.

    Returns
    -------
    numpy.ndarray
        The axes (groups, n_examples); each picture is titled by its sample.

    Raises
    ------
    MissingKeyError, LabelKeyError, OptionError
        For missing keys, no group, or channels that are not there.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import cellgraph_clr as cgc
    >>> rng = np.random.default_rng(0)
    >>> images = [rng.random((1, 64, 64)).astype(np.float32) + i // 2 for i in range(4)]
    >>> table = pd.DataFrame({"sample": ["a", "a", "b", "b"], "field": [0, 1, 0, 1]})
    >>> plate = cgc.Plate.build(table, images)
    >>> profiles = cgc.tl.profile(plate, window_px=32, n_steps=2, n_features=4, foreground="all", progress=False)
    >>> axes = cgc.pl.window_gallery(profiles, plate, "sample")
    """
    check_whole("n_examples", n_examples)
    check_whole("window_px", window_px, low=8)
    names = list(plate.channels)
    given = range(min(len(names), 3)) if channels is None else channels
    for channel in given:
        check_option("channels", channel, (*range(len(names)), *names))
    at = [names.index(c) if isinstance(c, str) else int(c) for c in given]
    check_whole("number of channels", len(at), high=3)
    for name in (*PLACE, "x", "y"):
        check_key(name, list(adata.obs.columns), where="adata.obs", remedy="Make it by `cgc.tl.profile(plate)`.")
    vectors, _ = read_features(adata, use_rep)
    codes, groups = label_codes(adata, groupby, as_listed=True)
    chosen = typical_rows(vectors, codes, n_examples)
    shown = plate.normalized("plate")
    line = {tuple(place): i for i, place in enumerate(plate.table[[*PLACE]].to_numpy())}
    axes = picture_grid(groups, n_examples, figsize=figsize)
    for row, members in zip(axes, chosen, strict=False):
        for ax, member in zip(row, members, strict=False):
            o = adata.obs.iloc[member]
            image = shown.image(line[tuple(str(o[name]) for name in PLACE)])
            top, left = (max(int(o[a] - window_px / 2), 0) for a in ("y", "x"))
            part = np.clip(image[at, top : top + window_px, left : left + window_px], 0, 1)
            blank = np.zeros_like(part[0])
            picture = part[0] if len(part) == 1 else np.stack([*part, *[blank] * (3 - len(part))], axis=-1)
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
            ax.set_title(plain(str(o["sample"])), fontsize=7)
    shown_as = ("grey",) if len(at) == 1 else ("red", "green", "blue")
    text = ", ".join(f"{names[c]} {color}" for c, color in zip(at, shown_as, strict=False))
    axes[0, 0].get_figure(root=True).suptitle(plain(text if title is None else title), fontsize=10)
    scale_bar(axes[0, 0], PIXEL)
    finish(axes[0, 0], show=show, save=save)
    return axes
