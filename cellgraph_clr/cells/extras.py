"""Feature groups that are measured on request, crop by crop: hull, texture, thickness, skeleton, mesh, cellprofiler."""

from __future__ import annotations

import warnings
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import MissingDependencyError, OptionError
from cellgraph_clr.cells.crops import Crop, crops, per_cell
from cellgraph_clr.cells.form import mesh_area, skeleton_length, thickness
from cellgraph_clr.cells.hull import convex_hull
from cellgraph_clr.cells.measure import FEATURE_GROUPS
from cellgraph_clr.cells.scan.columns import LEAST, MOST
from cellgraph_clr.cells.table import FeatureInfo
from cellgraph_clr.cells.texture import TEXTURES, texture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellgraph_clr.cells.label_image import LabelImage
    from cellgraph_clr.cells.scan import LabelStatistics

__all__ = ["EXTRA_GROUPS", "extra_features"]

EXTRA_GROUPS = FEATURE_GROUPS[2:]
MASK_ONLY = ("sizeshape", "zernike", "feret")  # measurements of cp_measure that do not look at the image
# Granularity works at a quarter of the resolution, with background from 80 pixels around: no crop of a cell holds that, and on
# small ones it has met NaN of its own, on which `skimage.morphology.reconstruction` does not end.
WHOLE_IMAGE = ("granularity",)


def extra_features(
    group: str, image: LabelImage, s: LabelStatistics, *, n_jobs: int | None = None
) -> tuple[np.ndarray, list[FeatureInfo]]:
    """Return the features (n, f) float64 of one of `EXTRA_GROUPS` and what they are.

    hull: convex_volume (2D convex_area), solidity, feret_max. texture: `texture.TEXTURES` per channel. thickness:
    thickness_max, depth_mean. skeleton: skeleton_length. mesh: mesh_area (3D only). cellprofiler: what `cp_measure` gives,
    without granularity (which needs the whole image), prefixed `cp_`, lengths in pixels, intensities divided by the largest
    labelled one.

    Raises
    ------
    OptionError
        For texture and cellprofiler without an image, or mesh in 2D.
    MissingDependencyError
        For cellprofiler without `cp_measure`.
    """
    unit, d = image.unit, image.ndim
    if group == "hull":
        size = ("convex_volume", f"{unit}^3") if d == 3 else ("convex_area", f"{unit}^2")
        return _run(convex_hull, image, s, n_jobs, [size, ("solidity", "1"), ("feret_max", unit)], "shape")
    if group == "thickness":
        return _run(thickness, image, s, n_jobs, [("thickness_max", unit), ("depth_mean", unit)], "shape")
    if group == "skeleton":
        return _run(skeleton_length, image, s, n_jobs, [("skeleton_length", unit)], "shape")
    if group == "mesh":
        if d == 2:
            raise OptionError(expected("3D labels for the group 'mesh'", "2D", "Use the perimeter of group 'shape'."))
        return _run(mesh_area, image, s, n_jobs, [("mesh_area", f"{unit}^2")], "mesh")
    if image.image is None:
        raise OptionError(expected(f"an image for the group {group!r}", "no image", "Pass `image=`."))
    return _texture(image, s, n_jobs) if group == "texture" else _cellprofiler(image, s, n_jobs)


def _run(
    function: Callable[[Crop], Sequence[float]],
    image: LabelImage,
    s: LabelStatistics,
    n_jobs: int | None,
    names: list[tuple[str, str]],
    kind: str,
) -> tuple[np.ndarray, list[FeatureInfo]]:
    values = per_cell(function, image, s, n_jobs=n_jobs)
    return values.reshape(len(s.cell_id), len(names)), [FeatureInfo(n, kind, "", u) for n, u in names]


def _texture(image: LabelImage, s: LabelStatistics, n_jobs: int | None) -> tuple[np.ndarray, list[FeatureInfo]]:
    low = s.intensity[:, :, LEAST].min(axis=0)  # of all labelled voxels
    high = s.intensity[:, :, MOST].max(axis=0)
    values = per_cell(partial(texture, low=low, high=high), image, s, n_jobs=n_jobs)
    info = [
        FeatureInfo(f"{c}_{t}", "texture", c, "bit" if t == "entropy" else "1")
        for c in image.channels
        for t in TEXTURES
    ]
    return values.reshape(len(s.cell_id), len(info)), info


def _cellprofiler_row(crop: Crop, high: np.ndarray) -> dict[tuple[str, int], float]:
    """Return every measurement of `cp_measure` for one cell by (name, channel), channel -1 for those of the mask alone."""
    from cp_measure.bulk import get_core_measurements, get_core_measurements_3d

    mask = np.pad(crop.mask.astype(np.int32), 1)
    out: dict[tuple[str, int], float] = {}
    measures = get_core_measurements() if mask.ndim == 2 else get_core_measurements_3d()
    measures = {kind: measure for kind, measure in measures.items() if kind not in WHOLE_IMAGE}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # empty rings and flat cells divide by zero and are NaN
        for c, channel in enumerate(crop.image):  # type: ignore[arg-type]
            pixels = np.pad((channel / max(float(high[c]), 1e-300)).clip(0, 1), 1, mode="edge")
            for kind, measure in measures.items():
                if kind in MASK_ONLY and c > 0:
                    continue
                for name, value in measure(mask, pixels).items():
                    number = float(np.ravel(value)[0]) if np.size(value) else float("nan")
                    out[name, -1 if kind in MASK_ONLY else c] = number
    return out


def _cellprofiler_values(crop: Crop, high: np.ndarray, names: list[tuple[str, int]]) -> list[float]:
    row = _cellprofiler_row(crop, high)
    return [row.get(name, float("nan")) for name in names]


def _cellprofiler(image: LabelImage, s: LabelStatistics, n_jobs: int | None) -> tuple[np.ndarray, list[FeatureInfo]]:
    if find_spec("cp_measure") is None:
        remedy = "pip install 'cellgraph-clr[cellprofiler]'"
        raise MissingDependencyError(expected("`cp_measure` for the group 'cellprofiler'", "not installed", remedy))
    high = s.intensity[:, :, MOST].max(axis=0)  # CellProfiler measures intensities from 0 to 1
    names = list(_cellprofiler_row(next(crops(image, s)), high))
    values = per_cell(partial(_cellprofiler_values, high=high, names=names), image, s, n_jobs=n_jobs)
    info = []
    for name, c in names:
        channel = image.channels[c] if c >= 0 else ""
        info.append(FeatureInfo(f"{channel}_cp_{name}" if channel else f"cp_{name}", "cellprofiler", channel))
    return values.reshape(len(s.cell_id), len(info)), info
