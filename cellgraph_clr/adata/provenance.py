"""What an AnnData remembers of this package: the unit of its positions, and how each result was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import CellGraphError
from cellgraph_clr.adata.copies import check_anndata
from cellgraph_clr.adata.keys import PACKAGE_KEY, SCHEMA_VERSION

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["entries_of", "package_info", "record_run", "recorded_run", "recorded_runs", "recorded_unit", "unit_of"]


def entries_of(adata: AnnData, key: str, slot: str | None = None) -> Mapping[str, Any]:
    """Return the mapping at `uns[key]`, or at `uns[key][slot]`; empty where there is none.

    Raises `CellGraphError` for something else than a mapping, which this package did not write.
    """
    check_anndata(adata)
    found, where = adata.uns.get(key, {}), f"uns[{key!r}]"
    if isinstance(found, Mapping) and slot is not None:
        found, where = found.get(slot, {}), f"{where}[{slot!r}]"
    if not isinstance(found, Mapping):
        remedy = f"Delete it: `del adata.uns[{key!r}]`."
        raise CellGraphError(expected(f"a mapping at `adata.{where}`", type(found).__name__, remedy))
    return found


def package_info(adata: AnnData) -> dict[str, Any]:
    """Return `uns["cellgraph_clr"]`, made when it is missing. Raises `CellGraphError` for what is no mapping."""
    entries_of(adata, PACKAGE_KEY)
    info = adata.uns.setdefault(PACKAGE_KEY, {})
    info.setdefault("schema_version", SCHEMA_VERSION)
    return info


def unit_of(adata: AnnData) -> str:
    """Return the unit of `obsm["spatial"]`, "pixel" when none was recorded."""
    return recorded_unit(adata) or "pixel"


def recorded_unit(adata: AnnData) -> str | None:
    """Return the unit of `obsm["spatial"]` where it was recorded; `anndata.concat` drops it with all of `uns`."""
    unit = entries_of(adata, PACKAGE_KEY).get("unit")
    return None if unit is None else str(unit)


def recorded_runs(adata: AnnData) -> Mapping[str, str]:
    """Return how results were made, JSON by key."""
    return {k: v for k, v in entries_of(adata, PACKAGE_KEY, "runs").items() if isinstance(v, str)}


def recorded_run(adata: AnnData, key: str) -> Mapping[str, Any]:
    """Return how the result under one key was made; empty where nothing was recorded that can be read."""
    try:
        run = json.loads(recorded_runs(adata).get(key, "{}"))
    except ValueError:
        return {}
    return run if isinstance(run, Mapping) else {}


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


def record_run(adata: AnnData, key: str, what: Mapping[str, Any]) -> None:
    """Store the provenance of a result under `uns["cellgraph_clr"]["runs"][key]` as a JSON string."""
    from importlib.metadata import version

    versions = {name: version(dist) for name, dist in (("cellgraph_clr", "cellgraph-clr"), ("anndata", "anndata"))}
    entries_of(adata, PACKAGE_KEY, "runs")
    runs = package_info(adata).setdefault("runs", {})
    runs[key] = json.dumps({**what, "versions": versions}, sort_keys=True, default=_plain)
