"""Spacing, unit and place of labels and images: what was asked for, what files say, and where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellgraph_clr._core.notices import warn
from cellgraph_clr._core.units import PIXEL, unit_factor
from cellgraph_clr.adata.images_of_cells import SAME
from cellgraph_clr.cells.label_image import check_spacing, check_unit_alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellgraph_clr.io.arrays import Pixels

__all__ = ["in_unit", "settled_scale", "warn_difference", "warn_spacing"]


def warn_spacing(ndim: int) -> None:
    """Warn that no spacing is known and 1 pixel is assumed."""
    warn(
        "No spacing was given and none is in the metadata: 1 pixel is assumed along every axis, and features are in "
        f"pixels. Pass `spacing=({', '.join('zyx'[-ndim:])})` and `unit=` for physical units."
    )


def settled_scale(
    spacing: float | Sequence[float] | None,
    unit: str | None,
    *,
    found: Sequence[float] | None,
    found_unit: str | None,
    ndim: int,
) -> tuple[tuple[float, ...] | None, str]:
    """Return spacing (None: not known) and its unit.

    Parameters
    ----------
    spacing, unit : what was asked for. A spacing is in `unit`, else in the unit of the file. A unit alone converts.
    found, found_unit : what the file says.
    ndim : axes.

    Raises
    ------
    OptionError
        For a wrong spacing, a unit that the file's does not convert to, or a unit without any spacing.
    """
    if spacing is not None:
        return check_spacing(spacing, ndim), unit or found_unit or PIXEL
    if found is not None:
        name = unit or found_unit or PIXEL
        return check_spacing(in_unit(found, found_unit, name), ndim), name
    check_unit_alone(unit or PIXEL)
    return None, PIXEL


def in_unit(lengths: Sequence[float], unit: str | None, target: str) -> tuple[float, ...]:
    """Return lengths in another unit; those without a unit are in it already. Raises `OptionError` as `unit_factor`."""
    factor = 1.0 if unit is None or len(lengths) == 0 else unit_factor(unit, target)
    return tuple(float(v) * factor for v in lengths)


def warn_difference(labels: Pixels, image: Pixels, ndim: int) -> None:
    """Warn where labels and image have spacings or places that differ."""
    one, other = labels.scale(ndim), image.scale(ndim)
    if one is None or other is None:
        return
    unit = labels.unit or image.unit or PIXEL
    pairs = {
        "a spacing of": (one, in_unit(other, image.unit, unit)),
        "their first pixel at": tuple(in_unit(p.start(ndim) or (0.0,) * ndim, p.unit, unit) for p in (labels, image)),
    }
    for what, (mine, its) in pairs.items():
        if not np.allclose(mine, its, rtol=SAME, atol=SAME * min(one) if what.endswith("at") else 0):
            texts = [f"{' x '.join(f'{v:g}' for v in values)} {unit}" for values in (mine, its)]
            warn(
                f"The labels have {what} {texts[0]}, the image {texts[1]}: that of the labels is used. Pass `spacing=` and "
                "`unit=` to say which is right."
            )
