"""What is and is not a plate; normalisation, illumination, saturation."""

import numpy as np
import pandas as pd
import pytest

from cellgraph_clr._core.errors import MissingKeyError, NoCellsError, OptionError, ShapeError
from cellgraph_clr.cells.plate import Plate


@pytest.fixture
def plate(rng):
    level = np.repeat([1.0, 2.0, 4.0], 2)
    images = rng.gamma(2, 50, (6, 2, 40, 40)) * level[:, None, None, None]
    return Plate.build(pd.DataFrame({"sample": ["a", "a", "b", "b", "c", "c"]}), images, channels=("DNA", "actin"))


def test_fields_are_counted_and_read(plate):
    assert repr(plate) == "<Plate of 3 samples, 3 wells, 6 fields, channels DNA, actin>"
    assert plate.table["field"].tolist() == ["0", "1"] * 3
    assert plate.image(3).shape == (2, 40, 40)
    assert plate.rows(["c", "a"]).tolist() == [0, 1, 4, 5]
    with pytest.raises(MissingKeyError, match="'d' in `the samples`, found 'a'"):
        plate.rows(["d"])


def test_the_plate_keeps_what_differs_between_samples_and_the_field_does_not(plate):
    by_plate = [plate.normalized("plate").image(i).mean() for i in (0, 2, 4)]
    assert by_plate[2] > 1.8 * by_plate[1] > 1.8 * 1.5 * by_plate[0]
    by_field = [plate.normalized("field").image(i).mean() for i in (0, 2, 4)]
    assert np.ptp(by_field) < 0.05
    np.testing.assert_array_equal(plate.normalized("none").image(1), plate.image(1))
    with pytest.raises(OptionError, match="`intensity_scale`"):
        plate.normalized("well")


def test_uneven_light_is_corrected(rng):
    light = np.linspace(0.5, 1.5, 64)[None, :] * np.ones((64, 1))
    images = rng.gamma(2, 50, (30, 1, 64, 64)) * light
    plate = Plate.build(pd.DataFrame({"sample": np.arange(30)}), images)
    even = plate.normalized("none", illumination=True)
    mean = np.mean([even.image(i)[0] for i in range(30)], axis=0)
    assert mean[:, 40:].mean() / mean[:, :24].mean() == pytest.approx(1, abs=0.15)
    assert images[:, 0, :, 40:].mean() / images[:, 0, :, :24].mean() > 1.8


def test_saturation_is_a_share(rng):
    images = rng.integers(0, 200, (2, 1, 20, 20)).astype(np.uint8)
    images[1, 0, :10] = 255
    share = Plate.build(pd.DataFrame({"sample": ["a", "b"]}), images, channels=["DNA"]).saturation()
    assert share.loc[1, "DNA"] == 0.5
    assert share.loc[0, "DNA"] < 0.05


def test_bad_input_is_named(plate):
    table = pd.DataFrame({"sample": ["a", "b"]})
    with pytest.raises(ShapeError, match="2 images, found 1"):
        Plate.build(table, np.zeros((1, 1, 4, 4)))
    with pytest.raises(ShapeError, match="1 names of channels, found 2"):
        Plate.build(table, np.zeros((2, 1, 4, 4)), channels=("a", "b"))
    with pytest.raises(MissingKeyError, match="'sample'"):
        Plate.build(pd.DataFrame({"well": ["a", "b"]}), np.zeros((2, 1, 4, 4)))
    with pytest.raises(NoCellsError, match="an empty table"):
        Plate.build(table[:0], np.zeros((0, 1, 4, 4)))
    with pytest.raises(ShapeError, match="a a 0 again"):
        Plate.build(pd.DataFrame({"sample": ["a", "a"], "field": [0, 0]}), np.zeros((2, 1, 4, 4)))
    with pytest.raises(ShapeError, match="2 channels"):
        Plate.build(table, [np.zeros((2, 4, 4)), np.zeros((1, 4, 4))]).image(1)
    with pytest.raises(ShapeError, match="fields of"):
        Plate.build(table, [np.ones((1, 4, 4)), np.ones((1, 8, 4))]).normalized(illumination=True)


def test_plates_take_their_arguments_in_one_order():
    import inspect

    made, built = (list(inspect.signature(f).parameters) for f in (Plate, Plate.build))
    assert made[0] == built[0] == "table"
    assert [n for n in built if n in made] == ["table", "channels", "labels"]
