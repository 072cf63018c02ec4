"""Profiles of plates: windows of fields as rows of an AnnData."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.log import log_written
from cellgraph_clr.graphs.layout import record_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from cellgraph_clr._core.rng import RandomState
    from cellgraph_clr.cells.plate import Plate
    from cellgraph_clr.models.deep_infomax import DeepInfoMax

__all__ = ["profile"]


def profile(
    plate: Plate,
    *,
    model: DeepInfoMax | None = None,
    samples: Sequence[str] | None = None,
    stride: int | None = None,
    key_added: str = "X_infomax",
    random_state: RandomState = 0,
    progress: bool | None = None,
    **config: Any,
) -> AnnData:
    """Learn what tells the samples of a plate apart, and return the profiles of all windows of all fields.

    Parameters
    ----------
    plate : `cgc.read_plate` or `cgc.Plate.build`.
    model : a fitted `DeepInfoMax` to apply instead of training one; further options must then be left alone.
    samples : those to learn from; None takes all. All are profiled.
    stride : pixels between windows; None takes them side by side.
    key_added : `obsm` key of the profiles.
    random_state, progress, **config : of `DeepInfoMax`.

    Returns
    -------
    AnnData with one row a window: `obs` has sample, well, field and whatever the table of the plate holds, y and x (pixels, the
    middle of the window), foreground (its share) and learned (whether the sample was learned from); `obsm["spatial"]` x, y.

    Raises
    ------
    OptionError, PairsError, NoCellsError, ShapeError, MissingKeyError
        As `DeepInfoMax.fit` and `.transform`.
    """
    import anndata as ad
    import pandas as pd

    from cellgraph_clr.models.deep_infomax import DeepInfoMax

    if model is not None and (config or samples is not None):
        found = sorted([*config, *(["samples"] if samples is not None else [])])
        raise OptionError(expected("no training options beside `model`", found, "Set them when fitting."))
    if model is None:
        model = DeepInfoMax(random_state=random_state, progress=progress, **config).fit(plate, samples=samples)
    table = model.transform(plate, stride=stride)
    line = table.index.get_level_values("line").to_numpy()
    obs = plate.table.iloc[line].reset_index(drop=True)
    half = model.config.size / 2
    obs["y"], obs["x"] = (table.index.get_level_values(a).to_numpy() + half for a in ("y", "x"))
    obs["foreground"] = table["foreground"].to_numpy()
    obs["learned"] = obs["sample"].isin(model.samples_).to_numpy()
    for name in ("sample", "well", "field"):
        obs[name] = obs[name].astype("category")
    obs.index = pd.Index([f"{k}_{int(y)}_{int(x)}" for k, y, x in table.index], dtype=str)
    adata = ad.AnnData(obs=obs)
    adata.obsm[key_added] = table.drop(columns="foreground").to_numpy(np.float32)
    adata.obsm["spatial"] = obs[["x", "y"]].to_numpy(float)
    run = {"function": "tl.profile", "config": asdict(model.config), "seed": model.seed_}
    record_run(adata, key_added, {**run, "samples": model.samples_, "stride": stride})
    log_written("tl.profile", [f"obsm[{key_added!r}]"])
    return adata
