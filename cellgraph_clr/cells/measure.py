"""From exact sums to features with names and units: shape, intensity, nucleus beside cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.checks import check_option, expected, listing
from cellgraph_clr._core.errors import NonFiniteError, OptionError
from cellgraph_clr.cells.crofton import crofton_surface
from cellgraph_clr.cells.scan.columns import HIGH, LEAST, LOW, MOST, SECOND_AXES, SQUARES, TOTAL, WEIGHTED
from cellgraph_clr.cells.table import FeatureInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr.cells.scan import LabelStatistics

__all__ = [
    "FEATURE_GROUPS",
    "centroid",
    "contact_areas",
    "covariance",
    "intensity_features",
    "principal_axes",
    "shape_features",
]

FEATURE_GROUPS = ("shape", "intensity", "hull", "texture", "thickness", "skeleton", "mesh", "cellprofiler")
NEED_IMAGE = ("intensity", "texture", "cellprofiler")


def centroid(s: LabelStatistics, spacing: Sequence[float]) -> np.ndarray:
    """Return (n, d) float64 centroids in physical units, z, y, x; the centre of voxel 0 is at 0."""
    d = len(spacing)
    return s.first[:, 3 - d :] / s.count[:, None] * np.asarray(spacing)


def covariance(s: LabelStatistics, spacing: Sequence[float]) -> np.ndarray:
    """Return (n, d, d) float64 covariances of the voxels of each cell, in squared units.

    Every voxel counts as a box, not a point: its own variance spacing**2 / 12 is added (as scikit-image's
    `inertia_tensor` does not), so that a single voxel has axes.
    """
    d = len(spacing)
    step = np.asarray(spacing, float)
    n = s.count.astype(float)
    mean = s.first / n[:, None]
    full = np.empty((len(n), 3, 3))
    for k, (i, j) in enumerate(SECOND_AXES):
        full[:, i, j] = full[:, j, i] = s.second[:, k] / n - mean[:, i] * mean[:, j]
    cov = full[:, 3 - d :, 3 - d :] * step[:, None] * step[None, :]
    cov[:, np.arange(d), np.arange(d)] = np.maximum(cov[:, np.arange(d), np.arange(d)], 0) + step**2 / 12
    return cov


def principal_axes(s: LabelStatistics, spacing: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths (n, d) of the axes of each cell, longest first, and the direction (n, d) of the longest; float64.

    Lengths are full lengths of the ellipsoid with the same second moments. Directions are unit vectors z, y, x whose largest
    component is positive.
    """
    d = len(spacing)
    eigen, vectors = np.linalg.eigh(covariance(s, spacing))
    axis = vectors[:, :, -1]
    largest = np.take_along_axis(axis, np.abs(axis).argmax(axis=1)[:, None], axis=1)
    return 2 * np.sqrt((d + 2) * eigen[:, ::-1]), axis * np.where(largest < 0, -1.0, 1.0)


def _face_areas(spacing: Sequence[float]) -> np.ndarray:
    """Return the area (3D) or length (2D) of one face across each of the three axes; 0 for the missing axis."""
    step = np.asarray(spacing, float)
    areas = np.zeros(3)
    areas[3 - len(step) :] = step.prod() / step
    return areas


def contact_areas(s: LabelStatistics, spacing: Sequence[float]) -> np.ndarray:
    """Return (m,) float64 contact areas (3D) or lengths (2D) of the pairs: sums of faces, in physical units.

    Face sums overestimate an oblique wall (by 1.5 on average in 3D, 4 / pi in 2D); they are exact for axis-aligned ones.
    """
    return s.pair_faces @ _face_areas(spacing)


def shape_features(
    s: LabelStatistics, spacing: Sequence[float], unit: str, axes: np.ndarray
) -> tuple[np.ndarray, list[FeatureInfo]]:
    """Return shape features (n, f) float64 and what they are; `axes` are the lengths of `principal_axes`.

    3D: volume, surface_area, sphericity, axis_major, axis_middle, axis_minor, elongation, flatness, extent, box lengths.
    2D: area, perimeter, circularity, axis_major, axis_minor, elongation, extent, box lengths. Elongation is 1 - second
    axis / first axis (3D: middle over major), flatness 1 - minor / middle. No position enters. Empty input gives (0, f).
    """
    d = len(spacing)
    step = np.asarray(spacing, float)
    size = s.count * step.prod()
    surface = crofton_surface(s.count, s.faces, s.overlaps, spacing)
    box = (s.box[:, 3 - d :, HIGH] - s.box[:, 3 - d :, LOW] + 1) * step
    extent = size / box.prod(axis=1)
    names = ["z", "y", "x"][3 - d :]
    if d == 3:
        roundness = np.pi ** (1 / 3) * (6 * size) ** (2 / 3) / surface
        columns = [size, surface, roundness, *axes.T, 1 - axes[:, 1] / axes[:, 0], 1 - axes[:, 2] / axes[:, 1], extent]
        info = [
            ("volume", f"{unit}^3"),
            ("surface_area", f"{unit}^2"),
            ("sphericity", "1"),
            ("axis_major", unit),
            ("axis_middle", unit),
            ("axis_minor", unit),
            ("elongation", "1"),
            ("flatness", "1"),
            ("extent", "1"),
        ]
    else:
        roundness = 4 * np.pi * size / surface**2
        columns = [size, surface, roundness, *axes.T, 1 - axes[:, 1] / axes[:, 0], extent]
        info = [
            ("area", f"{unit}^2"),
            ("perimeter", unit),
            ("circularity", "1"),
            ("axis_major", unit),
            ("axis_minor", unit),
            ("elongation", "1"),
            ("extent", "1"),
        ]
    info += [(f"box_{a}", unit) for a in names]
    return np.column_stack([*columns, box]), [FeatureInfo(n, "shape", "", u) for n, u in info]


def intensity_features(
    s: LabelStatistics, spacing: Sequence[float], unit: str, channels: Sequence[str]
) -> tuple[np.ndarray, list[FeatureInfo]]:
    """Return per channel: mean, standard deviation, min, max, sum, and the offset of the intensity-weighted centroid.

    The offset is the distance in `unit` between weighted and plain centroid (0 where the intensity sums to 0 or less).

    Raises
    ------
    NonFiniteError
        If a cell holds a NaN or infinite intensity, or one whose square float64 does not hold; the message names the cells.
    """
    n = s.count.astype(float)
    plain = centroid(s, spacing)
    d = len(spacing)
    columns, info = [], []
    for c, channel in enumerate(channels):
        a = s.intensity[:, c]
        bad = ~np.isfinite(a).all(axis=1)
        if bad.any() and np.isfinite(a[bad][:, [LEAST, MOST]]).all() and not np.isnan(a[bad, TOTAL]).any():
            what = f"intensities in channel {channel!r} whose squares float64 holds (up to about 1e150)"
            remedy = "Divide the image by a constant."
            found = f"larger ones in {int(bad.sum())} cells (ids {listing(s.cell_id[bad])})"
            raise NonFiniteError(expected(what, found, remedy))
        if bad.any():
            raise NonFiniteError(
                expected(
                    f"finite intensities in channel {channel!r}",
                    f"NaN or infinity in {int(bad.sum())} cells (ids {listing(s.cell_id[bad])})",
                    "Replace them (for example by the channel's median) or leave the channel out.",
                )
            )
        mean = a[:, TOTAL] / n
        std = np.sqrt(np.maximum(a[:, SQUARES] / n - mean**2, 0))
        total = a[:, TOTAL] + s.shift[c] * n
        positive = total > 0
        weighted = a[:, WEIGHTED][:, 3 - d :] / np.where(positive, total, 1.0)[:, None] * np.asarray(spacing)
        offset = np.where(positive, np.linalg.norm(weighted - plain, axis=1), 0.0)
        columns += [mean + s.shift[c], std, a[:, LEAST], a[:, MOST], total, offset]
        info += [FeatureInfo(f"{channel}_{k}", "intensity", channel, "1") for k in ("mean", "std", "min", "max", "sum")]
        info.append(FeatureInfo(f"{channel}_offset", "intensity", channel, unit))
    values = np.column_stack(columns) if columns else np.zeros((len(n), 0))
    return values, info


def check_groups(features: Sequence[str], *, has_image: bool, ndim: int = 3) -> tuple[str, ...]:
    """Return the feature groups to measure; "all" is every group that needs no extra package and fits the labels.

    Raises `OptionError` for an unknown group, or one that needs an image where there is none.
    """
    if not isinstance(features, Iterable):
        raise OptionError(expected("`features` as a sequence of groups", repr(features), "Pass ('shape',)."))
    features = features if isinstance(features, str) else tuple(features)
    if features in ("all", ("all",)):
        absent = {"cellprofiler"} | (set() if ndim == 3 else {"mesh"}) | (set() if has_image else set(NEED_IMAGE))
        return tuple(g for g in FEATURE_GROUPS if g not in absent)
    if isinstance(features, str):
        check_option("features", features, ("all", *FEATURE_GROUPS))
        raise OptionError(expected("`features` as a sequence of groups", repr(features), f"Pass ({features!r},)."))
    for group in features:
        check_option("features", group, FEATURE_GROUPS)
    needs = [g for g in features if g in NEED_IMAGE]
    if not has_image and needs and (list(features) == needs or needs != ["intensity"]):
        raise OptionError(expected(f"an image for the group {needs[-1]!r}", "no image", "Pass `image=`."))
    return tuple(features)
