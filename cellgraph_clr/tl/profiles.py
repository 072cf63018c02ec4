"""Profiles of plates: windows of fields as rows of an AnnData, or beside cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.arguments import checked
from cellgraph_clr._core.checks import check_key_added
from cellgraph_clr._core.log import log_written
from cellgraph_clr._core.options import shows
from cellgraph_clr._core.units import PIXEL
from cellgraph_clr.adata.copies import own_or_copy
from cellgraph_clr.adata.provenance import package_info, record_run
from cellgraph_clr.adata.results import cell_keys, write_by_cell
from cellgraph_clr.models.infomax.config import DeepInfoMaxConfig
from cellgraph_clr.tl.common import check_model_alone, trained_with
from cellgraph_clr.training.runtime import Runtime

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from anndata import AnnData

    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr.cells.plate import Plate
    from cellgraph_clr.models.infomax.model import DeepInfoMax

__all__ = ["profile", "profile_cells"]


@shows(DeepInfoMaxConfig, Runtime, without=("n_processes",))
@checked
def profile(
    plate: Plate,
    *,
    model: DeepInfoMax | None = None,
    samples: Sequence[str] | None = None,
    stride: int | None = None,
    key_added: str = "X_infomax",
    checkpoint: str | os.PathLike[str] | None = None,
    random_state: RandomState = 0,
    device: str = "auto",
    progress: bool | None = None,
    **config: Any,
) -> AnnData:
    """Learn what tells the samples of a plate apart, and return the profiles of all windows of all fields.

    Parameters
    ----------
    plate : Plate
        `cgc.read_plate` or `cgc.Plate.build`.
    model : DeepInfoMax or None, default None
        A fitted `DeepInfoMax` to apply instead of training one; further options must then be left alone.
    samples : sequence of str or None, default None
        Those to learn from; None takes all. All are profiled.
    stride : int or None, default None
        Pixels between windows; None takes them side by side.
    key_added : str, default "X_infomax"
        `obsm` key of the profiles.
    checkpoint : str or path-like or None, default None
        File that training is saved to and goes on from when it exists.
    random_state : int, numpy.random.Generator or None, default 0
        Of `DeepInfoMax`.
    device : str, default "auto"
        Of `DeepInfoMax`.
    progress : bool or None, default None
        Of `DeepInfoMax`.
    **config : object
        Of `DeepInfoMax`.

    Returns
    -------
    AnnData
        AnnData with one row a window: `obs` has sample, well, field and whatever the table of the plate holds, y and x
        (pixels, the middle of the window), foreground (its share) and learned (whether the sample was learned from);
        `obsm["spatial"]` x, y.

    Raises
    ------
    OptionError, PairsError, NoCellsError, ShapeError, MissingKeyError
        As `DeepInfoMax.fit` and `DeepInfoMax.transform`.

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
    >>> profiles.obsm["X_infomax"].shape[1]
    4
    """
    import anndata as ad
    import pandas as pd

    run: dict[str, Any] = {"random_state": random_state, "device": device, "progress": progress}
    model = _fitted(plate, model, samples, checkpoint, run, config)
    table = model.transform(plate, stride=stride)
    line = table.index.get_level_values("line").to_numpy()
    obs = plate.table.iloc[line].reset_index(drop=True)
    half = model.config.window_px / 2
    obs["y"], obs["x"] = (table.index.get_level_values(a).to_numpy() + half for a in ("y", "x"))
    obs["line"] = line
    obs["foreground"] = table["foreground"].to_numpy()
    obs["learned"] = obs["sample"].isin(model.samples_).to_numpy()
    for name in ("sample", "well", "field"):
        obs[name] = obs[name].astype("category")
    obs.index = pd.Index([f"{k}_{int(y)}_{int(x)}" for k, y, x in table.index], dtype=str)
    adata = ad.AnnData(obs=obs)
    adata.obsm[key_added] = table.drop(columns="foreground").to_numpy(np.float32)
    adata.obsm["spatial"] = obs[["x", "y"]].to_numpy(float)
    package_info(adata)["unit"] = PIXEL
    run = {"function": "tl.profile", "config": model.options, "seed": model.seed_}
    record_run(adata, key_added, {**run, "samples": model.samples_, "stride": stride})
    log_written("tl.profile", [f"obsm[{key_added!r}]"])
    return adata


@shows(DeepInfoMaxConfig, Runtime, without=("n_processes",))
@checked
def profile_cells(
    adata: AnnData,
    plate: Plate,
    *,
    model: DeepInfoMax | None = None,
    samples: Sequence[str] | None = None,
    key_added: str = "X_infomax",
    checkpoint: str | os.PathLike[str] | None = None,
    random_state: RandomState = 0,
    device: str = "auto",
    progress: bool | None = None,
    copy: bool = False,
    **config: Any,
) -> AnnData | None:
    """Learn what tells the samples of a plate apart, and write what it looks like at every cell beside it.

    Parameters
    ----------
    adata : AnnData
        Cells of the plate's fields (`cgc.from_plate`), matched by `obs["line"]` and `obs["cell_id"]`.
    plate : Plate
        With labels.
    model : DeepInfoMax or None, default None
        As in `profile`.
    samples : sequence of str or None, default None
        As in `profile`.
    key_added : str, default "X_infomax"
        `obsm` key, a DataFrame with columns "infomax_0", …; NaN for cells that are not in the labels.
    checkpoint : str or path-like or None, default None
        As in `profile`.
    random_state : int, numpy.random.Generator or None, default 0
        As in `profile`.
    device : str, default "auto"
        As in `profile`.
    progress : bool or None, default None
        As in `profile`.
    copy : bool, default False
        Return a new AnnData.
    **config : object
        As in `profile`.

    Returns
    -------
    AnnData or None
        The new AnnData with `copy=True`, else None.

    Raises
    ------
    MissingKeyError, OptionError
        Without `obs["line"]`; for a plate without labels, and as `profile`.

    Examples
    --------
    >>> import numpy as np
    >>> import cellgraph_clr as cgc
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> images = [rng.random((1, 64, 64)).astype(np.float32) + i // 2 for i in range(4)]
    >>> masks = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((32, 32), int))
    >>> table = pd.DataFrame({"sample": ["a", "a", "b", "b"], "field": [0, 1, 0, 1]})
    >>> plate = cgc.Plate.build(table, images, labels=[masks] * 4)
    >>> adata = cgc.from_plate(plate)
    >>> cgc.tl.profile_cells(adata, plate, window_px=32, n_steps=2, n_features=4, foreground="all", progress=False)
    >>> adata.obsm["X_infomax"].shape
    (16, 4)
    """
    check_key_added(key_added, "obsm")
    keys = cell_keys(adata, "line", maker="cgc.from_plate(plate)")
    adata = own_or_copy(adata, copy=copy)
    plate.check_labels()
    run: dict[str, Any] = {"random_state": random_state, "device": device, "progress": progress}
    model = _fitted(plate, model, samples, checkpoint, run, config)
    found = model.transform_cells(plate)
    run = {"function": "tl.profile_cells", "config": model.options, "seed": model.seed_, "samples": model.samples_}
    write_by_cell(adata, key_added, found, keys)
    record_run(adata, key_added, run)
    log_written("tl.profile_cells", [f"obsm[{key_added!r}]"])
    return adata if copy else None


def _fitted(
    plate: Plate,
    model: DeepInfoMax | None,
    samples: Sequence[str] | None,
    checkpoint: str | os.PathLike[str] | None,
    run: dict[str, Any],
    config: dict[str, Any],
) -> DeepInfoMax:
    """Return the model given, or one learned from the plate; raises `OptionError` for options of both."""
    from cellgraph_clr.models.infomax.model import DeepInfoMax

    if model is None:
        return DeepInfoMax(**run, **config).fit(plate, samples=samples, checkpoint=checkpoint)
    given = [*config, *trained_with(checkpoint, run["device"])]
    check_model_alone([*given, "samples"] if samples is not None else given)
    return model
