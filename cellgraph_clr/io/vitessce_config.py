"""What Vitessce is told: where things lie in a store, in which colors, and which views show them, linked."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Shown", "configuration", "place_of"]

SCHEMA = "1.0.15"  # of the configuration: an old one, which newer versions of Vitessce read
KIND = {"obsType": "cell", "featureType": "feature", "featureValueType": "value"}
SIDE = 450  # pixels of a view, about
SCOPE = "A"  # all views share what they show
SPOKEN, DIGITS = 40, 16  # characters of the place of a column: of its name, and of what tells it from all others


class Shown(NamedTuple):
    """What a store holds."""

    sets: Mapping[str, Mapping[str, str]]
    """Names of columns of classes, that which colors first; of each the colors (hex) by name. They lie at `place_of`."""
    embedding: tuple[str, str] | None
    """Name of the embedding and its place in `obsm`, where there is one."""
    box: tuple[np.ndarray, np.ndarray] | None
    """Least and largest x and y of `obsm/spatial`, where it is."""


def place_of(kind: str, name: str) -> str:
    """Return where a column lies in a store: one place for every name, in letters that all servers take.

    A configuration that is older than its store never shows another column. Names that differ by case differ on all disks.
    """
    spoken = re.sub("[^a-z0-9]+", "_", name.lower())[:SPOKEN].strip("_")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return "_".join(part for part in (kind, spoken, digest) if part)


def configuration(shown: Shown, title: str, url: str) -> dict[str, Any]:
    """Return the configuration of a store that is served at `url`."""
    space = _coordination(shown)
    linked = dict.fromkeys(space, SCOPE)
    place, layer = _place(shown)
    views = [("obsSets", 9, 0, 3, 6)] if shown.sets else []
    views += [("featureList", 9, 6, 3, 5), ("status", 9, 11, 3, 1)]
    if shown.embedding is not None:
        views.insert(0, ("scatterplot", 5 if place else 0, 0, 4 if place else 9, 12))
        space["embeddingType"] = shown.embedding[0]
    if place:
        views.insert(0, ("spatial", 0, 0, 5 if shown.embedding is not None else 9, 12))
        space |= place | layer
    more = {"spatial": [*place, *layer], "scatterplot": ["embeddingType"]}
    layout = [
        {
            "component": name,
            "coordinationScopes": {"dataset": SCOPE, **linked, **dict.fromkeys(more.get(name, []), SCOPE)},
            **dict(zip("xywh", corner, strict=True)),
        }
        for name, *corner in views
    ]
    file = {"fileType": "anndata.zarr", "url": url, "coordinationValues": KIND, "options": _paths(shown)}
    return {
        "version": SCHEMA,
        "name": title,
        "description": "",
        "datasets": [{"uid": SCOPE, "name": title, "files": [file]}],
        "coordinationSpace": {name: {SCOPE: value} for name, value in {"dataset": SCOPE, **space}.items()},
        "layout": layout,
        "initStrategy": "auto",
    }


def _paths(shown: Shown) -> dict[str, Any]:
    """Return where in the store what lies."""
    paths: dict[str, Any] = {
        "obsLabels": [{"obsLabelsType": "cell_id", "path": "obs/cell_id"}],
        "obsFeatureMatrix": {"path": "X"},
        "featureLabels": {"path": "var/label"},
    }
    if shown.sets:
        paths["obsSets"] = [{"name": name, "path": f"obs/{place_of('set', name)}"} for name in shown.sets]
    if shown.embedding is not None:
        name, place = shown.embedding
        paths["obsEmbedding"] = [{"path": f"obsm/{place}", "embeddingType": name}]
    if shown.box is not None:
        paths["obsLocations"] = {"path": "obsm/spatial"}
        paths["obsSegmentations"] = {"path": "obsm/segmentations"}
    return paths


def _coordination(shown: Shown) -> dict[str, Any]:
    """Return what all views share: kinds of data, chosen classes and their colors."""
    space: dict[str, Any] = dict(KIND)
    if shown.sets:
        first = next(iter(shown.sets))
        space["obsSetSelection"] = [[first, name] for name in shown.sets[first]]
        space["obsSetExpansion"] = [[first]]
        space["obsSetColor"] = [
            {"path": [column, name], "color": [int(color[i : i + 2], 16) for i in (1, 3, 5)]}
            for column, colors in shown.sets.items()
            for name, color in colors.items()
        ]
        space["obsColorEncoding"] = "cellSetSelection"
    return space


def _place(shown: Shown) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return where the map of the tissue is, all of it in view, and how cells are drawn; nothing without a map."""
    if shown.box is None:
        return {}, {}
    low, high = (np.asarray(corner, float) for corner in shown.box)
    (x, y), side = (low + high) / 2, max(float((high - low).max()), 1e-9)
    place = {"spatialTargetX": float(x), "spatialTargetY": float(y), "spatialZoom": float(np.log2(SIDE / side))}
    return place, {"spatialSegmentationLayer": {"radius": 0, "stroked": False, "visible": True, "opacity": 1}}
