"""Units of length: one spelling for each, conversion between them, and the signs that pictures show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellgraph_clr._core.checks import check_text, expected
from cellgraph_clr._core.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PIXEL", "canonical_unit", "in_one_unit", "round_length", "unit_factor", "unit_sign"]

PIXEL = "pixel"
METERS = {
    "angstrom": 1e-10,
    "picometer": 1e-12,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "decimeter": 1e-1,
    "meter": 1.0,
    "inch": 0.0254,
}
SIGNS = {
    "angstrom": "Å",
    "picometer": "pm",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "decimeter": "dm",
    "meter": "m",
    "inch": "in",
    PIXEL: "px",
}
SPELLINGS = {
    "um": "micrometer",
    "μm": "micrometer",  # Greek mu; the micro sign is among the signs
    "\\u00b5m": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "å": "angstrom",
    "inches": "inch",
    "pixels": PIXEL,
    "voxel": PIXEL,
    "voxels": PIXEL,
    "": PIXEL,
}


def canonical_unit(unit: str) -> str:
    """Return the full name of a unit of length ("um", "µm" and "micron" are "micrometer"); other names pass in lower case.

    Raises `OptionError` for what is no text.
    """
    check_text("unit", unit)
    name = unit.strip().lower().replace("metre", "meter")
    name = {sign.lower(): full for full, sign in SIGNS.items()}.get(name, SPELLINGS.get(name, name))
    return name.removesuffix("s") if name.removesuffix("s") in METERS else name


def unit_factor(unit: str, target: str) -> float:
    """Return by what lengths in `unit` are multiplied to be in `target`.

    Raises `OptionError` where one of two different units is a pixel or not known.
    """
    one, other = canonical_unit(unit), canonical_unit(target)
    if one == other:
        return 1.0
    for name in (one, other):
        if name not in METERS:
            remedy = f"Pass `spacing=` in {other!r}." if name == one else f"Use one of {', '.join(METERS)}."
            raise OptionError(expected(f"lengths that convert from {one!r} to {other!r}", f"the unit {name!r}", remedy))
    return METERS[one] / METERS[other]


def in_one_unit(lengths: Mapping[str, float], units: Mapping[str, str]) -> tuple[dict[str, float], str]:
    """Return lengths by axis in one unit, that of x (else of the last axis), and the unit.

    Raises `OptionError` for units of axes that do not convert into one another.
    """
    target = canonical_unit(units.get("x", units[max(units)]))
    return {a: float(v) * unit_factor(units.get(a, target), target) for a, v in lengths.items()}, target


def unit_sign(unit: str) -> str:
    """Return the sign of a unit ("µm" for "micrometer"), with powers as signs ("µm²"); other names pass."""
    base, _, power = str(unit).partition("^")
    sign = SIGNS.get(canonical_unit(base), base)
    return sign + {"2": "²", "3": "³"}.get(power, f"^{power}" if power else "")


def round_length(longest: float, unit: str | None) -> tuple[float, str]:
    """Return the largest length of 1, 2 or 5 times a power of ten up to `longest`, and how it is written ("50 µm").

    Metric lengths change their unit where the number would be above 1000 or below 1: 0.5 µm is 500 nm, 2000 µm are 2 mm.
    None is a unit that is not known: the number alone.
    """
    import math

    power = 10.0 ** math.floor(math.log10(longest) + 1e-9)
    length = max(m for m in (1, 2, 5) if m * power <= longest * (1 + 1e-9)) * power
    if unit is None:
        return length, f"{length:g}"
    name = canonical_unit(unit)
    metric = ("picometer", "nanometer", "micrometer", "millimeter", "meter")
    if name in metric:
        shown = [(length * METERS[name] / METERS[other], other) for other in metric]
        value, name = next(((v, o) for v, o in reversed(shown) if v >= 1 - 1e-9), shown[0])
    else:
        value = length
    return length, f"{value:g} {unit_sign(name)}"
