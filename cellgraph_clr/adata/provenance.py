"""What an AnnData remembers of this package: the unit of its positions, and how each result was made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from cellgraph_clr.adata.keys import PACKAGE_KEY, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

__all__ = ["package_info", "record_run", "recorded_unit", "unit_of"]


def package_info(adata: AnnData) -> dict[str, Any]:
    """Return `uns["cellgraph_clr"]`, made when it is missing."""
    info = adata.uns.setdefault(PACKAGE_KEY, {})
    info.setdefault("schema_version", SCHEMA_VERSION)
    return info


def unit_of(adata: AnnData) -> str:
    """Return the unit of `obsm["spatial"]`, "pixel" when none was recorded."""
    return recorded_unit(adata) or "pixel"


def recorded_unit(adata: AnnData) -> str | None:
    """Return the unit of `obsm["spatial"]` where it was recorded; `anndata.concat` drops it with all of `uns`."""
    unit = adata.uns.get(PACKAGE_KEY, {}).get("unit")
    return None if unit is None else str(unit)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)


def record_run(adata: AnnData, key: str, what: Mapping[str, Any]) -> None:
    """Store the provenance of a result under `uns["cellgraph_clr"]["runs"][key]` as a JSON string."""
    from importlib.metadata import version

    versions = {name: version(dist) for name, dist in (("cellgraph_clr", "cellgraph-clr"), ("anndata", "anndata"))}
    runs = package_info(adata).setdefault("runs", {})
    runs[key] = json.dumps({**what, "versions": versions}, sort_keys=True, default=_plain)
