"""Units: one spelling each, conversion that goes there and back, lengths as people write them."""

import itertools

import pytest

from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.units import METERS, canonical_unit, in_one_unit, round_length, unit_factor, unit_sign


@pytest.mark.parametrize(
    ("names", "unit"),
    [
        (("um", "µm", "μm", "micron", "Microns", "micrometre", " micrometers", "\\u00B5m"), "micrometer"),
        (("nm", "nanometre", "Nanometers"), "nanometer"),
        (("px", "pixels", "", "voxel"), "pixel"),
        (("inch", "in", "inches"), "inch"),
        (("furlong",), "furlong"),
    ],
)
def test_one_spelling(names, unit):
    assert {canonical_unit(n) for n in names} == {unit}


def test_conversion_goes_there_and_back():
    assert unit_factor("um", "nm") == pytest.approx(1000)
    for one, other in itertools.product(METERS, METERS):
        assert unit_factor(one, other) * unit_factor(other, one) == pytest.approx(1)
    assert unit_factor("furlong", "furlong") == 1
    for one, other in (("pixel", "um"), ("um", "pixel"), ("furlong", "um")):
        with pytest.raises(OptionError, match="lengths that convert from"):
            unit_factor(one, other)


def test_axes_of_several_units_come_in_that_of_x():
    sizes, unit = in_one_unit({"z": 40, "y": 0.008, "x": 8}, {"z": "nm", "y": "µm", "x": "nanometer"})
    assert unit == "nanometer"
    assert sizes == pytest.approx({"z": 40, "y": 8, "x": 8})
    with pytest.raises(OptionError, match="'furlong'"):
        in_one_unit({"y": 1, "x": 1}, {"y": "furlong", "x": "um"})


@pytest.mark.parametrize(
    ("longest", "unit", "length", "text"),
    [
        (73, "um", 50, "50 µm"),
        (0.73, "micrometer", 0.5, "500 nm"),
        (2600, "micrometer", 2000, "2 mm"),
        (999, "pixel", 500, "500 px"),
        (2600, "pixel", 2000, "2000 px"),
        (20, "furlong", 20, "20 furlong"),
        (1e-9, "meter", 1e-9, "1 nm"),
    ],
)
def test_round_lengths(longest, unit, length, text):
    assert round_length(longest, unit) == (pytest.approx(length), text)


def test_signs_have_powers():
    assert unit_sign("micrometer^2") == "µm²"
    assert unit_sign("nm^3") == "nm³"
    assert unit_sign("pixel") == "px"
